import GPUBackend
import Synchronization

/// How busy the vGPU was in the last second.
final class UtilizationMeter: Sendable {
    private struct State {
        /// Work of sessions that have ended, in nanoseconds.
        var retired: UInt64 = 0
        /// Time and work so far, oldest first, both in nanoseconds.
        var samples: [(time: UInt64, busy: UInt64)] = []
    }

    private let state = Mutex(State())

    /// A session has ended.
    func retire(busyNanoseconds: UInt64) { state.withLock { $0.retired &+= busyNanoseconds } }

    /// Notes the work so far.
    func sample(live sessions: [WorkerSession]) {
        let now = MonotonicClock.nanoseconds
        let live = sessions.reduce(UInt64(0)) { $0 &+ $1.busyNanoseconds }
        state.withLock { state in
            // A session between its end and its retirement would count as idle work: never let the sum fall.
            let busy = max(state.samples.last?.busy ?? 0, live &+ state.retired)
            if let last = state.samples.last, now &- last.time < 50_000_000 { return }
            state.samples.append((now, busy))
            while let second = state.samples.dropFirst().first, now &- second.time >= 1_000_000_000 {
                state.samples.removeFirst()
            }
        }
    }

    /// Percent of the last second.
    var percent: UInt32 {
        state.withLock { state in
            guard let first = state.samples.first, let last = state.samples.last, last.time > first.time else {
                return 0
            }
            let share = Double(last.busy &- first.busy) / Double(last.time &- first.time)
            return UInt32(min(100, max(0, (share * 100).rounded())))
        }
    }
}
