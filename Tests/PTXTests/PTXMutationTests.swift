import GPUTestKit
import Testing

@testable import PTX

@Suite("PTX mutations")
struct PTXMutationTests {
    @Test("a thousand damaged modules are parsed or refused, within bounds", arguments: 0..<4)
    func mutations(_ part: Int) throws {
        let texts = try PTXFixtures.names.map(PTXFixtures.text).filter { $0.count < 8000 }
        try #require(texts.count > 20)
        var (parsed, refused) = (0, 0)
        for seed in 0..<250 {
            var mutator = PTXMutator(seed: UInt64(part * 250 + seed))
            let text = mutator.mutate(texts[mutator.below(texts.count)])
            do throws(PTXError) {
                let module = try PTXModule(parsing: text)
                for function in module.functions where function.bodyRange != nil {
                    let body = try module.body(of: function)
                    #expect(body.registers.count <= PTXLimits.registersPerBody)
                    #expect(body.variables.count <= PTXLimits.variablesPerBody)
                    #expect(body.statements.count <= text.count)
                }
                parsed += 1
            } catch {
                #expect(error.position.line >= 1 && error.position.column >= 1, "seed \(part * 250 + seed): \(error)")
                #expect(!error.message.isEmpty && error.message.utf8.count < 300)
                refused += 1
            }
        }
        // Both must happen, or the mutations are too weak or too strong to say anything.
        #expect(parsed > 10 && refused > 10)
    }
}
