import Testing

@testable import PTX

@Suite("PTX module")
struct PTXModuleTests {
    @Test("the header gives version, target and address size")
    func header() throws {
        let module = try PTXModule(parsing: Array("// by a compiler\n.version 9.2\n.target sm_90a, debug\n\0\0".utf8))
        #expect(module.version == 92)
        #expect(module.target == 90)
        #expect(module.targetSuffix == "a")
        #expect(module.addressSize == 64)
        #expect(module.functions.isEmpty)
    }

    static let variableTable: [(String, PTXStateSpace, PTXType, Int, Int)] = [
        (".visible .global .align 16 .v4 .f32 a[3];", PTXStateSpace.global, PTXType.f32, 48, 16),
        (".const .align 8 .b8 a[10];", .const, .b8, 10, 8),
        (".shared .u64 a;", .shared, .u64, 8, 8),
        (".extern .shared .align 16 .b8 a[];", .shared, .b8, 0, 16),
        (".global .f64 a[2][3];", .global, .f64, 48, 8),
        (".weak .global .align 2 .u32 a;", .global, .u32, 4, 4),
        (".common .global .b32 a[4*2+1];", .global, .b32, 36, 4),
    ]

    @Test("variables carry space, type, size, alignment, linkage and attributes", arguments: Self.variableTable)
    func variables(_ text: String, _ space: PTXStateSpace, _ type: PTXType, _ bytes: Int, _ alignment: Int) throws {
        let variable = try #require(PTXFixtures.module(text).variables.first)
        #expect(variable.name == "a")
        #expect(variable.space == space)
        #expect(variable.type == type)
        #expect(variable.byteCount == bytes)
        #expect(variable.alignment == alignment)
    }

    @Test("managed variables, texture references and several names in one declaration are understood")
    func attributes() throws {
        let module = try PTXFixtures.module(
            ".global .attribute(.managed) .align 4 .u32 m; .global .texref t; .global .u32 a, b[2], c = 7;")
        #expect(module.variables.map(\.name) == ["m", "t", "a", "b", "c"])
        #expect(module.variables.map(\.isManaged) == [true, false, false, false, false])
        #expect(module.variables[1].reference == .texture)
        #expect(module.variables[3].elementCount == 2)
        #expect(module.variables[4].initializers == [.bits(7)])
    }

    static let initializerTable: [(String, [PTXVariable.Initializer])] = [
        (".global .b8 a[4] = {1, 0xff, -1};", [PTXVariable.Initializer.bits(1), .bits(255), .bits(255)]),
        (".global .b8 a[2][3] = {{1}, {2, 3, 4}};", [.bits(1), .bits(0), .bits(0), .bits(2), .bits(3), .bits(4)]),
        (".global .f32 a[2] = {0f3F800000, -2.0};", [.bits(0x3F80_0000), .bits(0xC000_0000)]),
        (".global .f64 a = 1.5;", [.bits((1.5).bitPattern)]),
        (".global .f32 a = 3;", [.bits(0x4040_0000)]),
        (".global .u16 a[] = {1, 2};", [.bits(1), .bits(2)]),
        (".global .u32 a = 3*(4+1) << 2;", [.bits(60)]),
        (
            ".global .u64 a[3] = {t, t+8, generic(t)+4};",
            [
                .address(symbol: "t", offset: 0, isGeneric: false), .address(symbol: "t", offset: 8, isGeneric: false),
                .address(symbol: "t", offset: 4, isGeneric: true),
            ]
        ),
    ]

    @Test("initializers hold the bits of each element", arguments: Self.initializerTable)
    func initializers(_ text: String, _ expected: [PTXVariable.Initializer]) throws {
        let variable = try #require(PTXFixtures.module(text).variables.first)
        #expect(variable.initializers == expected)
        if text.contains("[]") { #expect(variable.elementCount == 2) }
    }

    @Test("a kernel's signature, limits and body range are found")
    func kernel() throws {
        let module = try PTXFixtures.module(
            """
            .visible .entry k(
                .param .u64 .ptr .global .align 16 k_0, .param .u8 k_1, .param .align 8 .b8 k_2[20], .param .f32 k_3
            )
            .maxntid 128, 2 .minnctapersm 4 .maxnreg 64
            .pragma "used";
            {
                /* } */ ret; // }
            }
            .entry r() .reqntid 32, 4, 2 .reqnctapercluster 2 .explicitcluster { }
            """)
        let kernel = try #require(module.function(named: "k"))
        #expect(kernel.isEntry && kernel.linkage == .visible)
        #expect(kernel.parameters.map(\.name) == ["k_0", "k_1", "k_2", "k_3"])
        #expect(kernel.parameters[0].pointerSpace == .global)
        #expect(kernel.parameters[0].alignment == 8)
        #expect(kernel.parameterLayout.map(\.offset) == [0, 8, 16, 36])
        #expect(kernel.parameterLayout.map(\.byteCount) == [8, 1, 20, 4])
        #expect(kernel.totalParameterBytes == 40)
        #expect(kernel.maxThreads.map { [$0.x, $0.y, $0.z] } == [128, 2, 1])
        #expect(kernel.minBlocksPerMultiprocessor == 4)
        #expect(kernel.maxRegisters == 64)
        #expect(kernel.bodyPosition == PTXPosition(line: 9, column: 2))
        #expect(try module.body(of: kernel).instructions.map(\.opcode) == ["ret"])
        let second = try #require(module.function(named: "r"))
        #expect(second.requiredThreads.map { [$0.x, $0.y, $0.z] } == [32, 4, 2])
        #expect(second.requiredClusterBlocks.map { [$0.x, $0.y, $0.z] } == [2, 1, 1])
        #expect(second.totalParameterBytes == 0)
    }

    @Test("a definition replaces its declaration, and an alias names a function")
    func functions() throws {
        let module = try PTXFixtures.module(
            """
            .extern .func  (.param .b32 func_retval0) vprintf (.param .b64 a, .param .b64 b);
            .func later(.param .b32 x);
            .func (.reg .u32 %result) inRegister (.reg .u32 %value) { add.u32 %result, %value, 1; ret; }
            .func .attribute(.unified(1, 2)) .noreturn stop() { trap; }
            .func later(.param .b32 x) { ret; }
            .func later(.param .b32 x);
            .alias other, later;
            """)
        #expect(module.functions.map(\.name) == ["vprintf", "later", "inRegister", "stop"])
        #expect(module.functions.map { $0.bodyRange != nil } == [false, true, true, true])
        #expect(module.function(named: "other")?.name == "later")
        #expect(module.functions[0].returnParameters.map(\.byteCount) == [4])
        #expect(module.functions[3].isNoReturn)
        let body = try module.body(of: module.functions[2])
        #expect(body.registers.map(\.name) == ["%result", "%value"])
        #expect(body.instructions[0].operands == [.register(0), .register(1), .integer(1)])
        let error = PTXFixtures.error { () throws(PTXError) in _ = try module.body(of: module.functions[0]) }
        #expect(error?.code == .name)
    }

    @Test("debug sections, files, locations and pragmas at the top level are skipped")
    func skipped() throws {
        let module = try PTXFixtures.module(
            """
            .file 1 "a.cu", 123, 456
            @@DWARF .section .debug_info, "", @progbits
            .section .debug_str { $L__info_string0: .b8 1, 2 .b8 125 }
            .pragma "nounroll";
            .global .u32 a;
            .section .debug_macinfo { }
            """)
        #expect(module.variables.map(\.name) == ["a"])
    }
}
