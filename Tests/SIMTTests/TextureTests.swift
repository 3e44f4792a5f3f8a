import Primitives
import Testing

@testable import SIMT

/// Textures and surfaces, against values worked out by hand.
@Suite struct TextureTests {
    private let machine: Machine
    private let out: UInt64

    init() throws {
        machine = try Machine()
        out = try machine.allocate(4096)
    }

    private static func storage(
        _ size: (UInt64, UInt64, UInt64), flags: UInt32 = 2, levels: UInt32 = 1, format: UInt32 = 32,
        channels: UInt32 = 1
    ) throws -> ArrayStorage {
        try #require(
            ArrayStorage(
                ArrayShape(
                    size: size, format: format, channelCount: channels, flags: flags,
                    levelCount: levels)))
    }

    /// Numbers from 0 up in a level, from a start.
    private static func fill(_ storage: ArrayStorage, level: Int = 0, from start: Float = 0) {
        let level = storage.level(level)
        for index in 0..<(level.width * level.height * level.depth) {
            level.start.storeBytes(of: start + Float(index), toByteOffset: index * 4, as: Float.self)
        }
    }

    private static func description(_ storage: ArrayStorage) -> TextureDescription {
        var description = TextureDescription()
        description.format = storage.shape.format
        description.channelCount = storage.shape.channelCount
        description.addressModes = (1, 1, 1)
        return description
    }

    /// Runs statements with the texture in %p1 and the results' address in %p0.
    private func run(_ body: String, _ table: TextureTable, count: Int) throws -> [Float] {
        let program = try machine.program(kernelText(2, body))
        var launch = Launch(
            kernel: try program.kernel(named: "k"), grid: Extent(1), block: Extent(1),
            parameters: Argument.pack([.u64(out), .u64(7)]))
        launch.textures = table
        let result = machine.executor.run(launch, memory: machine.memory, output: { _ in })
        try #require(result.fault == .none, "\(result.message)")
        return try machine.download(out, Float.self, count: count)
    }

    private func sample(
        _ geometry: String, _ coordinates: [Float], _ texture: Texture?, modifier: String = "", extra: String = ""
    ) throws -> Float {
        var table = TextureTable()
        table.insert(try #require(texture), 7)
        let moves = coordinates.enumerated().map { index, value in
            "mov.b32 %f\(index), 0f\(String(value.bitPattern, radix: 16, uppercase: true).padded);"
        }
        var names = coordinates.indices.map { "%f\($0)" }
        if names.count == 3 { names.append("%f3") }
        let body = """
            mov.f32 %f3, 0f00000000;
            \(moves.joined(separator: "\n"))
            tex\(modifier).\(geometry).v4.f32.f32 \
            {%f10, %f11, %f12, %f13}, [%p1, {\(names.joined(separator: ", "))}]\(extra);
            st.global.f32 [%p0], %f10;
            """
        return try run(body, table, count: 1)[0]
    }

    @Test("weights of linear filtering have steps of 1/256")
    func linear() throws {
        let storage = try Self.storage((4, 0, 0))
        Self.fill(storage)
        var description = Self.description(storage)
        description.isLinear = true
        let texture = Texture(description, storage: storage)
        #expect(try sample("1d", [2.0], texture) == 1.5)
        #expect(try sample("1d", [1.5 + 1 / 256], texture) == 1 + 1 / 256)
        #expect(try sample("1d", [1.5 + 1 / 1024], texture) == 1)
        #expect(try sample("1d", [1.5 + 3 / 1024], texture) == 1 + 1 / 256)
        #expect(try sample("1d", [0.25], texture) == 0)
        #expect(try sample("1d", [9], texture) == 3)
    }

    @Test("three dimensions, layers and faces find their texels")
    func geometries() throws {
        let volume = try Self.storage((4, 3, 2))
        Self.fill(volume)
        #expect(try sample("3d", [1.2, 2.7, 1.1], Texture(Self.description(volume), storage: volume)) == 21)
        var description = Self.description(volume)
        description.isLinear = true
        #expect(try sample("3d", [2, 1, 1], Texture(description, storage: volume)) == 9.5)

        let cube = try Self.storage((2, 2, 6), flags: 4)
        Self.fill(cube)
        let faces = Texture(Self.description(cube), storage: cube)
        // The middle of each face lies between its texels; a little up and left is its first one.
        #expect(try sample("cube", [1, 0.1, 0.1], faces) == 0)
        #expect(try sample("cube", [-1, 0.1, -0.1], faces) == 4)
        #expect(try sample("cube", [-0.1, 1, -0.1], faces) == 8)
        #expect(try sample("cube", [-0.1, -1, 0.1], faces) == 12)
        #expect(try sample("cube", [-0.1, 0.1, 1], faces) == 16)
        #expect(try sample("cube", [0.1, 0.1, -1], faces) == 20)
        #expect(try sample("cube", [-0.1, -0.1, -1], faces) == 23)
    }

    @Test("layers are chosen by number and clamped")
    func layers() throws {
        let storage = try Self.storage((4, 2, 3), flags: 1)
        Self.fill(storage)
        var table = TextureTable()
        table.insert(try #require(Texture(Self.description(storage), storage: storage)), 7)
        let answers = try run(
            """
            mov.f32 %f0, 0f40200000; mov.f32 %f1, 0f3FC00000; mov.u32 %r0, 1; mov.u32 %r1, 9;
            tex.a2d.v4.f32.f32 {%f10, %f11, %f12, %f13}, [%p1, {%r0, %f0, %f1, %f1}];
            st.global.f32 [%p0], %f10;
            tex.a2d.v4.f32.f32 {%f10, %f11, %f12, %f13}, [%p1, {%r1, %f0, %f1, %f1}];
            st.global.f32 [%p0+4], %f10;
            txq.array_size.b32 %r2, [%p1]; cvt.rn.f32.u32 %f2, %r2; st.global.f32 [%p0+8], %f2;
            txq.width.b32 %r2, [%p1]; cvt.rn.f32.u32 %f2, %r2; st.global.f32 [%p0+12], %f2;
            """, table, count: 4)
        #expect(answers == [14, 22, 3, 4])
    }

    @Test("levels are chosen, clamped and blended")
    func levels() throws {
        let storage = try Self.storage((8, 8, 0), levels: 4)
        for level in 0..<4 { Self.fill(storage, level: level, from: Float(level * 100)) }
        var description = Self.description(storage)
        description.resource = .mipmappedArray
        description.flags = TextureDescription.Flags.normalizedCoordinates
        description.maxLevel = 10
        func read(_ level: Float) throws -> Float {
            let bits = "0f" + String(level.bitPattern, radix: 16, uppercase: true).padded
            return try sample(
                "2d", [0.01, 0.01], Texture(description, storage: storage), modifier: ".level", extra: ", \(bits)")
        }
        #expect(try read(0) == 0)
        #expect(try read(1.4) == 100)
        #expect(try read(1.6) == 200)
        #expect(try read(99) == 300)
        description.isMipmapLinear = true
        #expect(try read(1.25) == 125)
        description.maxLevel = 1
        #expect(try read(99) == 100)
        description.levelBias = 0.5
        #expect(try read(0) == 50)
        // A step of four texels of the first level is two levels up.
        description.maxLevel = 10
        description.levelBias = 0
        let gradient = try sample(
            "2d", [0.01, 0.01], Texture(description, storage: storage), modifier: ".grad",
            extra: ", {0f3F000000, 0f00000000}, {0f00000000, 0f00000000}")
        #expect(gradient == 200)
    }

    @Test("four texels are gathered from the lower left against the clock")
    func gather() throws {
        let storage = try Self.storage((4, 4, 0), flags: 8)
        Self.fill(storage)
        var table = TextureTable()
        table.insert(try #require(Texture(Self.description(storage), storage: storage)), 7)
        let answers = try run(
            """
            mov.f32 %f0, 0f40000000; mov.f32 %f1, 0f40000000;
            tld4.r.2d.v4.f32.f32 {%f10, %f11, %f12, %f13}, [%p1, {%f0, %f1}];
            st.global.v4.f32 [%p0], {%f10, %f11, %f12, %f13};
            """, table, count: 4)
        #expect(answers == [9, 10, 6, 5])
    }

    @Test(
        "texels of every kind become numbers or integers",
        arguments: [
            (1, false, [51, 255], 0.2), (1, true, [51, 255], 0), (8, false, [0x80, 0], -1), (192, false, [255], 1),
            (2, false, [0xFF, 0xFF], 1), (9, false, [0x01, 0x80], -1), (16, false, [0x00, 0x3E], 1.5),
            (198, false, [0x40], 64.0 / 127),
        ] as [(UInt32, Bool, [UInt8], Float)])
    func kinds(_ format: UInt32, _ asInteger: Bool, _ bytes: [UInt8], _ expected: Float) throws {
        let storage = try Self.storage((4, 0, 0), format: format)
        bytes.withUnsafeBytes {
            storage.level(0).start.copyMemory(from: $0.baseAddress.unsafelyUnwrapped, byteCount: bytes.count)
        }
        var description = Self.description(storage)
        if asInteger { description.flags = TextureDescription.Flags.readAsInteger }
        let answer = try sample("1d", [0.5], Texture(description, storage: storage))
        if asInteger { #expect(answer.bitPattern == 51) } else { #expect(answer == expected) }
    }

    @Test("colors of sRGB become linear, and missing channels are 0, 0 and 1")
    func colors() throws {
        let storage = try Self.storage((1, 0, 0), format: 1, channels: 2)
        storage.level(0).start.storeBytes(of: 188, toByteOffset: 0, as: UInt8.self)
        var description = Self.description(storage)
        description.flags = TextureDescription.Flags.sRGB
        var table = TextureTable()
        table.insert(try #require(Texture(description, storage: storage)), 7)
        let answers = try run(
            """
            mov.f32 %f0, 0f3F000000;
            tex.1d.v4.f32.f32 {%f10, %f11, %f12, %f13}, [%p1, {%f0}];
            st.global.v4.f32 [%p0], {%f10, %f11, %f12, %f13};
            """, table, count: 4)
        #expect(abs(answers[0] - 0.5029) < 0.0001)
        #expect(Array(answers[1...]) == [0, 0, 1])
    }

    @Test("surfaces are written, read and reduced, and accesses outside do what the instruction says")
    func surfaces() throws {
        let storage = try Self.storage((8, 2, 0), format: 3)
        var table = TextureTable()
        table.insert(Surface(storage: storage, level: 0), 7)
        _ = try run(
            """
            mov.u32 %r0, 8; mov.u32 %r1, 1; mov.u32 %r2, 11; mov.u32 %r3, 22; mov.u32 %r4, 64; mov.u32 %r5, 5;
            sust.b.2d.v2.b32.trap [%p1, {%r0, %r1}], {%r2, %r3};
            sust.b.2d.b32.zero [%p1, {%r4, %r1}], %r2;
            sured.b.add.2d.u32.trap [%p1, {%r0, %r1}], %r5;
            sured.b.min.2d.s32.trap [%p1, {%r0, %r1}], %r2;
            suld.b.2d.v2.b32.trap {%r10, %r11}, [%p1, {%r0, %r1}];
            suld.b.2d.b32.zero %r12, [%p1, {%r4, %r1}];
            sust.b.2d.b32.clamp [%p1, {%r4, %r1}], %r3;
            mov.u32 %r6, 28; suld.b.2d.b32.trap %r13, [%p1, {%r6, %r1}];
            suq.width.b32 %r14, [%p1]; suq.height.b32 %r15, [%p1];
            st.global.v4.u32 [%p0], {%r10, %r11, %r12, %r13};
            st.global.v2.u32 [%p0+16], {%r14, %r15};
            """, table, count: 1)
        #expect(try machine.download(out, UInt32.self, count: 6) == [11, 22, 0, 22, 8, 2])
    }

    @Test("a surface access outside traps, and so do numbers of nothing")
    func faults() throws {
        let storage = try Self.storage((8, 2, 0), format: 3)
        var table = TextureTable()
        table.insert(Surface(storage: storage, level: 0), 7)
        let bodies = [
            "mov.u32 %r0, 32; mov.u32 %r1, 0; suld.b.2d.b32.trap %r2, [%p1, {%r0, %r1}];",
            "mov.u32 %r0, -4; mov.u32 %r1, 0; sust.b.2d.b32.trap [%p1, {%r0, %r1}], %r0;",
            "mov.u32 %r0, 2; mov.u32 %r1, 0; suld.b.2d.b32.trap %r2, [%p1, {%r0, %r1}];",
            "mov.f32 %f0, 0f00000000; tex.1d.v4.f32.f32 {%f1, %f2, %f3, %f4}, [%p1, {%f0}];",
        ]
        let faults: [FaultCode] = [.illegalAddress, .illegalAddress, .misalignedAddress, .illegalAddress]
        for (body, fault) in zip(bodies, faults) {
            let program = try machine.program(kernelText(2, body))
            var launch = Launch(
                kernel: try program.kernel(named: "k"), grid: Extent(1), block: Extent(32),
                parameters: Argument.pack([.u64(out), .u64(7)]))
            launch.textures = table
            #expect(machine.executor.run(launch, memory: machine.memory, output: { _ in }).fault == fault)
        }
    }
}

extension String {
    fileprivate var padded: String { String(repeating: "0", count: max(0, 8 - count)) + self }
}
