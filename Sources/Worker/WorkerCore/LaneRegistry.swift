import GPUBackend
import Synchronization
import Transport

/// How far a lane has come.
final class LaneProgress: Sendable {
    let index: UInt32
    let connection: Connection
    /// The newest executed command.
    let executed = Atomic<UInt64>(0)

    init(index: UInt32, connection: Connection) {
        self.index = index
        self.connection = connection
    }
}

// SAFETY: all mutable properties are read and written under `monitor`; the counter is atomic.
/// The connections of a session.
final class LaneRegistry: @unchecked Sendable {
    private let monitor = Monitor()
    private var lanes: [UInt32: LaneProgress] = [:]
    private var isCancelled = false
    private let waiterCount = Atomic(0)

    var count: Int { monitor.withLock { lanes.count } }

    /// Adds a lane; false if its index is taken or there are too many.
    func add(_ lane: LaneProgress, limit: Int) -> Bool {
        monitor.withLock {
            guard lanes.count < limit, lanes[lane.index] == nil else { return false }
            lanes[lane.index] = lane
            return true
        }
    }

    /// Removes a lane and answers how many are left.
    func remove(_ lane: LaneProgress) -> Int {
        monitor.withLock {
            if lanes[lane.index] === lane { lanes[lane.index] = nil }
            monitor.signalAll()
            return lanes.count
        }
    }

    /// A lane has executed its command with this sequence.
    func advance(_ lane: LaneProgress, to sequence: UInt64) {
        // Either this thread sees the waiter, or the waiter sees the sequence.
        lane.executed.store(sequence, ordering: .sequentiallyConsistent)
        if waiterCount.load(ordering: .sequentiallyConsistent) > 0 { monitor.withLock { monitor.signalAll() } }
    }

    /// Waits until a lane has executed a command or is gone; false at the end of the time or of the session.
    func wait(for index: UInt32, sequence: UInt64, nanoseconds: UInt64) -> Bool {
        let deadline = MonotonicClock.nanoseconds &+ nanoseconds
        waiterCount.add(1, ordering: .sequentiallyConsistent)
        defer { waiterCount.subtract(1, ordering: .sequentiallyConsistent) }
        return monitor.withLock {
            while !isCancelled {
                guard let lane = lanes[index] else { return true }
                if lane.executed.load(ordering: .sequentiallyConsistent) >= sequence { return true }
                let now = MonotonicClock.nanoseconds
                guard now < deadline else { return false }
                monitor.wait(nanoseconds: deadline - now)
            }
            return false
        }
    }

    /// Whether the other ends of all lanes are gone.
    var isAbandoned: Bool {
        let all = monitor.withLock { Array(lanes.values) }
        return !all.isEmpty && all.allSatisfy { $0.connection.isPeerGone() }
    }

    func cancel() {
        monitor.withLock {
            isCancelled = true
            monitor.signalAll()
        }
    }

    /// Closes all connections.
    func closeAll() {
        let all = monitor.withLock { Array(lanes.values) }
        for lane in all { lane.connection.close() }
    }
}
