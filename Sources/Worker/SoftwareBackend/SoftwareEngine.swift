import GPUBackend
import Primitives
import SIMT
import Synchronization

/// Executes a session's work, one operation after the other, in the order of submission: a valid order of everything
/// that CUDA's streams and events allow.
///
/// There is one right to execute. The engine's thread has it while there is work; a lane that waits takes it when
/// nobody has it, which saves a change of threads, and a lane that moves bytes directly to or from device memory
/// holds it meanwhile.
///
/// Only a stream that waits for a value in memory leaves that order: its work, and what must come after it, is set
/// aside (``WaitingWork``) until the value is there, and everybody else's goes on.
// SAFETY: all mutable properties are read and written under `monitor`.
final class SoftwareEngine: @unchecked Sendable {
    private let monitor = Monitor()
    private var queue: [QueuedOperation] = []
    private var head = 0
    private var submitted: UInt64 = 0
    private var completed: UInt64 = 0
    /// Work that was set aside; it counts in `completed`.
    private var waiting = WaitingWork()
    /// Waits for values and for other streams that were submitted and are not over.
    private var waitCount = 0
    /// Whether something happened since `waiting` was looked at.
    private var mayBeReady = false
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
    let guests = MemoryGuests()
    let executor: Executor
    let host: any BackendHost

    /// Bytes of copies and launches that may wait in the queue.
    static let stagedByteCountMax = 64 << 20
    /// Operations that may wait in the queue.
    static let operationCountMax = 16_384
    /// How often memory is looked at that streams wait for; other processes write to it too.
    private static let pollNanoseconds: UInt64 = 200_000

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

    /// Appends an operation and answers its sequence. Waits only while the queue is full. Work without a stream follows
    /// all work of its context.
    func submit(_ operation: Operation, on stream: SoftwareStream? = nil) throws(BackendError) -> UInt64 {
        monitor.lock()
        defer { monitor.unlock() }
        return try append(operation, stream)
    }

    /// Runs an operation at once if nothing is queued, else appends it.
    func runOrSubmit(_ operation: Operation, on stream: SoftwareStream? = nil) throws(BackendError) -> UInt64 {
        guard let sequence = try claim(waits: false) else { return try submit(operation, on: stream) }
        operation.execute(on: self)
        finishClaim()
        return sequence
    }

    /// Waits until the operation with this sequence was executed.
    func wait(for sequence: UInt64) throws(BackendError) {
        monitor.lock()
        defer { monitor.unlock() }
        try waitLocked { isDoneLocked(sequence) ? nil : sequence }
    }

    /// Waits until a context's operations up to this sequence were executed.
    func wait(for sequence: UInt64, allOf context: SoftwareContext) throws(BackendError) {
        monitor.lock()
        defer { monitor.unlock() }
        try waitLocked {
            completed >= sequence && !waiting.hasWork(of: context, through: sequence) ? nil : sequence
        }
    }

    /// Waits for all that new work of the stream would come after, if streams may be out of order.
    func waitForWaits(of stream: SoftwareStream) throws(BackendError) {
        monitor.lock()
        defer { monitor.unlock() }
        guard waitCount > 0 else { return }
        let sequence = try append(.marker, stream)
        try waitLocked { isDoneLocked(sequence) ? nil : sequence }
    }

    /// Whether the operation with this sequence was executed.
    func isDone(_ sequence: UInt64) -> Bool { monitor.withLock { isDoneLocked(sequence) } }

    /// Whether streams may be out of order now.
    var hasWaits: Bool { monitor.withLock { waitCount > 0 } }

