import GPUBackend
import Primitives
import SIMT
import Synchronization

// SAFETY: all mutable properties are read and written under `monitor`.
/// Executes a session's work, one operation after the other, in the order of submission: a valid order of everything
/// that CUDA's streams and events allow.
///
/// There is one right to execute. The engine's thread has it while there is work; a lane that waits takes it when
/// nobody has it, which saves a change of threads, and a lane that moves bytes directly to or from device memory
/// holds it meanwhile.
final class SoftwareEngine: @unchecked Sendable {
    private let monitor = Monitor()
    private var queue: [Operation] = []
    private var head = 0
    private var submitted: UInt64 = 0
    private var completed: UInt64 = 0
    private var hasExecutor = false
    private var isCancelled = false
    /// The smallest sequence that a thread waits for.
    private var awaited: UInt64 = .max
    private var stagedByteCount = 0
    private var busy: UInt64 = 0
    private var busySince: UInt64 = 0
    private var thread: OSThread?

    private let cancellation = Atomic(false)

    let memory: DeviceMemory
    let executor: Executor
    let host: any BackendHost

    /// Bytes of copies and launches that may wait in the queue.
    static let stagedByteCountMax = 64 << 20
    /// Operations that may wait in the queue.
    static let operationCountMax = 16_384

    init(memory: DeviceMemory, executor: Executor, host: any BackendHost) {
        self.memory = memory
        self.executor = executor
        self.host = host
    }

    /// Starts the thread; false when the system has none.
    func start() -> Bool {
        thread = OSThread.start("roost-engine") { [self] in run() }
        return thread != nil
    }

    /// Appends an operation and answers its sequence. Waits only while the queue is full.
    func submit(_ operation: Operation) throws(BackendError) -> UInt64 {
        monitor.lock()
        defer { monitor.unlock() }
        while !isCancelled,
            queue.count - head >= Self.operationCountMax
                || stagedByteCount > Self.stagedByteCountMax
        {
            park(until: submitted - UInt64(queue.count - head) / 2)
        }
        guard !isCancelled else { throw .cancelled }
        queue.append(operation)
        submitted += 1
        stagedByteCount += operation.stagedByteCount
        if !hasExecutor { monitor.signalAll() }
        return submitted
    }

    /// Runs an operation at once if nothing is queued, else appends it.
    func runOrSubmit(_ operation: Operation) throws(BackendError) -> UInt64 {
        guard let sequence = try claim(waits: false) else { return try submit(operation) }
        operation.execute(on: self)
        finishClaim()
        return sequence
    }

    /// Waits until the operation with this sequence was executed.
    func wait(for sequence: UInt64) throws(BackendError) {
        monitor.lock()
        defer { monitor.unlock() }
        try waitLocked(for: sequence)
    }

    /// Whether the operation with this sequence was executed.
    func isDone(_ sequence: UInt64) -> Bool { monitor.withLock { completed >= sequence } }

    /// Takes the right to execute after all that was submitted before, and answers the sequence that the claim counts
    /// as; nil when something runs and the caller does not wait.
    func claim(waits: Bool) throws(BackendError) -> UInt64? {
        monitor.lock()
        defer { monitor.unlock() }
        guard !isCancelled else { throw .cancelled }
        let isIdle = !hasExecutor && head == queue.count
        if !isIdle, !waits { return nil }
        submitted += 1
        let sequence = submitted
        if !isIdle {
            queue.append(.handover)
            while hasExecutor || completed + 1 < sequence {
                if !hasExecutor, isNextExecutable { executeNext() } else { park(until: sequence - 1) }
                guard !isCancelled else { throw .cancelled }
            }
            removeNext()
        }
        hasExecutor = true
        return sequence
    }

    /// Gives the right to execute back.
    func finishClaim() {
        monitor.withLock {
            completed += 1
            hasExecutor = false
            awaited = .max
            monitor.signalAll()
        }
    }

    /// Whether running kernels must stop; asked often, so without the lock.
    var isCancellationRequested: Bool { cancellation.load(ordering: .relaxed) }

    var busyNanoseconds: UInt64 {
        monitor.withLock { busy + (busySince == 0 ? 0 : MonotonicClock.nanoseconds - busySince) }
    }

    func cancel() {
        cancellation.store(true, ordering: .relaxed)
        monitor.withLock {
            isCancelled = true
            monitor.signalAll()
        }
    }

    /// Cancels and waits for the end of everything that runs.
    func close() {
        cancel()
        thread?.join()
        // The thread's body keeps the engine, and with it the session's memory, alive.
        thread = nil
        monitor.withLock {
            while hasExecutor { monitor.wait() }
            queue = []
            head = 0
        }
    }

    // MARK: - Execution

    private func run() {
        monitor.lock()
        defer { monitor.unlock() }
        while !isCancelled {
            if !hasExecutor, isNextExecutable { executeNext() } else { monitor.wait() }
        }
    }

    /// Whether there is an operation, and not one that hands the right to execute to a lane.
    private var isNextExecutable: Bool {
        guard head < queue.count else { return false }
        if case .handover = queue[head] { return false }
        return true
    }

    private func removeNext() {
        queue[head] = .handover
        head += 1
        if head == queue.count {
            queue.removeAll(keepingCapacity: true)
            head = 0
        } else if head >= 1024 {
            queue.removeFirst(head)
            head = 0
        }
    }

    /// Executes one operation without the lock; the caller holds it before and after.
    private func executeNext() {
        let operation = queue[head]
        removeNext()
        hasExecutor = true
        let isWork = operation.countsAsBusy
        if isWork { busySince = MonotonicClock.nanoseconds }
        monitor.unlock()
        operation.execute(on: self)
        monitor.lock()
        if isWork { busy += MonotonicClock.nanoseconds - busySince }
        busySince = 0
        completed += 1
        stagedByteCount -= operation.stagedByteCount
        hasExecutor = false
        if completed >= awaited {
            awaited = .max
            monitor.signalAll()
        }
    }

    private func waitLocked(for sequence: UInt64) throws(BackendError) {
        while completed < sequence {
            guard !isCancelled else { throw .cancelled }
            if !hasExecutor, isNextExecutable { executeNext() } else { park(until: sequence) }
        }
        // The engine's thread may sleep because this thread executed.
        if !hasExecutor, head < queue.count { monitor.signalAll() }
    }

    private func park(until sequence: UInt64) {
        awaited = min(awaited, sequence)
        monitor.wait()
    }
}
