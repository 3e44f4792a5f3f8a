import GPUBackend
import SIMT
import Synchronization

/// A context of the software GPU.
final class SoftwareContext: BackendContext {
    private struct State {
        var fatal: BackendError?
        var deferred: BackendError?
        var lastSequence: UInt64 = 0
    }

    let session: SoftwareSession
    private let state = Mutex(State())
    private let isFatal = Atomic(false)
    private let stream0 = Mutex<SoftwareStream?>(nil)

    var engine: SoftwareEngine { session.engine }

    init(session: SoftwareSession) {
        self.session = session
    }

    var fatalError: BackendError? {
        guard isFatal.load(ordering: .acquiring) else { return nil }
        return state.withLock { $0.fatal }
    }

    func takeDeferredError() -> BackendError? {
        state.withLock { state in
            if let fatal = state.fatal { return fatal }
            defer { state.deferred = nil }
            return state.deferred
        }
    }

    var defaultStream: any BackendStream {
        stream0.withLock { stream in
            if let stream { return stream }
            let made = SoftwareStream(context: self, isDefault: true)
            stream = made
            return made
        }
    }

    func makeStream(flags: UInt32, priority: Int32) throws(BackendError) -> any BackendStream {
        guard flags & ~1 == 0 else { throw BackendError(BackendStatus.invalidValue) }
        return SoftwareStream(context: self, isOrderedWithDefault: flags & 1 == 0)
    }

    func makeEvent(flags: UInt32) throws(BackendError) -> any BackendEvent {
        guard flags & ~7 == 0 else { throw BackendError(BackendStatus.invalidValue) }
        return SoftwareEvent(context: self, hasTime: flags & 2 == 0)
    }

    func synchronize() throws(BackendError) {
        try session.engine.wait(for: state.withLock { $0.lastSequence }, allOf: self)
        try throwIfFatal()
    }

    func destroy() {
        stream0.withLock { $0 = nil }
    }

    // MARK: - For streams, events and operations

    /// Remembers the context's newest work.
    func note(_ sequence: UInt64) {
        state.withLock { $0.lastSequence = max($0.lastSequence, sequence) }
    }

    func throwIfFatal() throws(BackendError) {
        if let fatalError { throw fatalError }
    }

    func wait(for sequence: UInt64) throws(BackendError) {
        try engine.wait(for: sequence)
        try throwIfFatal()
    }

    /// Runs work, unless the context is lost, and remembers its error.
    func perform(_ body: () throws(BackendError) -> Void) {
        guard !isFatal.load(ordering: .acquiring) else { return }
        report(body)
    }

    /// Runs work on the caller's thread; an error that ends the context stays on it.
    func performNow(_ body: () throws(BackendError) -> Void) throws(BackendError) {
        do throws(BackendError) {
            try body()
        } catch {
            if error.isContextFatal { report { () throws(BackendError) in throw error } }
            throw error
        }
    }

    /// Runs work even in a lost context and remembers its error.
    func report(_ body: () throws(BackendError) -> Void) {
        do throws(BackendError) {
            try body()
        } catch {
            state.withLock { state in
                if error.isContextFatal {
                    if state.fatal == nil { state.fatal = error }
                } else if state.deferred == nil {
                    state.deferred = error
                }
            }
            if error.isContextFatal { isFatal.store(true, ordering: .releasing) }
        }
    }
}