    /// Takes the right to execute after all that was submitted before, and answers the sequence that the claim counts
    /// as; nil when something runs and the caller does not wait.
    func claim(on stream: SoftwareStream? = nil, waits: Bool) throws(BackendError) -> UInt64? {
        if waits, let stream { try waitForWaits(of: stream) }
        monitor.lock()
        defer { monitor.unlock() }
        guard !isCancelled else { throw .cancelled }
        let isIdle = !hasExecutor && head == queue.count
        if !waits, !isIdle || waitCount > 0 { return nil }
        submitted += 1
        let sequence = submitted
        if !isIdle {
            queue.append(QueuedOperation(sequence: sequence, operation: .handover, stream: nil))
            while hasExecutor || completed + 1 < sequence {
                if !executeNext() { park(until: sequence - 1) }
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
            mayBeReady = true
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
            waiting = WaitingWork()
        }
    }

    // MARK: - Execution

    private func run() {
        monitor.lock()
        defer { monitor.unlock() }
        while !isCancelled {
            if executeNext() { continue }
            if waiting.isEmpty {
                monitor.wait()
            } else {
                monitor.wait(nanoseconds: Self.pollNanoseconds)
                mayBeReady = true
            }
        }
    }

    private func append(_ operation: Operation, _ stream: SoftwareStream?) throws(BackendError) -> UInt64 {
        while !isCancelled,
            queue.count - head + waiting.count >= Self.operationCountMax
                || stagedByteCount > Self.stagedByteCountMax
        {
            park(until: submitted - UInt64(queue.count - head) / 2)
        }
        guard !isCancelled else { throw .cancelled }
        submitted += 1
        queue.append(QueuedOperation(sequence: submitted, operation: operation, stream: stream))
        stagedByteCount += operation.stagedByteCount
        if operation.canWait { waitCount += 1 }
        if !hasExecutor { monitor.signalAll() }
        return submitted
    }

    private func isDoneLocked(_ sequence: UInt64) -> Bool {
        completed >= sequence && !waiting.contains(sequence)
    }

    /// Whether an operation need not wait any longer. Nothing executes meanwhile.
    private func isReady(_ operation: Operation) -> Bool {
        switch operation {
        case .waitValue(let context, let condition):
            context.fatalError != nil || condition.holds(in: memory)
        case .after(let context, let sequence):
            context.fatalError != nil || isDoneLocked(sequence)
        default: true
        }
    }

    private func removeNext() {
        queue[head] = QueuedOperation(sequence: 0, operation: .handover, stream: nil)
        head += 1
        if head == queue.count {
            queue.removeAll(keepingCapacity: true)
            head = 0
        } else if head >= 1024 {
            queue.removeFirst(head)
            head = 0
        }
    }

    /// What can be executed now; sets aside what has to wait. Nil too when the queue's next is a lane's.
    private func takeNext() -> (entry: QueuedOperation, hasWaited: Bool)? {
        if !waiting.isEmpty, mayBeReady {
            if let entry = waiting.firstReady(isReady) { return (entry, true) }
            mayBeReady = false
        }
        while head < queue.count {
            let entry = queue[head]
            if case .handover = entry.operation { return nil }
            if waiting.isEmpty, !entry.operation.canWait {
                removeNext()
                return (entry, false)
            }
            if !waiting.mustPrecede(entry), isReady(entry.operation) {
                removeNext()
                return (entry, false)
            }
            // Memory can't become live again before its last use.
            guard entry.operation.canBeSetAside else { return nil }
            removeNext()
            waiting.append(entry)
            completed += 1
            wakeAwaiting()
        }
        return nil
    }

    /// Executes one operation, without the lock meanwhile; the caller holds it before and after. False if there is
    /// none, or somebody else executes.
    private func executeNext() -> Bool {
        guard !hasExecutor, let (entry, hasWaited) = takeNext() else { return false }
        let operation = entry.operation
        hasExecutor = true
        let isWork = operation.countsAsBusy
        if isWork { busySince = MonotonicClock.nanoseconds }
        monitor.unlock()
        operation.execute(on: self)
        monitor.lock()
        if isWork { busy += MonotonicClock.nanoseconds - busySince }
        busySince = 0
        stagedByteCount -= operation.stagedByteCount
        if operation.canWait { waitCount -= 1 }
        hasExecutor = false
        mayBeReady = true
        if hasWaited {
            waiting.remove(entry.sequence)
            monitor.signalAll()
        } else {
            completed += 1
            wakeAwaiting()
        }
        return true
    }

    private func wakeAwaiting() {
        guard completed >= awaited else { return }
        awaited = .max
        monitor.signalAll()
    }

    /// Executes or sleeps until `pending` answers nil instead of the sequence that is waited for.
    private func waitLocked(_ pending: () -> UInt64?) throws(BackendError) {
        while let sequence = pending() {
            guard !isCancelled else { throw .cancelled }
            if !executeNext() { park(until: sequence) }
        }
        // The engine's thread may sleep because this thread executed.
        if !hasExecutor, head < queue.count || !waiting.isEmpty { monitor.signalAll() }
    }

    private func park(until sequence: UInt64) {
        awaited = min(awaited, sequence)
        monitor.wait()
    }
}
