import Testing

@testable import PTX

@Suite("PTX body")
struct PTXBodyTests {
    private typealias F = PTXFixtures

    static let operandTable: [(String, [PTXOperand])] = [
        (
            "add.s32 %r1, %r2, -5;",
            [PTXOperand.register(F.r + 1), .register(F.r + 2), .integer(UInt64(bitPattern: -5))]
        ),
        ("mov.u32 plain, 0xffU;", [.register(F.plain), .integer(255)]),
        ("mov.u32 %r0, 1+2*3;", [.register(F.r), .integer(7)]),
        ("mov.u32 %r0, (1+2)*3;", [.register(F.r), .integer(9)]),
        ("mov.u32 %r0, ~0;", [.register(F.r), .integer(.max)]),
        ("mov.u32 %r0, WARP_SZ;", [.register(F.r), .integer(32)]),
        ("mov.u32 %r0, %tid.x;", [.register(F.r), .special(name: "tid", component: "x")]),
        ("mov.u32 %r0, %laneid;", [.register(F.r), .special(name: "laneid", component: "")]),
        ("mov.f32 %f0, 0fBF800000;", [.register(F.f), .float(0xBF80_0000)]),
        ("mov.f32 %f0, -0f3F800000;", [.register(F.f), .float(0xBF80_0000)]),
        ("mov.f32 %f0, -1.5;", [.register(F.f), .double((-1.5).bitPattern)]),
        ("mov.f32 %f0, %v.z;", [.register(F.f), .component(F.v, 2)]),
        ("mov.f32 %v.a, %f0;", [.component(F.v, 3), .register(F.f)]),
        ("mov.u64 %rd0, table+4;", [.register(F.rd), .symbol("table", offset: 4)]),
        ("mov.b64 %rd0, slot;", [.register(F.rd), .variable(0, offset: 0)]),
        ("mov.u64 %rd0, callee;", [.register(F.rd), .symbol("callee", offset: 0)]),
        ("mov.b64 {%r0, _}, %rd1;", [.vector([.register(F.r), .sink]), .register(F.rd + 1)]),
        (
            "ld.param.u64 %rd0, [kernel_param_0];",
            [
                .register(F.rd), .address(.symbol("kernel_param_0", offset: 0), offset: 0),
            ]
        ),
        ("ld.global.f32 %f0, [%rd3+-8];", [.register(F.f), .address(.register(F.rd + 3), offset: -8)]),
        ("ld.global.f32 %f0, [%rd3 - 8];", [.register(F.f), .address(.register(F.rd + 3), offset: -8)]),
        ("ld.global.u8 %r0, [table + 60];", [.register(F.r), .address(.symbol("table", offset: 0), offset: 60)]),
        ("ld.shared.u8 %r0, [16];", [.register(F.r), .address(.integer(16), offset: 0)]),
        ("st.param.b64 [slot+0], %rd0;", [.address(.variable(0, offset: 0), offset: 0), .register(F.rd)]),
        (
            "setp.eq.u32 %p0|%p1, %r0, %r1;",
            [
                .pair(.register(F.p), .register(F.p + 1)), .register(F.r), .register(F.r + 1),
            ]
        ),
        (
            "shfl.sync.bfly.b32 %r0|%p1, %r1, 1, 31, -1;",
            [
                .pair(.register(F.r), .register(F.p + 1)), .register(F.r + 1), .integer(1), .integer(31),
                .integer(.max),
            ]
        ),
        (
            "setp.eq.and.u32 %p0, %r0, %r1, !%p1;",
            [
                .register(F.p), .register(F.r), .register(F.r + 1), .negated(F.p + 1),
            ]
        ),
        (
            "tex.2d.v4.f32.f32 {%f0,%f1,%f2,%f3}, [%rd0, {%f0, %f1}];",
            [
                .vector([.register(F.f), .register(F.f + 1), .register(F.f + 2), .register(F.f + 3)]),
                .address(.list([.register(F.rd), .vector([.register(F.f), .register(F.f + 1)])]), offset: 0),
            ]
        ),
        (
            "call.uni (slot), callee, (%rd0, 5);",
            [
                .list([.variable(0, offset: 0)]), .symbol("callee", offset: 0), .list([.register(F.rd), .integer(5)]),
            ]
        ),
        ("ret;", []),
    ]

    @Test("operands of every form are read", arguments: Self.operandTable)
    func operands(_ line: String, _ expected: [PTXOperand]) throws {
        #expect(try F.instruction(line).operands == expected)
    }

