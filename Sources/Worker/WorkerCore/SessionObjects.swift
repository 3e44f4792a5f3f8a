import GPUBackend
import Primitives
import Synchronization
import WireProtocol

/// A context of a session, with the errors of commands whose callers did not wait.
final class WorkerContext: Sendable {
    let device: SessionDevice
    let backend: any BackendContext
    private let deferred = Mutex<CommandError?>(nil)

    init(device: SessionDevice, backend: any BackendContext) {
        self.device = device
        self.backend = backend
    }

    /// Remembers the first error of a command whose caller did not wait.
    func note(_ error: CommandError) {
        deferred.withLock { if $0 == nil { $0 = error } }
    }

    /// The first error since the last call; a fatal one again and again.
    func takeDeferred() -> CommandError? {
        if let fatal = backend.fatalError { return CommandError(fatal) }
        let noted = deferred.withLock { deferred in
            defer { deferred = nil }
            return deferred
        }
        if let noted { return noted }
        return backend.takeDeferredError().map { CommandError($0) }
    }
}

/// A device as one session uses it.
final class SessionDevice: Sendable {
    let ordinal: UInt32
    let backend: any BackendSession
    let arena: DeviceArena
    private let ownContext = Mutex<(any BackendContext)?>(nil)

    init(ordinal: UInt32, backend: any BackendSession) {
        self.ordinal = ordinal
        self.backend = backend
        arena = DeviceArena(base: backend.arena.base, byteCount: backend.arena.byteCount)
    }

    /// The context in which addresses change when the client has none for it.
    func addressContext() throws(BackendError) -> any BackendContext {
        if let known = ownContext.withLock({ $0 }) { return known }
        let made = try backend.makeContext(flags: 0)
        return ownContext.withLock { context in
            if let context { return context }
            context = made
            return made
        }
    }

    /// Gives that context up.
    func destroyAddressContext() {
        let context = ownContext.withLock { context in
            defer { context = nil }
            return context
        }
        context?.destroy()
    }
}

/// A module with what was allocated for it.
final class WorkerModule: Sendable {
    let context: WorkerContext
    let backend: any BackendModule
    /// Address and bytes.
    let places: [(address: UInt64, byteCount: UInt64)]

    init(context: WorkerContext, backend: any BackendModule, places: [(address: UInt64, byteCount: UInt64)]) {
        self.context = context
        self.backend = backend
        self.places = places
    }
}

/// An allocation of a session.
struct WorkerAllocation {
    var context: WorkerContext
    var byteCount: UInt64
    var kind: MemoryKind
    /// Set once other sessions may hold the memory.
    var shared: SharedMemory?
}

/// An object and the context that it dies with.
struct Owned<Object> {
    let context: WorkerContext
    let object: Object
}

/// What belongs to a context.
protocol ContextOwned {
    var context: WorkerContext { get }
}

extension Owned: ContextOwned {}
extension WorkerModule: ContextOwned {}
extension WorkerGraph: ContextOwned {}

extension SlotTable where Element: ContextOwned {
    /// Takes all objects of a context out.
    @discardableResult
    mutating func removeObjects(of context: WorkerContext) -> [Element] {
        var ids: [UInt64] = []
        forEach { id, element in if element.context === context { ids.append(id) } }
        return ids.compactMap { remove(id: $0) }
    }
}
