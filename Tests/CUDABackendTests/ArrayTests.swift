import GPUBackend
import GPUTestKit
import Primitives
import Testing

extension Machine {
    /// Texels are 32-bit integers.
    func array(
        _ width: UInt64, _ height: UInt64, _ depth: UInt64 = 0, levelCount: UInt32 = 1, flags: UInt32 = 0
    ) throws -> any BackendArray {
        try context.makeArray(
            ArrayShape(
                size: (width, height, depth), format: 3, channelCount: 1, flags: flags, levelCount: levelCount))
    }

    func write(_ values: [UInt32], to box: ArrayBox) throws {
        try values.withUnsafeBytes { bytes in
            var offset = 0
            try stream.copyToArray(box) { buffer in
                buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + buffer.count)]))
                offset += buffer.count
                return true
            }
        }
    }

    func read(_ box: ArrayBox) throws -> [UInt32] {
        var bytes: [UInt8] = []
        try stream.copyFromArray(box) { piece in
            bytes.append(contentsOf: piece)
            return true
        }
        return bytes.withUnsafeBytes { bytes in
            (0..<(bytes.count / 4)).map { bytes.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self) }
        }
    }

    /// The number that a client would pick; none where the device does.
    func picked(_ number: UInt64) -> UInt64? { kind == .software ? 0x7E00_0000_0000 + number << 5 : nil }

    /// A texture that reads integers as they are.
    func texture(_ change: (inout TextureDescription) -> Void, of array: (any BackendArray)? = nil) throws -> UInt64 {
        var description = TextureDescription()
        description.format = 3
        description.channelCount = 1
        description.addressModes = (1, 1, 1)
        description.flags = TextureDescription.Flags.readAsInteger
        change(&description)
        return try context.makeTexture(description, array: array, value: picked(1))
    }
}

private func box(
    _ array: any BackendArray, level: UInt32 = 0, _ origin: (x: UInt64, y: UInt64, z: UInt64),
    _ size: (width: UInt64, height: UInt64, depth: UInt64)
) -> ArrayBox {
    ArrayBox(
        array: array, level: level, origin: (origin.x * 4, origin.y, origin.z),
        size: (size.width * 4, size.height, size.depth))
}

extension ContractTests {
    @Test("boxes of an array are copied from and to the host, memory and other arrays", arguments: Kind.allCases)
    func arrays(_ kind: Kind) throws {
        let machine = try Machine(kind)
        let array = try machine.array(16, 8, 4)
        let all = box(array, (0, 0, 0), (16, 8, 4))
        var values = (0..<512).map { UInt32($0) }
        try machine.write(values, to: all)
        try machine.write([901, 902, 903, 904], to: box(array, (3, 5, 1), (2, 1, 2)))
        for (slice, first) in [(1, UInt32(901)), (2, 903)] {
            values[slice * 128 + 5 * 16 + 3] = first
            values[slice * 128 + 5 * 16 + 4] = first + 1
        }
        #expect(try machine.read(all) == values)
        #expect(try machine.read(box(array, (2, 5, 1), (3, 1, 1))) == [210, 901, 902])

        let place = try machine.allocate(64 << 10)
        let memory = MemoryBox(address: place + 64, pitch: 256, slicePitch: 3000, width: 32, height: 3, depth: 2)
        try machine.stream.copy(fromArray: box(array, (4, 2, 1), (8, 3, 2)), to: memory)
        let wanted = (1...2).flatMap { z in (2...4).flatMap { y in (4..<12).map { values[z * 128 + y * 16 + $0] } } }
        #expect(try machine.read(memory) == wanted)
        let other = try machine.array(8, 3, 2)
        try machine.stream.copy(from: memory, toArray: box(other, (0, 0, 0), (8, 3, 2)))
        #expect(try machine.read(box(other, (0, 0, 0), (8, 3, 2))) == wanted)
        try machine.stream.copy(fromArray: box(other, (1, 1, 1), (2, 2, 1)), toArray: box(array, (0, 0, 0), (2, 2, 1)))
        #expect(try machine.read(box(array, (0, 0, 0), (2, 2, 1))) == [13, 14, 21, 22].map { wanted[$0 + 20] })
        array.destroy()
        other.destroy()
        #expect(machine.context.takeDeferredError() == nil)
    }

    @Test("boxes outside of an array, or of other sizes, are refused", arguments: Kind.allCases)
    func badArrayBoxes(_ kind: Kind) throws {
        let machine = try Machine(kind)
        let array = try machine.array(16, 8)
        let place = try machine.allocate(4096)
        let memory = MemoryBox(address: place, pitch: 64, slicePitch: 0, width: 64, height: 2, depth: 1)
        for bad in [
            box(array, (1, 0, 0), (16, 1, 1)), box(array, (0, 1, 0), (1, 8, 1)), box(array, (0, 0, 1), (1, 1, 1)),
            box(array, level: 1, (0, 0, 0), (1, 1, 1)), box(array, (1 << 60, 0, 0), (1, 1, 1)),
        ] {
            #expect(status { _ = try machine.read(bad) } == BackendStatus.invalidValue)
        }
        let smaller = box(array, (0, 0, 0), (16, 1, 1))
        #expect(status { try machine.stream.copy(fromArray: smaller, to: memory) } == BackendStatus.invalidValue)
        #expect(status { try machine.stream.copy(from: memory, toArray: smaller) } == BackendStatus.invalidValue)
        let two = box(array, (0, 0, 0), (16, 2, 1))
        #expect(status { try machine.stream.copy(fromArray: two, toArray: smaller) } == BackendStatus.invalidValue)
        let bad = ArrayShape(size: (16, 0, 8), format: 3, channelCount: 1)
        #expect(status { _ = try machine.context.makeArray(bad) } != nil)
        #expect(machine.context.fatalError == nil)
    }

