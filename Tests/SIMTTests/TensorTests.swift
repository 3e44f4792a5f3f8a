import SIMT
import Testing

@Suite("Matrices")
struct TensorTests {
    /// A matrix of small whole numbers, which every format holds.
    private static func matrix(_ rows: Int, _ columns: Int, _ seed: Int) -> [[Int]] {
        (0..<rows).map { row in (0..<columns).map { (row * 7 + $0 * 3 + seed * row * $0) % 9 - 4 } }
    }

    private static func product(_ a: [[Int]], _ b: [[Int]], _ c: [[Int]]) -> [[Int]] {
        c.indices.map { row in
            c[row].indices.map { column in
                b.indices.reduce(c[row][column]) { $0 + a[row][$1] * b[$1][column] }
            }
        }
    }

    private struct Form {
        var instruction: String
        var k: Int
        /// Elements in a register of a and b, and how one is written.
        var perRegister: Int
        var encode: @Sendable (Int) -> UInt32
        var isInteger = false
    }

    private static let forms = [
        Form(instruction: "m16n8k16.row.col.f32.f16.f16.f32", k: 16, perRegister: 2) {
            UInt32(Float16($0).bitPattern)
        },
        Form(instruction: "m16n8k8.row.col.f32.f16.f16.f32", k: 8, perRegister: 2) {
            UInt32(Float16($0).bitPattern)
        },
        Form(instruction: "m16n8k16.row.col.f32.bf16.bf16.f32", k: 16, perRegister: 2) {
            Float($0).bitPattern >> 16
        },
        Form(instruction: "m16n8k8.row.col.f32.tf32.tf32.f32", k: 8, perRegister: 1) { Float($0).bitPattern },
        Form(
            instruction: "m16n8k32.row.col.s32.s8.s8.s32", k: 32, perRegister: 4,
            encode: {
                UInt32(UInt8(truncatingIfNeeded: $0))
            }, isInteger: true),
        Form(
            instruction: "m16n8k16.row.col.satfinite.s32.s8.s8.s32", k: 16, perRegister: 4,
            encode: {
                UInt32(UInt8(truncatingIfNeeded: $0))
            }, isInteger: true),
        Form(instruction: "m16n8k32.row.col.f32.e4m3.e4m3.f32", k: 32, perRegister: 4) { byteFloats[$0 + 4].e4m3 },
        Form(instruction: "m16n8k32.row.col.f32.e5m2.e5m2.f32", k: 32, perRegister: 4) { byteFloats[$0 + 4].e5m2 },
        Form(instruction: "m16n8k16.row.col.f32.e4m3.e4m3.f32", k: 16, perRegister: 4) { byteFloats[$0 + 4].e4m3 },
    ]

    /// -4 to 4 in the two formats of 8 bits.
    private static let byteFloats: [(e4m3: UInt32, e5m2: UInt32)] = [
        (0xc8, 0xc4), (0xc4, 0xc2), (0xc0, 0xc0), (0xb8, 0xbc), (0, 0), (0x38, 0x3c), (0x40, 0x40), (0x44, 0x42),
        (0x48, 0x44),
    ]

    @Test("Every value of 8 bits is the number that its bits say, among them the smallest ones and NaN")
    func byteFloatValues() throws {
        let machine = try Machine()
        // One product with 1: row 0 of a has the value in column 0, and b has 1 in row 0.
        let text = kernelText(
            2,
            """
            mov.u32 %r0, %tid.x; mov.u32 %r5, 0; mov.f32 %f0, 0f00000000;
            setp.ne.u32 %q0, %r0, 0; cvt.u32.u64 %r3, %p1; selp.u32 %r1, 0, %r3, %q0; selp.u32 %r2, 0, 0x38, %q0;
            mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32 {%f1, %f2, %f3, %f4}, {%r1, %r5, %r5, %r5},
            {%r2, %r5}, {%f0, %f0, %f0, %f0};
            @!%q0 st.global.f32 [%p0], %f1;
            """)
        let program = try machine.program(text)
        let output = try machine.allocate(4)
        func value(_ bits: UInt64) throws -> Float {
            let result = try machine.run(program, "k", .u64(output), .u64(bits))
            #expect(result.fault == .none, "\(result.message)")
            return try machine.download(output, Float.self, count: 1)[0]
        }
        for (bits, expected) in [
            (0x01, 0.001953125), (0x07, 0.013671875), (0x08, 0.015625), (0x7e, 448), (0xfe, -448),
            (0x3a, 1.25),
        ] as [(UInt64, Float)] {
            #expect(try value(bits) == expected)
        }
        #expect(try value(0x7f).isNaN)
    }

