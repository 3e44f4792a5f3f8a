import Glibc
public import Logging
public import NodeModel
import Synchronization

/// What a node agent is told when it starts.
public struct AgentSetting: Sendable {
    /// Where it keeps its files.
    public var directory: StateDirectory
    /// The devices that it shares out.
    public var devices: [Device]
    /// The worker's program.
    public var workerExecutable: String
    /// The environment that workers inherit.
    public var environment: [String: String]
    /// The certificate that workers show to other machines; nil where they serve without encryption.
    public var identity: TLSIdentityFiles?
    /// How long a worker may take until it serves.
    public var startTimeout: Duration = .seconds(30)
    /// Asks a worker what it does; nil where it does not answer.
    public var measure: Measure = WorkerMonitor.measure
    /// The time, in seconds since 1970.
    public var clock: @Sendable () -> Int64 = { Int64(time(nil)) }

    /// Asks the worker at a Unix socket with its secret, and waits until then for the answer.
    public typealias Measure =
        @Sendable (
            _ socketPath: String, _ token: String, _ deadline: ContinuousClock.Instant
        ) -> VirtualGPUMeasurement?

    /// Describes an agent.
    public init(
        directory: StateDirectory, devices: [Device], workerExecutable: String, environment: [String: String]
    ) {
        self.directory = directory
        self.devices = devices
        self.workerExecutable = workerExecutable
        self.environment = environment
    }
}

/// Who is told about a lease.
protocol LeaseObserver: AnyObject, Sendable {
    /// Called on the agent's thread; must not block for long.
    func deliver(_ reply: ControlReply)
}

/// Hands what a lease is told to a closure.
private final class CallbackObserver: LeaseObserver {
    private let onReply: @Sendable (ControlReply) -> Void

    init(_ onReply: @escaping @Sendable (ControlReply) -> Void) {
        self.onReply = onReply
    }

    func deliver(_ reply: ControlReply) { onReply(reply) }
}

/// Carries out what ``NodeState`` decides: one thread takes events in order and performs their actions.
public final class NodeAgent: Sendable {
    private let setting: AgentSetting
    private let log: Logger
    private let description: DaemonDescription
    private let events = Mailbox<NodeEvent>()
    private let state: Mutex<NodeState>
    private let holdings = Mutex(Holdings())

    /// What belongs to leases and vGPUs but is no matter of decisions.
    private struct Holdings {
        var lastLease: UInt64 = 0
        var observers: [LeaseID: any LeaseObserver] = [:]
        /// Kept until the last vGPU of a lease is gone, for its measurements.
        var tokens: [LeaseID: String] = [:]
        var workers: [VirtualGPUID: WorkerProcess] = [:]
        var keptLogs: [VirtualGPUID] = []
        /// Whom to tell when all workers of a lease are gone.
        var leaving: [LeaseID: @Sendable () -> Void] = [:]
        /// Those of them whose giving back was seen; before that, a lease may not even have begun.
        var left: Set<LeaseID> = []
        var onMembershipChange: (@Sendable () -> Void)?
        /// The identity that a pool gave the node.
        var poolIdentity: TLSIdentityFiles?
    }

    /// The most logs of workers that are gone.
    private static let keptLogCountMax = 64

    /// Makes an agent without any vGPUs. Its state directory is prepared and locked.
    public init(_ setting: AgentSetting, version: String, log: Logger) {
        self.setting = setting
        self.log = log
        state = Mutex(NodeState(devices: setting.devices))
        description = DaemonDescription(
            version: version, processID: getpid(), stateDirectory: setting.directory.path,
            startedAt: setting.clock())
    }

    /// Takes in events and acts on them until the agent was shut down and all workers are gone.
    public func run() {
        var random = SystemRandomNumberGenerator()
        while let event = events.take() {
            let now = setting.clock()
            let (actions, isLoss) = state.withLock { state in
                let isLoss = state.isLoss(event)
                return (state.handle(event, now: now, random: &random), isLoss)
            }
            note(event, isLoss: isLoss)
            for action in actions {
                if action == .finish { return }
                perform(action)
            }
            if case .clientGone(let lease) = event { holdings.withLock { _ = $0.left.insert(lease) } }
            tellGone()
        }
    }

    /// Tells those whose leases were given back and have no worker left.
    private func tellGone() {
        let isNeeded = holdings.withLock { holdings in
            if holdings.leaving.isEmpty { holdings.left = [] }
            return !holdings.leaving.isEmpty
        }
        guard isNeeded else { return }
        let held = state.withLock { state in
            Set(state.vgpus.values.map(\.lease)).union(state.leases.keys)
        }
        let gone = holdings.withLock { holdings in
            let gone = holdings.leaving.filter { holdings.left.contains($0.key) && !held.contains($0.key) }
            for lease in gone.keys {
                holdings.leaving[lease] = nil
                holdings.left.remove(lease)
            }
            return gone
        }
        for tell in gone.values { tell() }
    }

