import Simulation
import Testing

@Suite("Simulated fleets")
struct SimulationTests {
    /// Some seeds in every run of the tests; `simulate --seeds 1000` runs more, and CI does.
    @Test("A fleet comes to rest with all promises kept, whatever fails", arguments: UInt64(1)...8)
    func seeds(_ seed: UInt64) throws {
        let outcome = try Simulation(seed: seed).run()
        #expect(outcome.operationCount > 10)
    }

    @Test(
        "Seeds that once failed",
        arguments: [7, 8, 18, 27, 30, 84, 101, 136, 188, 196, 264, 313, 333, 478, 511, 804] as [UInt64])
    func formerFailures(_ seed: UInt64) throws {
        _ = try Simulation(seed: seed).run()
    }

    @Test("A seed decides everything")
    func determinism() throws {
        #expect(try Simulation(seed: 3).run() == Simulation(seed: 3).run())
    }
}