    @Test("arrays larger than any piece of staging memory arrive whole, their layers apart", arguments: Kind.allCases)
    func longArrayCopies(_ kind: Kind) throws {
        let machine = try Machine(kind)
        let array = try machine.array(1500, 700, 3, flags: ArrayShape.Flags.layered)
        let values = (0..<1500 * 700 * 3).map { UInt32(truncatingIfNeeded: $0 &* 2_654_435_761) }
        try machine.write(values, to: box(array, (0, 0, 0), (1500, 700, 3)))
        #expect(try machine.read(box(array, (0, 0, 0), (1500, 700, 3))) == values)
        #expect(try machine.read(box(array, (7, 9, 2), (1, 1, 1))) == [values[1500 * 700 * 2 + 9 * 1500 + 7]])
        array.destroy()
    }

    @Test("levels of a mipmapped array are apart, and textures read one or all of them", arguments: Kind.allCases)
    func mipmaps(_ kind: Kind) throws {
        let machine = try Machine(kind)
        let array = try machine.array(32, 16, levelCount: 3)
        for level: UInt32 in 0..<3 {
            let (width, height) = (UInt64(32 >> level), UInt64(16 >> level))
            let values = (0..<width * height).map { UInt32($0) + 10_000 * (level + 1) }
            try machine.write(values, to: box(array, level: level, (0, 0, 0), (width, height, 1)))
        }
        #expect(try machine.read(box(array, level: 2, (0, 0, 0), (2, 1, 1))) == [30_000, 30_001])
        let fetch = try machine.function("fetch", of: machine.module(TestKernels.textures))
        let out = try machine.allocate(4096)
        let second = try machine.texture({ ($0.resource, $0.level) = (.array, 1) }, of: array)
        try machine.launch(fetch, grid: 2, block: 16, [second, out])
        #expect(try machine.read(32, from: out) == (0..<32).map { 20_000 + $0 })
        // A launch before the end of a texture still reads it.
        try machine.launch(fetch, grid: 1, block: 16, [second, out + 256])
        try machine.context.destroyTexture(second, isSurface: false)
        #expect(try machine.read(16, from: out + 256) == (0..<16).map { 20_000 + $0 })
        let whole = try machine.texture({ $0.resource = .mipmappedArray }, of: array)
        try machine.launch(fetch, grid: 1, block: 32, [whole, out])
        #expect(try machine.read(32, from: out) == (0..<32).map { 10_000 + $0 })
        try machine.context.destroyTexture(whole, isSurface: false)
        array.destroy()
    }

    @Test("textures read pitched memory, and only memory that is there", arguments: Kind.allCases)
    func memoryTextures(_ kind: Kind) throws {
        let machine = try Machine(kind)
        let fetch = try machine.function("fetch", of: machine.module(TestKernels.textures))
        let (place, out) = (try machine.allocate(4096), try machine.allocate(4096))
        try machine.write((0..<1024).map { $0 * 3 }, to: place)
        func describe(_ description: inout TextureDescription) {
            description.resource = .pitched
            description.address = place
            (description.width, description.height, description.pitch) = (8, 4, 512)
        }
        let texture = try machine.texture(describe)
        try machine.launch(fetch, grid: 4, block: 8, [texture, out])
        #expect(try machine.read(32, from: out) == (0..<32).map { UInt32($0 / 8 * 128 + $0 % 8) * 3 })
        try machine.context.destroyTexture(texture, isSurface: false)
        if kind == .nested {
            // The software GPU finds out when a kernel reads; a driver would make a fault of the process of it.
            let bad = status {
                _ = try machine.texture {
                    describe(&$0)
                    $0.height = 1000
                }
            }
            #expect(bad == BackendStatus.invalidValue)
            let picked = status {
                _ = try machine.context.makeTexture(TextureDescription(), array: nil, value: 32)
            }
            #expect(picked == BackendStatus.invalidValue)
        }
    }

    @Test("kernels write to arrays that were made for it through surfaces", arguments: Kind.allCases)
    func surfaces(_ kind: Kind) throws {
        let machine = try Machine(kind)
        let paint = try machine.function("paint", of: machine.module(TestKernels.textures))
        let array = try machine.array(16, 4, levelCount: 2, flags: ArrayShape.Flags.surface)
        let surface = try machine.context.makeSurface(array: array, level: 1, value: machine.picked(2))
        try machine.launch(paint, grid: 2, block: 8, [surface])
        let painted = (0..<16).map { UInt32($0 / 8 * 1000 + $0 % 8) }
        #expect(try machine.read(box(array, level: 1, (0, 0, 0), (8, 2, 1))) == painted)
        try machine.context.destroyTexture(surface, isSurface: true)
        let plain = try machine.array(8, 2)
        let refused = status {
            _ = try machine.context.makeSurface(array: plain, level: 0, value: machine.picked(3))
        }
        #expect(refused == BackendStatus.invalidValue)
        array.destroy()
        plain.destroy()
    }
}
