import Testing

@testable import PTX

@Suite("PTX errors")
struct PTXErrorTests {
    static let moduleTable: [(String, PTXError.Code, Int, Int, String)] = [
        ("", PTXError.Code.syntax, 1, 1, "'.version'"),
        (".version 8.5\n.address_size 64", .syntax, 2, 17, "'.target'"),
        (".version x", .syntax, 1, 10, "a version such as 8.5"),
        (".version 8.5\n.target sm_x", .syntax, 2, 9, "a target such as sm_80"),
        (".version 8.5 .target sm_80\n.address_size 32", .unsupported, 2, 15, "address_size 32"),
        (".version 8.5 .target sm_80\n.entry k( {", .syntax, 2, 11, "'.param' in a parameter list, found '{'"),
        (".version 8.5 .target sm_80\n.entry k() {\n ret;", .syntax, 2, 13, "'}'"),
        (".version 8.5 .target sm_80\n.global .u32 a\n.global .u32 b;", .syntax, 3, 1, "';'"),
        (".version 8.5 .target sm_80\n.global .u32 a;\n.global .u32 a;", .name, 3, 14, "declared twice"),
        (".version 8.5 .target sm_80\n.global .align 3 .u32 a;", .syntax, 2, 16, "power of two"),
        (".version 8.5 .target sm_80\n.global .u32 a[2] = {1,2,3};", .syntax, 2, 21, "at most 2 initial values"),
        (".version 8.5 .target sm_80\n.global .u32 a = 1/0;", .syntax, 2, 19, "divided by zero"),
        (".version 8.5 .target sm_80\nret;", .syntax, 2, 1, "a directive"),
        (".version 8.5 .target sm_80\n.alias a, b;", .name, 2, 8, "no function"),
    ]

    @Test("errors of a module name the place and what was expected", arguments: Self.moduleTable)
    func modules(_ text: String, _ code: PTXError.Code, _ line: Int, _ column: Int, _ message: String) {
        let error = PTXFixtures.error { () throws(PTXError) in _ = try PTXModule(parsing: Array(text.utf8)) }
        #expect(error?.code == code)
        #expect(error?.position == PTXPosition(line: line, column: column))
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "no error")")
    }

    static let bodyTable: [(String, PTXError.Code, Int, Int, String)] = [
        ("\n  add.s32 %r1, %r2, %oops;", PTXError.Code.name, 1, 21, "'%oops' is not declared"),
        ("\nbra NOWHERE;", .name, 1, 5, "nothing declares 'NOWHERE'"),
        ("\n@%r9 ret;", .name, 1, 2, "'%r9' is not a declared register"),
        ("\n@table ret;", .name, 1, 2, "not a declared register"),
        ("\nadd.s32 %r1, %r2 %r3;", .syntax, 1, 18, "',' or ';' in the operands of 'add', found '%r3'"),
        ("\nL: L: ret;", .name, 1, 4, "declared twice"),
        ("\n.reg .b32 %r<3>;", .name, 1, 11, "declared twice"),
        ("\n{ ret;", .syntax, -3, 2, "'}'"),
        ("\n} ret;", .syntax, 1, 3, "a directive"),
        ("\nvadd.s32 %r1, %r2.b0, 1;", .unsupported, 1, 18, "selector"),
        ("\nmov.f32 %f0, %f1.x;", .name, 1, 17, "no such component"),
        ("\nld.u32 %r1, [%rd1+%rd2];", .syntax, 1, 19, "offset"),
        ("\nmov.u32 %r1, 0x1FFFFFFFFFFFFFFFF;", .syntax, 1, 14, "64 bits"),
        ("\n.bogus 1;", .syntax, 1, 1, "found '.bogus'"),
        ("\n5;", .syntax, 1, 1, "found '5'"),
    ]

    @Test("errors of a body name the place in the module and what was found", arguments: Self.bodyTable)
    func bodies(_ text: String, _ code: PTXError.Code, _ line: Int, _ column: Int, _ message: String) {
        let error = PTXFixtures.error { () throws(PTXError) in _ = try PTXFixtures.body(text) }
        // Line 1 of `text` is empty; it starts on line 10 of the fixture's module.
        #expect(error?.code == code)
        #expect(error?.position == PTXPosition(line: line + 10, column: column))
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "no error")")
    }
}
