import ClientRuntime
import Testing

@testable import CUDAClient

@Suite struct ImageLengthTests {
    private func byteCount(_ bytes: [UInt8]) -> Int? {
        bytes.withUnsafeBytes { buffer in
            buffer.baseAddress.flatMap { ImageLength.image(at: $0)?.count }
        }
    }

    private func elf(programOffset: UInt64, programCount: UInt16, sectionOffset: UInt64, sectionCount: UInt16)
        -> [UInt8]
    {
        var bytes = [UInt8](repeating: 0, count: 64)
        bytes.replaceSubrange(0..<6, with: [0x7F, 0x45, 0x4C, 0x46, 2, 1])
        func put(_ value: UInt64, at offset: Int, _ count: Int) {
            for index in 0..<count { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * UInt64(index))) }
        }
        put(programOffset, at: 32, 8)
        put(sectionOffset, at: 40, 8)
        put(56, at: 54, 2)
        put(UInt64(programCount), at: 56, 2)
        put(64, at: 58, 2)
        put(UInt64(sectionCount), at: 60, 2)
        return bytes
    }

    @Test("text ends at its terminator, with or without space before it")
    func text() {
        #expect(byteCount(Array(".version 8.0\n".utf8) + [0, 65]) == 13)
        #expect(byteCount(Array("\n\n// comment\n.version 8.0".utf8) + [0]) == 25)
    }

    @Test("an object file ends with the later of its two tables")
    func objectFile() {
        #expect(byteCount(elf(programOffset: 1000, programCount: 2, sectionOffset: 500, sectionCount: 3)) == 1112)
        #expect(byteCount(elf(programOffset: 64, programCount: 2, sectionOffset: 500, sectionCount: 3)) == 692)
        #expect(byteCount(elf(programOffset: .max, programCount: 2, sectionOffset: 0, sectionCount: 0)) == nil)
    }

    @Test("a container has its header and its files; a wrapper points to it")
    func container() throws {
        var bytes: [UInt8] = [0x50, 0xED, 0x55, 0xBA, 1, 0, 16, 0, 0x40, 0, 0, 0, 0, 0, 0, 0]
        bytes += [UInt8](repeating: 0, count: 0x40)
        #expect(byteCount(bytes) == 0x50)
        bytes.withUnsafeBytes { inner in
            var wrapper: [UInt64] = [0x0000_0001_4662_43B1, UInt64(UInt(bitPattern: inner.baseAddress)), 0]
            let image = wrapper.withUnsafeMutableBytes { raw in
                raw.baseAddress.flatMap { ImageLength.image(at: UnsafeRawPointer($0)) }
            }
            #expect(image?.count == 0x50)
            #expect(image?.baseAddress == inner.baseAddress)
        }
    }

    @Test("a wrapper around a wrapper, or around nothing, is no image")
    func wrappers() {
        var wrapper: [UInt64] = [0x0000_0001_4662_43B1, 0, 0]
        wrapper.withUnsafeMutableBytes { raw in
            guard let start = raw.baseAddress else { return }
            #expect(ImageLength.image(at: start) == nil)
            raw.storeBytes(of: UInt64(UInt(bitPattern: start)), toByteOffset: 8, as: UInt64.self)
            #expect(ImageLength.image(at: start) == nil)
        }
    }

    @Test(
        "other bytes are no image",
        arguments: [[0, 0, 0, 0, 0, 0, 0, 0], [0xFF, 0xFE, 1, 2, 3, 4, 5, 6]] as [[UInt8]])
    func garbage(bytes: [UInt8]) { #expect(byteCount(bytes) == nil) }

    @Test("a bundle's length is found again")
    func bundle() {
        let inputs = [
            LinkBundle.Input(kind: 1, name: Array("a.ptx".utf8), content: Array(".version 8.0".utf8)),
            LinkBundle.Input(kind: 1, name: [], content: Array(".visible .func x()".utf8)),
        ]
        let bytes = LinkBundle.encode(inputs)
        #expect(bytes.starts(with: Array("RSTLINK1".utf8)))
        #expect(bytes.count == 16 + (16 + 8 + 16) + (16 + 24))
        #expect(byteCount(bytes + [1, 2, 3]) == bytes.count)
    }

    @Test("PCI addresses are read in all their forms")
    func busIDs() {
        func parse(_ text: String) -> [Int32]? {
            Array(text.utf8).withUnsafeBytes { bytes in
                CUDADriver.hexadecimalFields(bytes).map { [$0.domain, $0.bus, $0.device] }
            }
        }
        #expect(parse("0000:01:00.0") == [0, 1, 0])
        #expect(parse("0a:1F") == [0, 10, 31])
        #expect(parse("00000001:02:03") == [1, 2, 3])
        #expect(parse("") == nil)
        #expect(parse("1") == nil)
        #expect(parse("1:2:3:4:5.0") == nil)
        #expect(parse("01:zz.0") == nil)
    }

    @Test("packed parameters are found in the list of extras")
    func extras() {
        var size = 24
        withUnsafeMutablePointer(to: &size) { size in
            var value: UInt64 = 5
            withUnsafeMutablePointer(to: &value) { value in
                var list: [UnsafeMutableRawPointer?] = [
                    UnsafeMutableRawPointer(bitPattern: 1), UnsafeMutableRawPointer(value),
                    UnsafeMutableRawPointer(bitPattern: 2), UnsafeMutableRawPointer(size), nil,
                ]
                let found = list.withUnsafeMutableBufferPointer { buffer in
                    buffer.baseAddress.flatMap { CUDADriver.packedParameters($0) }
                }
                #expect(found?.count == 24 && found?.baseAddress == UnsafeRawPointer(value))
                list[2] = UnsafeMutableRawPointer(bitPattern: 9)
                let wrong = list.withUnsafeMutableBufferPointer { buffer in
                    buffer.baseAddress.flatMap { CUDADriver.packedParameters($0) }
                }
                #expect(wrong == nil)
            }
        }
    }

    @Test("values in context-local storage are replaced, taken out and destroyed in order")
    func localStorage() {
        var storage = ContextLocalStorage()
        let first = UnsafeMutableRawPointer(bitPattern: 16)
        let second = UnsafeMutableRawPointer(bitPattern: 32)
        #expect(storage.value(first) == nil)
        storage.put(first, second, nil)
        storage.put(first, first, nil)
        #expect(storage.value(first) == .some(first))
        let removals = [storage.remove(first), storage.remove(first)]
        #expect(removals == [true, false])
        storage.put(second, second, nil)
        let taken = storage.takeAll()
        taken.destroy(context: nil)
        #expect(storage.value(second) == nil)
        #expect(taken.value(second) == .some(second))
    }

    @Test("occupancy is limited by threads, registers and shared memory")
    func occupancy() {
        let limits = OccupancyLimits()
        #expect(limits.blocks(threads: 256, registersPerThread: 0, fixedShared: 0, dynamicShared: 0) == 8)
        #expect(limits.blocks(threads: 256, registersPerThread: 64, fixedShared: 0, dynamicShared: 0) == 4)
        #expect(limits.blocks(threads: 512, registersPerThread: 255, fixedShared: 0, dynamicShared: 0) == 1)
        #expect(limits.blocks(threads: 32, registersPerThread: 16, fixedShared: 0, dynamicShared: 0) == 32)
        #expect(limits.blocks(threads: 32, registersPerThread: 16, fixedShared: 40 << 10, dynamicShared: 0) == 2)
        #expect(limits.blocks(threads: 0, registersPerThread: 16, fixedShared: 0, dynamicShared: 0) == 0)
    }
}
