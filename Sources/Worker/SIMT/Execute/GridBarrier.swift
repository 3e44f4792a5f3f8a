import Synchronization

/// Where the blocks of a cooperative launch meet (`cudaCGSynchronize`). Blocks that have ended count as arrived.
final class GridBarrier: Sendable {
    private struct State {
        var arrived: UInt64 = 0
        var finished: UInt64 = 0
        var generation: UInt64 = 0
    }

    private let blockCount: UInt64
    private let state = Mutex(State())
    private let generation = Atomic<UInt64>(0)

    init(blockCount: UInt64) { self.blockCount = blockCount }

    /// Counts a block and returns the generation whose end it waits for.
    func arrive() -> UInt64 {
        state.withLock { (state: inout State) in
            let current = state.generation
            state.arrived += 1
            advance(&state)
            return current
        }
    }

    /// Counts a block that has ended.
    func finish() {
        state.withLock { (state: inout State) in
            state.finished += 1
            if state.arrived > 0 { advance(&state) }
        }
    }

    func isOver(_ generation: UInt64) -> Bool { self.generation.load(ordering: .acquiring) > generation }

    private func advance(_ state: inout State) {
        guard state.arrived + state.finished >= blockCount else { return }
        state.arrived = 0
        state.generation += 1
        generation.store(state.generation, ordering: .releasing)
    }
}
