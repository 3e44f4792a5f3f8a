import GPUBackend
import Primitives
import Synchronization
import Transport
import WireProtocol

// SAFETY: `state` is only reached under `lock`; everything else is constant or synchronizes itself.
/// One client process at the worker: what its lanes share. It ends, with everything in it, when its last lane closes.
final class WorkerSession: @unchecked Sendable {
    struct State {
        var devices: [UInt32: SessionDevice] = [:]
        var contexts: SlotTable<WorkerContext>
        var streams: SlotTable<Owned<any BackendStream>>
        var events: SlotTable<Owned<any BackendEvent>>
        var modules: SlotTable<WorkerModule>
        var functions: SlotTable<WorkerFunction>
        var preparedFunctions: SlotTable<PreparedFunction>
        var graphs: SlotTable<WorkerGraph>
        var arrays: SlotTable<WorkerArray>
        var textures: Set<TextureName> = []
        var allocations: [UInt64: WorkerAllocation] = [:]
        var moduleArenas: [UInt32: ModuleArena] = [:]
        var reservations: [UInt64: Reservation] = [:]
        var physicals: [UInt64: WorkerPhysical] = [:]
        var mappings: [UInt64: MappedRange] = [:]
        var opened: [UInt64: OpenedMemory] = [:]
        var hostByteCount: UInt64 = 0
        var downloads: [UInt64: WorkerDownload] = [:]
        var downloadByteCount: UInt64 = 0
        /// Errors of commands outside any context.
        var deferred: CommandError?
        var isClosed = false

        init(_ limits: WorkerLimits) {
            contexts = SlotTable(slotCountMax: limits.contextCount * 4)
            streams = SlotTable(slotCountMax: limits.handleCount)
            events = SlotTable(slotCountMax: limits.handleCount)
            modules = SlotTable(slotCountMax: limits.handleCount)
            functions = SlotTable(slotCountMax: limits.handleCount)
            preparedFunctions = SlotTable(slotCountMax: limits.handleCount)
            graphs = SlotTable(slotCountMax: limits.handleCount)
            arrays = SlotTable(slotCountMax: limits.handleCount)
        }
    }

    let id: SessionID
    /// Names the session in the ledger; unlike the id, no later session has it too.
    let serial: UInt64
    let processID: UInt32
    /// UTF-8, as the client claims it.
    let processName: [UInt8]
    unowned let worker: Worker
    let lanes = LaneRegistry()
    let hostFunctions = HostFunctionQueue()
    let peers = PeerExchange()
    let printf: PrintfBuffer
    let imageBudget: ImageBudget
    let graphBudget: ImageBudget

    let lock = Lock()
    var state: State

    init(serial: UInt64, hello: ReceivedHello, worker: Worker) {
        id = hello.session
        self.serial = serial
        self.worker = worker
        processID = hello.processID
        processName = hello.processName
        printf = PrintfBuffer(limit: worker.configuration.limits.printfByteCount)
        imageBudget = ImageBudget(byteCount: worker.configuration.limits.imageByteCount)
        graphBudget = ImageBudget(byteCount: worker.configuration.limits.graphByteCount)
        state = State(worker.configuration.limits)
    }

    var limits: WorkerLimits { worker.configuration.limits }

    /// Works on the tables; must not block or call a backend that waits.
    func withState<Result>(_ body: (inout State) throws(CommandError) -> Result) throws(CommandError) -> Result {
        lock.acquire()
        defer { lock.release() }
        return try body(&state)
    }

    /// Works on the tables without errors.
    func withTables<Result>(_ body: (inout State) -> Result) -> Result {
        lock.acquire()
        defer { lock.release() }
        return body(&state)
    }

    /// Remembers an error outside any context.
    func note(_ error: CommandError) {
        lock.withLock { if state.deferred == nil { state.deferred = error } }
    }

    /// The first error outside any context since the last call.
    func takeDeferred() -> CommandError? {
        lock.withLock {
            defer { state.deferred = nil }
            return state.deferred
        }
    }

    /// Nanoseconds in which work ran.
    var busyNanoseconds: UInt64 {
        let devices = lock.withLock { Array(state.devices.values) }
        return devices.reduce(0) { $0 &+ $1.backend.busyNanoseconds }
    }

    /// Has every wait of the session end; its lanes then notice that their client is gone. Does not block.
    func cancel() {
        let devices = lock.withLock { Array(state.devices.values) }
        hostFunctions.cancel()
        peers.cancel()
        lanes.cancel()
        for device in devices { device.backend.cancel() }
    }

    /// Frees everything. Called once, by the last lane.
    func close() {
        cancel()
        let old = lock.withLock {
            defer {
                state = State(limits)
                state.isClosed = true
            }
            return state
        }
        for device in old.devices.values { device.backend.close() }
        worker.giveBackDevices(old.devices.count)
        // A context and its default stream hold each other: without this, the session's memory would stay too.
        old.contexts.forEach { _, context in context.backend.destroy() }
        for device in old.devices.values { device.destroyAddressContext() }
        worker.shared.end(serial, holding: old.heldMemory, worker)
    }
}

extension WorkerSession.State {
    /// The memory that handles and mappings hold, once for each object.
    fileprivate var heldMemory: [SharedMemory] {
        var objects: [ObjectIdentifier: SharedMemory] = [:]
        for physical in physicals.values { objects[ObjectIdentifier(physical)] = physical.memory }
        for mapping in mappings.values { objects[ObjectIdentifier(mapping.physical)] = mapping.physical.memory }
        return Array(objects.values) + opened.values.map { $0.memory } + allocations.values.compactMap { $0.shared }
    }
}

/// What backends ask of a session, without keeping it alive.
final class SessionHost: BackendHost {
    private let hostFunctions: HostFunctionQueue
    private let printf: PrintfBuffer

    init(session: WorkerSession) {
        hostFunctions = session.hostFunctions
        printf = session.printf
    }

    func runHostFunction(token: UInt64) { hostFunctions.run(token) }

    func copyToHost(
        token: UInt64, byteCount: UInt64, _ pieces: (_ send: (UnsafeRawBufferPointer) -> Bool) -> Void
    ) {
        hostFunctions.give(token, byteCount: byteCount, pieces)
    }

    func copyFromHost(token: UInt64, byteCount: UInt64) -> [UInt8]? { hostFunctions.take(token, byteCount: byteCount) }

    func print(_ text: UnsafeRawBufferPointer) { printf.append(text) }
}

/// Device `printf` output on its way to the client.
final class PrintfBuffer: Sendable {
    private let bytes = Mutex<[UInt8]>([])
    private let count = Atomic(0)
    private let limit: Int

    init(limit: Int) {
        self.limit = limit
    }

    func append(_ text: UnsafeRawBufferPointer) {
        bytes.withLock { bytes in
            bytes.append(contentsOf: text.prefix(limit - bytes.count))
            count.store(bytes.count, ordering: .releasing)
        }
    }

    /// Takes at most `limit` bytes out, oldest first.
    func take(atMost limit: Int) -> [UInt8] {
        guard count.load(ordering: .acquiring) > 0 else { return [] }
        return bytes.withLock { bytes in
            let taken = [UInt8](bytes.prefix(limit))
            bytes.removeFirst(taken.count)
            count.store(bytes.count, ordering: .releasing)
            return taken
        }
    }
}
