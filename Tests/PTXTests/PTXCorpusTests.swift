import Testing

@testable import PTX

@Suite("PTX corpus")
struct PTXCorpusTests {
    @Test("the corpus is there")
    func present() {
        #expect(PTXFixtures.names.count >= 30)
    }

    @Test("every function of a compiled module parses completely", arguments: PTXFixtures.names)
    func parses(_ name: String) throws {
        let module = try PTXModule(parsing: PTXFixtures.text(name))
        #expect(module.functions.contains { $0.isEntry })
        for function in module.functions where function.bodyRange != nil {
            let body = try module.body(of: function)
            #expect(Set(body.labels).count == body.labels.count)
            #expect(body.instructions.contains { $0.opcode == "ret" || $0.opcode == "trap" || $0.opcode == "bra" })
        }
    }

    @Test("kernels of the corpus have the parameters that their sources say")
    func parameters() throws {
        let saxpy = try PTXModule(parsing: PTXFixtures.text("saxpy.sm_80.ptx"))
        let kernel = try #require(saxpy.function(named: "saxpy"))
        #expect(kernel.parameterLayout.map(\.offset) == [0, 4, 8, 16])
        #expect(kernel.totalParameterBytes == 24)
        let structures = try PTXModule(parsing: PTXFixtures.text("struct_parameters.sm_80.ptx"))
        let structured = try #require(structures.function(named: "structParameters"))
        // Parameters (48 bytes), pointer, Wide (16, aligned to 16), char, Empty (1), pointer.
        #expect(structured.parameterLayout.map(\.offset) == [0, 48, 64, 80, 81, 88])
        let bounded = try PTXModule(parsing: PTXFixtures.text("dynamic_shared.sm_80.ptx"))
        #expect(bounded.function(named: "prefixSum")?.maxThreads?.x == 128)
        #expect(bounded.variables.first?.elementCount == 0)
    }
}
