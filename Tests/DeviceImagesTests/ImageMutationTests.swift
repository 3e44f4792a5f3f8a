import Testing

@testable import DeviceImages

@Suite("Image mutations")
struct ImageMutationTests {
    private struct SplitMix64 {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }

        mutating func below(_ bound: Int) -> Int { bound > 0 ? Int(next() % UInt64(bound)) : 0 }
    }

    private static func mutate(_ bytes: [UInt8], _ random: inout SplitMix64) -> [UInt8] {
        var bytes = bytes
        for _ in 0...random.below(3) where !bytes.isEmpty {
            // Headers decide most, so half of the damage goes there.
            let offset = random.below(random.below(2) == 0 ? min(bytes.count, 320) : bytes.count)
            switch random.below(5) {
            case 0: bytes.removeLast(random.below(bytes.count))
            case 1: bytes.remove(at: offset)
            case 2: bytes[offset] = 0xFF
            case 3: bytes.replaceSubrange(offset..<min(bytes.count, offset + 8), with: ImageFixtures.little(UInt64.max))
            default: bytes[offset] ^= UInt8(truncatingIfNeeded: 1 << random.below(8))
            }
        }
        return bytes
    }

    @Test("a thousand damaged images are read or refused, within the limit", arguments: 0..<4)
    func mutations(_ part: Int) throws {
        let names = ["none.fatbin", "lz4.fatbin", "zstd.fatbin", "group.fatbin"]
        var images = try names.map(ImageFixtures.file)
        images.append(
            LinkBundle(inputs: [
                .init(kind: 1, name: Array("text".utf8), content: ImageFixtures.text),
                .init(kind: 2, name: Array("fatbin".utf8), content: images[3]),
            ]).encoded())
        images.append(ImageFixtures.cubin(osABI: 0x41, flags: 0x5000))
        let limit = 1 << 20
        var (read, refused) = (0, 0)
        for seed in 0..<250 {
            var random = SplitMix64(state: UInt64(part * 250 + seed))
            let bytes = Self.mutate(images[random.below(images.count)], &random)
            do throws(DeviceImageError) {
                let selected = try ImageFixtures.select(bytes, byteLimit: limit)
                #expect(selected.reduce(0) { $0 + $1.text.count } <= limit)
                read += 1
            } catch {
                #expect(!error.message.isEmpty)
                refused += 1
            }
        }
        #expect(read > 10 && refused > 10)
    }
}
