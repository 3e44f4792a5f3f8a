import APIModel
import GeneratorCore
import Testing

struct ValidateTests {
    private func problems(_ change: (inout APIDescription) -> Void) throws -> [String] {
        var api = try Fixtures.toy()
        change(&api)
        return Validate(api).problems().map(\.description)
    }

    @Test("The toy API and the real one are accepted")
    func accepted() throws {
        #expect(try problems { _ in } == [])
        #expect(Validate(try Fixtures.real()).problems() == [])
    }

    @Test("An async function with an output is refused")
    func asyncOutput() throws {
        #expect(
            try problems { $0.cuda.functions[2].call = .async }
                == [
                    "cuStreamGetUse: in is an output of an async function",
                    "cuStreamGetUse: milliseconds is an output of an async function",
                ])
    }

    @Test("A created handle is no output")
    func createdHandle() throws {
        #expect(
            try problems { $0.cuda.functions[1].returnsHandle = nil }
                == ["cuStreamCreate: phStream is an output of an async function"])
    }

    @Test("Ids and names are there once")
    func duplicates() throws {
        #expect(try problems { $0.cuda.functions[0].id = 6 } == ["cuda.json: id 6 is there twice"])
        #expect(
            try problems { $0.nvml.functions[0].name = "nvmlErrorString" } == [
                "nvml.json: name nvmlErrorString is there twice"
            ])
        #expect(try problems { $0.wire[1].id = 1 }.contains("wire.json: id 1 is there twice"))
    }

    @Test("An unknown type is refused")
    func unknownType() throws {
        #expect(
            try problems { $0.cuda.functions[0].parameters[0].type = "CUnothing *" }
                == ["cuInit: unknown type CUnothing * of Flags"])
    }

    @Test("A pointer to inputs needs a length")
    func missingLength() throws {
        #expect(
            try problems { $0.cuda.functions[2].parameters[1].type = "const CUmode *" }
                == ["cuStreamGetUse: mode is a pointer without a length"])
    }

    @Test("sameAs needs the same signature")
    func sameAs() throws {
        #expect(
            try problems { $0.cuda.functions[0].sameAs = "cuStreamCreate" }
                == ["cuInit: sameAs cuStreamCreate has another signature"])
    }

    @Test("An unsupported function says why")
    func reason() throws {
        #expect(try problems { $0.cuda.functions[5].reason = nil } == ["cuStreamCopy_v2: unsupported without a reason"])
    }

    @Test("A wire command keeps to the frame's rules")
    func wire() throws {
        #expect(
            try problems { $0.wire[1].fields.removeFirst() } == ["moduleLoad: a bulk command begins with bulkByteCount"]
        )
        #expect(try problems { $0.wire[2].fields.reverse() } == ["launch: bytes must be the last field"])
        #expect(
            try problems { $0.wire[2].outputs = [WireField(name: "x", type: .u8)] } == [
                "launch: an async command has outputs"
            ])
    }
}