    /// Ends all workers; ``run()`` returns when they are gone.
    public func shutDown() {
        events.put(.shutDownRequested)
    }

    /// Who this is.
    func describe() -> DaemonDescription { description }

    /// Asks for vGPUs; the observer is told what comes of it.
    func acquire(_ request: GPURequest, clientProcessID: pid_t, observer: any LeaseObserver) -> LeaseID {
        let lease = holdings.withLock { holdings in
            holdings.lastLease += 1
            let lease = LeaseID(rawValue: holdings.lastLease)
            holdings.observers[lease] = observer
            return lease
        }
        events.put(.requested(lease, request, clientProcessID: clientProcessID))
        return lease
    }

    /// Gives vGPUs back.
    public func release(_ lease: LeaseID) {
        events.put(.clientGone(lease))
    }

    /// Gives vGPUs back, and tells when their workers are gone and their devices free.
    ///
    /// - Parameter whenGone: Called once, on the agent's thread; must not block.
    public func release(_ lease: LeaseID, whenGone: @escaping @Sendable () -> Void) {
        holdings.withLock { $0.leaving[lease] = whenGone }
        release(lease)
    }

    /// Asks for vGPUs on behalf of a control plane, which has chosen their devices.
    ///
    /// - Parameter onReply: Told what comes of it, on the agent's thread; must not block.
    public func hold(_ request: GPURequest, onReply: @escaping @Sendable (ControlReply) -> Void) -> LeaseID {
        acquire(request, clientProcessID: getpid(), observer: CallbackObserver(onReply))
    }

    /// Names whom to tell when the node's membership of a pool changes.
    public func onMembershipChange(_ tell: @escaping @Sendable () -> Void) {
        holdings.withLock { $0.onMembershipChange = tell }
    }

    /// The node's membership of a pool has changed.
    func membershipChanged() {
        holdings.withLock { $0.onMembershipChange }?()
    }

    /// Whether a control plane gives the devices out from now on.
    public func setManaged(_ isManaged: Bool) {
        state.withLock { $0.isManaged = isManaged }
    }

    /// The devices that are shared out.
    public var devices: [Device] { setting.devices }

    /// What carries the bytes of programs on other machines.
    public var remoteTransport: TransportKind { identity == nil ? .tcp : .tls }

    /// What workers show to other machines: what the daemon was started with, else what the node's pool gave it.
    private var identity: TLSIdentityFiles? { setting.identity ?? holdings.withLock { $0.poolIdentity } }

    /// Takes the identity that a pool gave the node, for workers that start from now on; nil takes it away.
    public func setPoolIdentity(_ identity: TLSIdentityFiles?) {
        holdings.withLock { $0.poolIdentity = identity }
    }

    /// The Unix socket of a vGPU's worker.
    public func socketPath(of vgpu: VirtualGPUID) -> String { setting.directory.socket(of: vgpu) }

    /// The vGPUs that a program holds.
    func heldVirtualGPUs() -> [VirtualGPUReport] {
        let state = state.withLock { $0 }
        let report = NodeReport(state: state, measurements: [:], daemon: description, time: setting.clock())
        return report.vgpus.filter { $0.clientProcessID != nil }
    }

    // MARK: - Reports

    /// The state of the node, with what the workers answer within a second.
    func report() -> NodeReport {
        let state = state.withLock { $0 }
        let deadline = ContinuousClock.now + .seconds(1)
        let answers = Mailbox<(VirtualGPUID, VirtualGPUMeasurement?)>()
        var pending = 0
        for vgpu in state.vgpus.values where vgpu.phase == .running {
            guard let token = holdings.withLock({ $0.tokens[vgpu.lease] }) else { continue }
            let path = setting.directory.socket(of: vgpu.id)
            let measure = setting.measure
            pending += 1
            startThread(named: "measure") { answers.put((vgpu.id, measure(path, token, deadline))) }
        }
        var measurements: [VirtualGPUID: VirtualGPUMeasurement] = [:]
        while pending > 0, let (id, measurement) = answers.take(until: deadline) {
            measurements[id] = measurement
            pending -= 1
        }
        return NodeReport(
            state: state, measurements: measurements, daemon: description, time: setting.clock())
    }

    // MARK: - Actions

    private func perform(_ action: NodeAction) {
        switch action {
        case .spawn(let vgpu, let kind, let transport):
            start(vgpu, kind, transport)
        case .stop(let id):
            holdings.withLock { $0.workers[id] }?.stop()
        case .release(let id):
            release(id)
        case .grant(let lease, let vgpus):
            grant(lease, vgpus)
        case .refuse(let lease, let failure):
            tell(lease, .refused(failure))
            forget(lease)
        case .reportLoss(let lease, let id, let end):
            tell(lease, .lost(id, end))
        case .finish:
            break
        }
    }

