public import GPUBackend
public import Logging
import Primitives
import Synchronization
public import Transport
import WireProtocol

// SAFETY: `registry` and `ledger` are only reached under their locks; the rest is constant or atomic.
/// Serves one vGPU to client processes, each connection on a thread of its own.
public final class Worker: @unchecked Sendable {
    struct Registry {
        var sessions: [SessionID: WorkerSession] = [:]
        var listeners: [Listener] = []
        /// Connections without a lane: greetings, events, monitors.
        var others: [ObjectIdentifier: Connection] = [:]
        var greetingCount = 0
        var monitorCount = 0
        var threadCount = 0
        /// Sessions without a lane whose memory is not free yet.
        var closingCount = 0
        var nextSerial: UInt64 = 1
        var isStopping = false
    }

    public let configuration: WorkerConfiguration
    let backend: any GPUBackend
    let logger: Logger
    let commandCount = Atomic<UInt64>(0)
    let launchCount = Atomic<UInt64>(0)
    /// Bytes that sessions which have ended sent to other workers.
    let pastPeerByteCount = Atomic<UInt64>(0)
    let relayedByteCount = Atomic<UInt64>(0)
    /// Commands that a client waited for.
    let waitingCount = Atomic<UInt64>(0)
    let utilization = UtilizationMeter()
    let imageCache: ImageCache?
    let shared = SharedTable()
    private let deviceCount = Atomic(0)

    let monitor = Monitor()
    private var registry = Registry()
    private let ledgerLock = Lock()
    private var ledger: VRAMLedger<UInt64>

    /// Makes a worker that serves nobody yet.
    public init(configuration: WorkerConfiguration, backend: any GPUBackend, logger: Logger) {
        self.configuration = configuration
        self.backend = backend
        self.logger = logger
        ledger = VRAMLedger(limit: configuration.vramByteCount)
        imageCache = configuration.imageCache.flatMap { ImageCache($0) }
        if let setting = configuration.imageCache, imageCache == nil {
            logger.warning(
                "module images are not kept: the folder can't be used", metadata: [LogKey.reason: "\(setting.folder)"])
        }
    }

    /// Counts one more device of a session; false when there are too many.
    func takeDevice() -> Bool {
        let isFine = deviceCount.add(1, ordering: .relaxed).newValue <= configuration.limits.deviceCount
        if !isFine { giveBackDevices(1) }
        return isFine
    }

    func giveBackDevices(_ count: Int) { deviceCount.subtract(count, ordering: .relaxed) }

    func withLedger<Result>(_ body: (inout VRAMLedger<UInt64>) -> Result) -> Result {
        ledgerLock.acquire()
        defer { ledgerLock.release() }
        return body(&ledger)
    }

    func withRegistry<Result>(_ body: (inout Registry) -> Result) -> Result {
        monitor.lock()
        defer { monitor.unlock() }
        return body(&registry)
    }

    // MARK: - Life

    /// Starts the thread that looks after abandoned sessions. Called once, before the first client.
    public func start() -> Bool {
        withRegistry { $0.threadCount += 1 }
        let thread = OSThread.start("roost-watch") { [self] in
            watch()
            threadEnded()
        }
        if thread == nil { threadEnded() }
        return thread != nil
    }

    /// Listens at an endpoint; answers the actual one, with its port.
    public func listen(_ endpoint: Endpoint) throws(TransportError) -> Endpoint {
        let listener = try Listener(endpoint, identity: configuration.identity)
        withRegistry {
            $0.listeners.append(listener)
            $0.threadCount += 1
        }
        let thread = OSThread.start("roost-listen") { [self] in
            acceptClients(of: listener)
            threadEnded()
        }
        if thread == nil {
            threadEnded()
            throw .system(12)
        }
        logger.info("listening", metadata: [LogKey.endpoint: "\(listener.endpoint)"])
        return listener.endpoint
    }

    /// Serves a connection whose greeting was not read yet, on a thread of its own.
    public func serve(_ connection: Connection) {
        let limit = configuration.limits.greetingCount
        let isWelcome = withRegistry { registry in
            guard !registry.isStopping, registry.greetingCount < limit else { return false }
            registry.greetingCount += 1
            registry.threadCount += 1
            registry.others[ObjectIdentifier(connection)] = connection
            return true
        }
        guard isWelcome else {
            connection.close()
            return
        }
        let thread = OSThread.start("roost-lane", stackByteCount: 1 << 20) { [self] in
            serveClient(connection)
            threadEnded()
        }
        if thread == nil {
            logger.warning("no thread for a client")
            connection.close()
            greetingEnded(connection)
            threadEnded()
        }
    }

    /// Closes all connections and waits, at most so long, until every session was freed; false at the end of the time.
    public func stop(withinNanoseconds limit: UInt64 = 5_000_000_000) -> Bool {
        let (listeners, others, sessions) = withRegistry { registry in
            registry.isStopping = true
            monitor.signalAll()
            return (registry.listeners, Array(registry.others.values), Array(registry.sessions.values))
        }
        for listener in listeners { listener.close() }
        for connection in others { connection.close() }
        for session in sessions {
            session.lanes.closeAll()
            session.cancel()
        }
        let deadline = MonotonicClock.nanoseconds &+ limit
        return monitor.withLock {
            while registry.threadCount > 0 {
                let now = MonotonicClock.nanoseconds
                guard now < deadline else { return false }
                monitor.wait(nanoseconds: deadline - now)
            }
            return true
        }
    }

    /// Client processes that are connected now.
    public var sessionCount: Int { withRegistry { $0.sessions.count } }

    func greetingEnded(_ connection: Connection) {
        withRegistry {
            $0.greetingCount -= 1
            $0.others[ObjectIdentifier(connection)] = nil
        }
    }

    private func threadEnded() {
        withRegistry { registry in
            registry.threadCount -= 1
            monitor.signalAll()
        }
    }

    private func acceptClients(of listener: Listener) {
        while !withRegistry({ $0.isStopping }) {
            do throws(TransportError) {
                serve(try listener.accept())
            } catch {
                guard error != .closed, !withRegistry({ $0.isStopping }) else { return }
                logger.warning("cannot accept a client", metadata: [LogKey.reason: "\(error)"])
                // Out of descriptors or memory: others must close first.
                monitor.withLock { monitor.wait(nanoseconds: 100_000_000) }
            }
        }
    }

    // MARK: - Watching

    /// Ends the sessions of clients that are gone, even if their lanes wait for work, and measures the utilization.
    private func watch() {
        while true {
            let sessions = monitor.withLock { () -> [WorkerSession]? in
                if !registry.isStopping { monitor.wait(nanoseconds: 200_000_000) }
                return registry.isStopping ? nil : Array(registry.sessions.values)
            }
            guard let sessions else { return }
            for session in sessions where session.lanes.isAbandoned { session.cancel() }
            utilization.sample(live: sessions)
        }
    }
}
