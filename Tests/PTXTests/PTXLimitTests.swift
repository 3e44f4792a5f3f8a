import Testing

@testable import PTX

@Suite("PTX limits")
struct PTXLimitTests {
    private func moduleError(_ items: String) -> PTXError.Code? {
        PTXFixtures.error { () throws(PTXError) in _ = try PTXFixtures.module(items) }?.code
    }

    private func bodyError(_ lines: String) -> PTXError.Code? {
        PTXFixtures.error { () throws(PTXError) in _ = try PTXFixtures.body(lines) }?.code
    }

    @Test(
        "sizes that no machine has are refused, not allocated",
        arguments: [
            ".global .b8 a[9223372036854775808];", ".global .b8 a[4294967296][4294967296];",
            ".global .b8 a[-1];", ".global .b64 a[1152921504606846975];", ".global .b8 a<100000000>;",
            ".global .align 1073741824 .b8 a;", ".global .b8 a[2][9999999] = {{1}, {2}};",
            ".global .b8 a[1][1][1][1][1][1][1][1][1];", ".entry k() .maxntid 99999999999 { }",
            ".global .b8 a[0][99999999999999];",
        ])
    func moduleSizes(_ items: String) {
        #expect(moduleError(items) == .limit)
    }

    @Test(
        "registers and variables are bounded per function",
        arguments: [
            ".reg .b32 %x<999999999>;", ".reg .b32 %x<200000>; .reg .b32 %y<200000>;", ".param .b32 x<99999999>;",
            ".local .b8 x[99999999999];",
        ])
    func bodySizes(_ lines: String) {
        #expect(bodyError(lines) == .limit)
    }

    @Test("deep nesting is refused")
    func nesting() {
        let deep = 10_000
        let blocks = String(repeating: "{", count: deep) + String(repeating: "}", count: deep)
        #expect(bodyError(blocks) == .limit)
        #expect(bodyError("mov.u32 %r0, " + String(repeating: "(", count: deep) + "1;") == .limit)
        #expect(bodyError("mov.u32 %r0, " + String(repeating: "-", count: deep) + "1;") == .limit)
        #expect(bodyError("mov.u32 %r0, " + blocks) == .limit)
        #expect(bodyError("ld.u32 %r0, " + String(repeating: "[", count: deep) + "1;") == .limit)
        #expect(moduleError(".global .u32 a = " + String(repeating: "{", count: deep) + "1;") == .limit)
    }

    @Test("long lists are refused")
    func lists() {
        let many = 5000
        #expect(bodyError("mov" + String(repeating: ".x", count: many) + " %r0, 1;") == .limit)
        #expect(bodyError("mov %r0" + String(repeating: ", 1", count: many) + ";") == .limit)
        #expect(bodyError("mov {%r0" + String(repeating: ", 1", count: many) + "};") == .limit)
        let parameters = (0..<many).map { ".param .b8 p\($0)" }.joined(separator: ", ")
        #expect(moduleError(".entry k(\(parameters)) { }") == .limit)
    }
}