    private func start(_ vgpu: VirtualGPU, _ kind: DeviceKind, _ transport: TransportKind) {
        do {
            let token = holdings.withLock { holdings in
                let token = holdings.tokens[vgpu.lease] ?? makeToken()
                holdings.tokens[vgpu.lease] = token
                return token
            }
            try setting.directory.makeFolder(of: vgpu.id, token: token)
            let address = state.withLock { $0.leases[vgpu.lease]?.request.address }
            let identity = identity
            let endpoints = try WorkerEndpoints(
                transport, socketPath: setting.directory.socket(of: vgpu.id), address: address,
                identity: identity)
            let device = setting.devices.first { $0.id == vgpu.device }
            var workerSetting = WorkerSetting(
                vgpu: vgpu, kind: kind, deviceName: device?.name ?? vgpu.device.rawValue,
                listenEndpoints: endpoints.listening, tokenFile: setting.directory.tokenFile(of: vgpu.id),
                readyDescriptor: WorkerProcess.readyDescriptor)
            workerSetting.identity = identity
            if kind == .cuda {
                workerSetting.ordinal = device?.ordinal
                workerSetting.driver = setting.environment["ROOST_DRIVER"]
            }
            let worker = WorkerProcess(
                WorkerLaunch(
                    executable: setting.workerExecutable, arguments: workerSetting.arguments,
                    environment: setting.environment, logFile: setting.directory.log(of: vgpu.id),
                    startTimeout: setting.startTimeout))
            holdings.withLock { $0.workers[vgpu.id] = worker }
            let events = events
            worker.start(
                onReady: { pid in
                    events.put(.workerReady(vgpu.id, processID: pid, endpoints: [endpoints.forClients]))
                },
                onEnd: { end in events.put(.workerEnded(vgpu.id, end)) })
        } catch {
            let reason = (error as? AgentError)?.message ?? "\(error)"
            events.put(.workerEnded(vgpu.id, .notStarted(reason: reason)))
        }
    }

    private func release(_ id: VirtualGPUID) {
        setting.directory.removeFolder(of: id)
        let obsolete: VirtualGPUID? = holdings.withLock { holdings in
            holdings.workers[id] = nil
            holdings.keptLogs.append(id)
            guard holdings.keptLogs.count > NodeAgent.keptLogCountMax else { return nil }
            return holdings.keptLogs.removeFirst()
        }
        if let obsolete { unlink(setting.directory.log(of: obsolete)) }
    }

    private func grant(_ lease: LeaseID, _ vgpus: [VirtualGPU]) {
        guard let token = holdings.withLock({ $0.tokens[lease] }) else { return }
        let members = vgpus.map { vgpu in
            GrantedLease.Member(
                id: vgpu.id, uuid: vgpu.uuid, device: vgpu.device,
                kind: setting.devices.first { $0.id == vgpu.device }?.kind ?? .software,
                endpoint: vgpu.endpoints.first ?? "")
        }
        tell(lease, .granted(GrantedLease(members: members, token: token)))
    }

    private func tell(_ lease: LeaseID, _ reply: ControlReply) {
        holdings.withLock { $0.observers[lease] }?.deliver(reply)
    }

    private func forget(_ lease: LeaseID) {
        holdings.withLock { holdings in
            holdings.observers[lease] = nil
            holdings.tokens[lease] = nil
        }
    }

    /// 32 bytes of the kernel's random source, as hexadecimal digits.
    private func makeToken() -> String {
        var random = SystemRandomNumberGenerator()
        return (0..<4).map { _ in
            let digits = String(random.next() as UInt64, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }

    // MARK: - Log

    private func note(_ event: NodeEvent, isLoss: Bool) {
        switch event {
        case .requested(let lease, let request, let processID):
            log.info(
                "vGPUs requested",
                metadata: [
                    LogKey.lease: "\(lease.rawValue)", LogKey.count: "\(request.count)",
                    LogKey.memory: "\(request.memory)", LogKey.compute: "\(request.compute)",
                    LogKey.client: "\(processID)",
                ])
        case .workerReady(let id, let processID, _):
            log.info("worker serves", metadata: [LogKey.vgpu: "\(id)", LogKey.worker: "\(processID)"])
        case .workerEnded(let id, let end):
            guard isLoss else { return log.info("worker stopped", metadata: [LogKey.vgpu: "\(id)"]) }
            log.warning("worker lost", metadata: [LogKey.vgpu: "\(id)", LogKey.reason: "\(end.message)"])
        case .clientGone(let lease):
            log.info("client gone", metadata: [LogKey.lease: "\(lease.rawValue)"])
            forget(lease)
        case .shutDownRequested:
            log.info("shutting down")
        }
    }
}

/// The names of facts in the daemon's log.
enum LogKey {
    static let client = "client.pid"
    static let compute = "compute"
    static let count = "count"
    static let lease = "lease.id"
    static let memory = "memory"
    static let reason = "reason"
    static let vgpu = "vgpu.id"
    static let worker = "worker.pid"
}
