import CCUDA
import CPosix
import CUDABinding
import GPUBackend
import Primitives
import Synchronization

// SAFETY: the handle never changes and may be used by any thread; what changes is behind locks.
/// A context of a driver.
final class CUDAContext: BackendContext, @unchecked Sendable {
    private struct State {
        var fatal: BackendError?
        var streams: [CUDAStream] = []
        /// Points of streams that were destroyed while they had work.
        var orphans: [CUevent] = []
        var idleEvents: [CUevent] = []
        var isDestroyed = false
    }

    let session: CUDASession
    let handle: CUcontext
    private let isHome: Bool
    /// Which life of the primary context this is a use of.
    private let generation: UInt64
    private let isFatal = Atomic(false)
    private let lock = Lock()
    private var state = State()
    /// Held while somebody asks for the state of one of the context's objects, and while one ends: to ask for one that
    /// a driver does not have any more may be the end of the process.
    private let asking = Lock()
    /// Whether the driver's context went with all its objects; only touched under `asking`.
    private var isGone = false

    var driver: CUDALibrary { session.driver }

    init(session: CUDASession, handle: CUcontext, isHome: Bool) {
        self.session = session
        self.handle = handle
        self.isHome = isHome
        generation = session.backend.homeGeneration
        state.streams = [CUDAStream(context: self, handle: CUstream(bitPattern: 1), isOwned: false)]
    }

    // MARK: - Errors

    var fatalError: BackendError? {
        guard isFatal.load(ordering: .acquiring) else { return nil }
        return lock.withLock { state.fatal }
    }

    func takeDeferredError() -> BackendError? { fatalError }

    func throwIfFatal() throws(BackendError) {
        if let fatalError { throw fatalError }
        if session.isCancelled { throw .cancelled }
    }

    /// Keeps an error after which nothing runs any more.
    func note(_ error: BackendError) {
        guard error.isContextFatal else { return }
        lock.withLock { if state.fatal == nil { state.fatal = error } }
        isFatal.store(true, ordering: .releasing)
        session.backend.noteFault()
    }

    /// Calls the driver with this context as the thread's.
    func perform<Result>(_ body: (CUDALibrary) throws(CUDAFailure) -> Result) throws(BackendError) -> Result {
        try throwIfFatal()
        do throws(CUDAFailure) {
            try driver.cuCtxSetCurrent(handle)
            return try body(driver)
        } catch {
            let error = BackendError(error)
            note(error)
            throw error
        }
    }

    /// Makes this the thread's context.
    func makeCurrent() throws(BackendError) {
        try perform { _ throws(CUDAFailure) in }
    }

    // MARK: - Waiting

    /// Asks again and again until the answer is not "not ready": a thread inside the driver could not be called back
    /// when the client goes away. Close together at first, since most waits are short.
    func wait(_ query: () -> CUresult) throws(BackendError) {
        var round = 0
        while true {
            try throwIfFatal()
            let status = query()
            if status == CUDA_SUCCESS { return }
            guard status == CUDA_ERROR_NOT_READY else {
                let error = BackendError(CUDAFailure("cuStreamQuery", status))
                note(error)
                throw error
            }
            Backoff.pause(round)
            round += 1
        }
    }

    /// Waits for all work, even of a session that ends; false when it takes too long.
    func drain(until deadline: UInt64) -> Bool {
        var round = 0
        while hasUnfinishedWork() || hasUnfinishedOrphans() {
            guard MonotonicClock.nanoseconds < deadline else { return false }
            Backoff.pause(round)
            round += 1
        }
        return true
    }

    /// Whether streams that are gone have work that is not done.
    private func hasUnfinishedOrphans() -> Bool {
        lock.withLock { state.orphans }.contains { status(of: $0) == CUDA_ERROR_NOT_READY }
    }

    /// Whether an event was reached. The answer for one that went with the context is an error.
    func status(of event: CUevent) -> CUresult {
        asking.withLock { hasObjects ? driver.query(handle, event) : CUDA_ERROR_CONTEXT_IS_DESTROYED }
    }

    /// Whether a stream's work was done; an error for a stream that is gone.
    func status(of stream: CUDAStream) -> CUresult {
        asking.withLock {
            hasObjects && !stream.isGone
                ? driver.query(handle, stream: stream.handle) : CUDA_ERROR_CONTEXT_IS_DESTROYED
        }
    }

    /// Whether the driver still has the context's objects; the caller holds `asking`.
    private var hasObjects: Bool { isHome ? isSameHome : !isGone }

    func synchronize() throws(BackendError) {
        for stream in streams() { try stream.waitForWork() }
        // Prints what kernels printed.
        try perform { driver throws(CUDAFailure) in try driver.cuCtxSynchronize() }
        session.memory.reclaim()
        session.objects.reclaim()
        session.reuseRetired()
        session.flushOutput()
    }

    // MARK: - Streams and events

    private func streams() -> [CUDAStream] { lock.withLock { state.streams } }

    var defaultStream: any BackendStream {
        lock.withLock { state.streams.first } ?? CUDAStream(context: self, handle: nil, isOwned: false)
    }