    @Test("guards and modifiers are kept as written, with the place of the statement")
    func guards() throws {
        let body = try F.body("@%p1 bra.uni L;\n  @!%p2 atom.global.acq_rel.gpu.cas.b32 %r0, [%rd0], 1, 2;\nL:\nret;")
        let instructions = body.instructions
        #expect(instructions[0].predicate == .init(register: F.p + 1, isNegated: false))
        #expect(instructions[0].modifiers == ["uni"])
        #expect(instructions[0].operands == [.symbol("L", offset: 0)])
        #expect(instructions[1].predicate == .init(register: F.p + 2, isNegated: true))
        #expect(instructions[1].modifiers == ["global", "acq_rel", "gpu", "cas", "b32"])
        #expect(instructions[1].position == PTXPosition(line: instructions[0].position.line + 1, column: 3))
    }

    @Test("inner blocks redeclare registers, variables and labels")
    func scopes() throws {
        let body = try F.body(
            """
            bra L;
            { .reg .b32 %r1; .param .b64 slot; mov.b32 %r1, 1; st.param.b64 [slot], %rd0; bra L; L: mov.b32 %r2, 2; }
            { { .reg .b32 %r<2>; L: mov.b32 %r1, %r3; bra L; } bra L; }
            L: mov.b32 %r1, 3;
            """)
        #expect(body.labels == ["L$1", "L$2", "L"])
        let targets = body.instructions.filter { $0.opcode == "bra" }.map { $0.operands[0] }
        let expected: [PTXOperand] = ["L", "L$1", "L$2", "L"].map { .symbol($0, offset: 0) }
        #expect(targets == expected)
        let moves = body.instructions.filter { $0.opcode == "mov" }.map { $0.operands[0] }
        let (first, second) = (F.plain + 1, F.plain + 3)
        #expect(moves == [.register(first), .register(F.r + 2), .register(second), .register(F.r + 1)])
        #expect(body.instructions.contains { $0.operands.first == .address(.variable(1, offset: 0), offset: 0) })
        #expect(body.registers[second].name == "%r1")
    }

    @Test("a renamed label does not meet a label that has the new name")
    func renaming() throws {
        let body = try F.body("L: { L: bra L; } L$1: bra L$1;")
        #expect(Set(body.labels).count == 3)
        let targets = body.instructions.map(\.operands)
        #expect(targets == [[.symbol(body.labels[1], offset: 0)], [.symbol(body.labels[2], offset: 0)]])
    }

    @Test("prototypes and branch targets are statements of their own")
    func prototypes() throws {
        let body = try F.body(
            """
            A: B:
            targets: .branchtargets A, B;
            brx.idx %r0, targets;
            proto: .callprototype (.param .b32 _) _ (.param .align 8 .b8 _[16], .param .b64 _);
            call (slot), %rd0, (%rd1, %rd2), proto;
            """)
        #expect(body.statements.contains(.branchTargets(name: "targets", labels: ["A", "B"])))
        let prototype = body.statements.compactMap { statement -> [Int]? in
            guard case .callPrototype("proto", let returns, let parameters) = statement else { return nil }
            return (returns + parameters).map(\.byteCount)
        }
        #expect(prototype == [[4, 16, 8]])
        #expect(body.instructions[1].operands.last == .symbol("proto", offset: 0))
    }

    @Test("debug lines between statements vanish, also right behind a label and before a block")
    func debugLines() throws {
        let body = try F.body(
            """
            .loc 1 20 0
            $L__tmp0: .loc 1 21 7, function_name $L__info_string0+4, inlined_at 1 15 3
            { .reg .b32 %r1; mov.u32 %r1, 1; }
            .pragma "nounroll";
            $L__tmp1:
            .loc 1 5 5
            ret;
            """)
        #expect(body.labels == ["$L__tmp0", "$L__tmp1"])
        #expect(body.instructions.map(\.opcode) == ["mov", "ret"])
    }

    @Test(
        "registers are counted out, and names that are not in the range stay undeclared",
        arguments: [
            "%r4", "%r04", "%r-1", "%r99999999999999999999", "%rx", "%q1",
        ])
    func ranges(_ name: String) {
        let error = F.error { () throws(PTXError) in _ = try F.body("mov.u32 %r0, \(name);") }
        #expect(error != nil)
    }

    @Test("ranges whose prefix ends in a digit and vector registers are declared as written")
    func prefixes() throws {
        let body = try F.body(".reg .b32 %a1<12>; .reg .v2 .b32 %w; mov.b32 %a111, %a10; mov.b32 %w.y, 1;")
        #expect(body.instructions[0].operands == [.register(F.plain + 12), .register(F.plain + 1)])
        #expect(body.registers[F.plain + 12].name == "%a111")
        #expect(body.registers[F.plain + 13].vectorWidth == 2)
    }
}