    /// Registers of a fragment, by lane, from PTX's tables: groups of four lanes hold a row.
    private static func fragmentA(_ a: [[Int]], _ form: Form) -> [[UInt32]] {
        let part = form.perRegister
        return (0..<32).map { lane in
            (0..<(form.k / (2 * part))).map { register in
                (0..<part).reduce(0) { result, index in
                    let row = lane / 4 + (register & 1) * 8
                    let column = lane % 4 * part + index + register / 2 * 4 * part
                    return result | form.encode(a[row][column]) << UInt32(index * 32 / part)
                }
            }
        }
    }

    private static func fragmentB(_ b: [[Int]], _ form: Form) -> [[UInt32]] {
        let part = form.perRegister
        return (0..<32).map { lane in
            (0..<(form.k / (4 * part))).map { register in
                (0..<part).reduce(0) { result, index in
                    let row = lane % 4 * part + index + register * 4 * part
                    return result | form.encode(b[row][lane / 4]) << UInt32(index * 32 / part)
                }
            }
        }
    }

    @Test("mma multiplies fragments as PTX lays them out", arguments: 0..<9)
    func multiply(index: Int) throws {
        let form = Self.forms[index]
        let machine = try Machine()
        let (a, b) = (Self.matrix(16, form.k, 1), Self.matrix(form.k, 8, 2))
        let c = Self.matrix(16, 8, 3)
        let (fragmentA, fragmentB) = (Self.fragmentA(a, form), Self.fragmentB(b, form))
        let write: (Int) -> UInt32 = { form.isInteger ? UInt32(bitPattern: Int32($0)) : Float($0).bitPattern }
        let fragmentC = (0..<32).map { lane in
            (0..<4).map { write(c[lane / 4 + $0 / 2 * 8][lane % 4 * 2 + $0 % 2]) }
        }
        let (counts, letters) = ([fragmentA[0].count, fragmentB[0].count, 4], ["a", "b", "c"])
        var body = "mov.u32 %r0, %tid.x;\n.reg .b32 %a<8>; .reg .b32 %b<8>; .reg .b32 %c<8>;\n"
        for (number, letter) in letters.enumerated() {
            body += "mul.wide.u32 %d0, %r0, \(counts[number] * 4); add.s64 %d1, %p\(number), %d0;\n"
            for register in 0..<counts[number] {
                body += "ld.global.b32 %\(letter)\(register), [%d1+\(register * 4)];\n"
            }
        }
        let lists = letters.enumerated().map { number, letter in
            "{" + (0..<counts[number]).map { "%\(letter)\($0)" }.joined(separator: ", ") + "}"
        }
        body += "mma.sync.aligned.\(form.instruction) \(lists[2]), \(lists[0]), \(lists[1]), \(lists[2]);\n"
        body += "st.global.v4.b32 [%d1], \(lists[2]);"
        let output = try machine.upload(fragmentC.flatMap { $0 })
        let result = try machine.run(
            machine.program(kernelText(3, body)), "k", .u64(machine.upload(fragmentA.flatMap { $0 })),
            .u64(machine.upload(fragmentB.flatMap { $0 })), .u64(output))
        #expect(result.fault == .none, "\(result.message)")
        let found = try machine.download(output, UInt32.self, count: 128)
        let expected = Self.product(a, b, c)
        for lane in 0..<32 {
            for register in 0..<4 {
                let value = expected[lane / 4 + register / 2 * 8][lane % 4 * 2 + register % 2]
                #expect(found[lane * 4 + register] == write(value), "\(form.instruction) lane \(lane)")
            }
        }
    }

