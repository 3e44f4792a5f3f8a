import APIModel
import Testing

@testable import GeneratorCore

struct WireHashTests {
    private func hash(_ change: (inout APIDescription) -> Void) throws -> UInt64 {
        var api = try Fixtures.toy()
        change(&api)
        return WireHash(WireCommands(api).all).value
    }

    @Test("What travels changes the fingerprint, what does not leaves it alone")
    func sensitivity() throws {
        let original = try hash { _ in }
        #expect(try hash { $0.wire[0].doc = "Waits longer." } == original)
        #expect(try hash { $0.cuda.functions[0].call = .custom } == original)
        #expect(try hash { $0.wire[2].fields[0].type = .u64 } != original)
        #expect(try hash { $0.wire[0].id = 9 } != original)
        #expect(try hash { $0.cuda.functions[2].call = .unsupported } != original)
    }
}
