import GPUBackend

extension Worker {
    /// Waits, at most so long, until the memory of other clients that have ended is free again; false if there was
    /// nothing to wait for.
    ///
    /// A process's memory is free once the process is gone, says CUDA. The kernel has closed the process's
    /// connections by then, but their threads here may not have come to it.
    func reclaimAbandoned(for asker: WorkerSession, withinNanoseconds limit: UInt64 = 2_000_000_000) -> Bool {
        var hasWaited = false
        let deadline = MonotonicClock.nanoseconds &+ limit
        while true {
            let (others, isClosing) = withRegistry { registry in
                (registry.sessions.values.filter { $0 !== asker }, registry.closingCount > 0)
            }
            let abandoned = others.filter { $0.lanes.isAbandoned }
            let now = MonotonicClock.nanoseconds
            guard isClosing || !abandoned.isEmpty, now < deadline else { return hasWaited }
            hasWaited = true
            for session in abandoned { session.cancel() }
            monitor.withLock {
                // A session that ended since wakes nobody any more, so look again soon.
                monitor.wait(nanoseconds: min(deadline - now, 1_000_000))
            }
        }
    }
}