    func makeStream(flags: UInt32, priority: Int32) throws(BackendError) -> any BackendStream {
        let handle = try perform { driver throws(CUDAFailure) in
            var made: CUstream?
            try driver.cuStreamCreateWithPriority(&made, flags, priority)
            return made
        }
        let stream = CUDAStream(context: self, handle: handle, isOwned: true)
        lock.withLock { state.streams.append(stream) }
        return stream
    }

    func makeEvent(flags: UInt32) throws(BackendError) -> any BackendEvent {
        // Events between processes are made by other means.
        let handle = try perform { driver throws(CUDAFailure) in
            var made: CUevent?
            try driver.cuEventCreate(&made, flags & ~4)
            return made
        }
        guard let handle else { throw BackendError(BackendStatus.invalidHandle) }
        return CUDAEvent(context: self, handle: handle)
    }

    /// Takes a stream off; the work that it still has is remembered.
    func remove(_ stream: CUDAStream) {
        let isKnown = lock.withLock {
            guard let index = state.streams.firstIndex(where: { $0 === stream }), index > 0 else { return false }
            state.streams.remove(at: index)
            return true
        }
        guard isKnown else { return }
        if stream.hasUnfinishedWork(), let event = record(on: stream) { lock.withLock { state.orphans.append(event) } }
        asking.withLock {
            stream.isGone = true
            _ = try? perform { driver throws(CUDAFailure) in try driver.cuStreamDestroy_v2(stream.handle) }
        }
    }

    /// An event without time, recorded on a stream.
    func record(on stream: CUDAStream) -> CUevent? {
        guard let event = takeEvent() else { return nil }
        do throws(BackendError) {
            try perform { driver throws(CUDAFailure) in try driver.cuEventRecord(event, stream.handle) }
            return event
        } catch {
            giveBack(event)
            return nil
        }
    }

    /// A point on each stream that has work, and those of streams that are gone.
    func recordAll() -> [CUDAPoint] {
        let orphans = lock.withLock {
            defer { state.orphans = [] }
            return state.orphans
        }
        let recorded = streams().filter { $0.hasUnfinishedWork() }.compactMap { record(on: $0) }
        return (orphans + recorded).map { CUDAPoint(context: self, event: $0) }
    }

    func hasUnfinishedWork() -> Bool { streams().contains { $0.hasUnfinishedWork() } }

    /// An event for the backend's own use.
    func takeEvent() -> CUevent? {
        if let event = lock.withLock({ state.idleEvents.popLast() }) { return event }
        return try? perform { driver throws(CUDAFailure) in
            var made: CUevent?
            try driver.cuEventCreate(&made, CU_EVENT_DISABLE_TIMING.rawValue)
            return made
        }
    }

    func giveBack(_ event: CUevent) {
        let isKept = lock.withLock {
            if !state.isDestroyed { state.idleEvents.append(event) }
            return !state.isDestroyed
        }
        if !isKept { destroy(event) }
    }

    /// Ends an event, unless it went with the context.
    func destroy(_ event: CUevent) {
        asking.withLock { if hasObjects { _ = try? driver.cuEventDestroy_v2(event) } }
    }

    // MARK: - The end

    /// Whether the driver still has the context's objects. Those of the primary context do not end with a client's use
    /// of it, but when it is reset; then a driver may use their handles again.
    var isAlive: Bool { asking.withLock { hasObjects } }

    private var isSameHome: Bool { generation == session.backend.homeGeneration }

    func destroy() {
        // What the client frees from now on must not go while kernels use it, and nobody could tell any more.
        if !session.isCancelled { _ = drain(until: MonotonicClock.nanoseconds &+ CUDASession.closeNanoseconds) }
        let old: State? = lock.withLock {
            guard !state.isDestroyed else { return nil }
            defer {
                state.isDestroyed = true
                state.fatal = state.fatal ?? BackendError(BackendStatus.contextIsDestroyed)
                // They hold the context, and it holds them.
                state.streams = []
                state.idleEvents = []
                state.orphans = []
            }
            return state
        }
        guard let old else { return }
        isFatal.store(true, ordering: .releasing)
        session.forget(self)
        asking.withLock {
            if hasObjects {
                _ = try? driver.cuCtxSetCurrent(handle)
                for stream in old.streams.dropFirst() { _ = try? driver.cuStreamDestroy_v2(stream.handle) }
                for event in old.idleEvents + old.orphans { _ = try? driver.cuEventDestroy_v2(event) }
            }
            for stream in old.streams { stream.isGone = true }
            isGone = true
            session.backend.giveBack(handle, isHome: isHome)
        }
    }
}

/// How long to pause between two questions.
enum Backoff {
    private static let spinCount = 64
    private static let stepNanoseconds: UInt64 = 5_000
    private static let pauseNanosecondsMax: UInt64 = 100_000

    /// Pauses; `round` counts the questions so far.
    static func pause(_ round: Int) {
        guard round >= spinCount else { return }
        let nanoseconds = min(UInt64(round - spinCount + 1) * stepNanoseconds, pauseNanosecondsMax)
        posix_sleep_nanoseconds(nanoseconds)
    }
}