    @Test("ldmatrix deals rows of 16 bytes to groups of four lanes, also transposed", arguments: ["", ".trans"])
    func loadMatrix(form: String) throws {
        let machine = try Machine()
        let text = kernelText(
            2,
            """
            mov.u32 %r0, %tid.x; mul.wide.u32 %d0, %r0, 16; add.s64 %d1, %p1, %d0; mov.u32 %r1, tile;
            mad.lo.u32 %r2, %r0, 16, %r1; ld.global.v4.b32 {%r4, %r5, %r6, %r7}, [%d1];
            st.shared.v4.b32 [%r2], {%r4, %r5, %r6, %r7}; bar.warp.sync -1;
            ldmatrix.sync.aligned.m8n8.x4\(form).shared.b16 {%r4, %r5, %r6, %r7}, [%r2];
            add.s64 %d2, %p0, %d0; st.global.v4.b32 [%d2], {%r4, %r5, %r6, %r7};
            """, declarations: ".shared .align 16 .b8 tile[512];")
        let values = (0..<256).map { UInt16($0) }
        let output = try machine.allocate(512)
        let result = try machine.run(machine.program(text), "k", .u64(output), .u64(machine.upload(values)))
        #expect(result.fault == .none, "\(result.message)")
        let found = try machine.download(output, UInt16.self, count: 256)
        for lane in 0..<32 {
            for register in 0..<4 {
                for half in 0..<2 {
                    let (row, column) = (lane / 4, lane % 4 * 2 + half)
                    let place = form.isEmpty ? row * 8 + column : column * 8 + row
                    #expect(found[lane * 8 + register * 2 + half] == values[register * 64 + place])
                }
            }
        }
    }

    @Test("wmma loads, multiplies and stores whole matrices", arguments: ["row", "col"], ["row", "col"])
    func fragments(layoutA: String, layoutB: String) throws {
        let machine = try Machine()
        let (a, b) = (Self.matrix(16, 16, 1), Self.matrix(16, 16, 2))
        let c = [[Int]](repeating: [Int](repeating: 3, count: 16), count: 16)
        func pack(_ matrix: [[Int]], _ layout: String) -> [UInt16] {
            (0..<256).map { place in
                let (major, minor) = (place / 16, place % 16)
                return Float16(layout == "row" ? matrix[major][minor] : matrix[minor][major]).bitPattern
            }
        }
        func list(_ letter: String) -> String { "{" + (0..<8).map { "%\(letter)\($0)" }.joined(separator: ", ") + "}" }
        let threes = "{" + [String](repeating: "%f0", count: 8).joined(separator: ", ") + "}"
        let text = kernelText(
            3,
            """
            .reg .b32 %a<8>; .reg .b32 %b<8>; .reg .f32 %c<8>; mov.f32 %f0, 0f40400000; mov.u32 %r0, 16;
            wmma.load.a.sync.aligned.\(layoutA).m16n16k16.global.f16 \(list("a")), [%p1], %r0;
            wmma.load.b.sync.aligned.\(layoutB).m16n16k16.global.f16 \(list("b")), [%p2], %r0;
            wmma.mma.sync.aligned.\(layoutA).\(layoutB).m16n16k16.f32.f32 \(list("c")), \(list("a")), \(list("b")),
            \(threes);
            wmma.store.d.sync.aligned.row.m16n16k16.global.f32 [%p0], \(list("c")), %r0;
            """)
        let output = try machine.allocate(1024)
        let result = try machine.run(
            machine.program(text), "k", .u64(output), .u64(machine.upload(pack(a, layoutA))),
            .u64(machine.upload(pack(b, layoutB))))
        #expect(result.fault == .none, "\(result.message)")
        let expected = Self.product(a, b, c).flatMap { $0 }.map { Float($0) }
        #expect(try machine.download(output, Float.self, count: 256) == expected)
    }
}
