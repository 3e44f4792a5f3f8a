public import FleetClient
import FleetModel
public import Logging
import NodeAgent
public import NodeModel
import Synchronization

/// Keeps a node's vGPUs as the control plane wants them: heartbeats, each answered with what is wanted.
public final class FleetAgent: Sendable {
    /// What the agent is told when it starts.
    public struct Setting: Sendable {
        /// The node's name.
        public var node: String
        /// The address at which other machines reach this one's workers; loopback where none do.
        public var address: String
        /// The version of the program.
        public var version: String
        /// Where programs' output goes, a file for each vGPU.
        public var logDirectory: String
        /// What programs find of the installation.
        public var files: ClientFiles
        /// What programs and workers inherit.
        public var environment: [String: String]
        /// Describes an agent.
        public init(
            node: String, address: String, version: String, logDirectory: String, files: ClientFiles,
            environment: [String: String]
        ) {
            self.node = node
            self.address = address
            self.version = version
            self.logDirectory = logDirectory
            self.files = files
            self.environment = environment
        }
    }

    private let setting: Setting
    private let host: any VirtualGPUHost
    private let clock: any Clock<Duration>
    private let log: Logger
    private let state: Mutex<State>
    /// Told when there is something to tell before the next heartbeat is due.
    private let news = Signal()

    private struct State {
        var core: AgentCore
        /// How long one heartbeat may wait for news.
        var wait = TimeSpan.seconds(1)
        var running: [String: any HeldVirtualGPU] = [:]
        var client: FleetClient
    }

    /// Makes an agent.
    ///
    /// - Parameter epoch: Larger at each start of the node's agent.
    public init(
        _ setting: Setting, client: FleetClient, host: any VirtualGPUHost, epoch: Int64,
        clock: any Clock<Duration> = ContinuousClock(), log: Logger
    ) {
        self.setting = setting
        self.host = host
        self.clock = clock
        self.log = log
        state = Mutex(State(core: AgentCore(epoch: epoch), client: client))
    }

    /// Sends heartbeats and acts on the answers until the task is cancelled.
    public func run() async {
        var failures = 0
        // A failure that goes on is told once, and again when its reason is another.
        var told = ""
        while !Task.isCancelled {
            do {
                try await beat()
                if failures > 0 { log.info("the control plane answers again") }
                (failures, told) = (0, "")
            } catch {
                let reason = "\(error)"
                if reason != told { log.warning("no answer to a heartbeat", metadata: ["reason": "\(reason)"]) }
                told = reason
                failures = min(failures + 1, 6)
                try? await clock.sleep(for: .milliseconds(100 << failures))
            }
        }
    }

    /// How the control plane is asked.
    public var client: FleetClient { state.withLock { $0.client } }

    /// Asks the control plane by another client from now on, and gives the one before back.
    public func use(_ client: FleetClient) async {
        let before = state.withLock { state in
            defer { state.client = client }
            return state.client
        }
        news.raise()
        await before.shutdown()
    }

    /// One heartbeat. Its answer waits at the control plane for something new; news of our own cuts the wait short.
    private func beat() async throws {
        let (reports, epoch, seen, wait, client) = state.withLock { state in
            (state.core.reports, state.core.epoch, state.core.seen, state.wait, state.client)
        }
        var facts = NodeFacts(address: setting.address, version: setting.version)
        facts.milliProcessors = host.milliProcessors
        facts.memory = host.memory
        var heartbeat = HeartbeatRequest(epoch: epoch, facts: facts, devices: host.devices(), vgpus: reports)
        heartbeat.seen = seen
        heartbeat.wait = wait
        let answer = try await withNewsCuttingShort { [setting, heartbeat] in
            try await client.heartbeat(node: setting.node, heartbeat)
        }
        guard let answer else { return }
        let actions = state.withLock { state in
            // Three heartbeats fit into a lease.
            state.wait = TimeSpan(milliseconds: answer.lease.milliseconds / 3)
            return state.core.take(answer, told: reports)
        }
        for action in actions { perform(action) }
    }

    /// Runs a request; nil where news arrived before its answer, which then is not worth waiting for.
    private func withNewsCuttingShort(
        _ request: @escaping @Sendable () async throws -> HeartbeatAnswer
    ) async throws -> HeartbeatAnswer? {
        try await withThrowingTaskGroup(of: HeartbeatAnswer?.self) { group in
            group.addTask(operation: request)
            group.addTask { [news] in
                await news.wait()
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
    }

    // MARK: - Acting

    private func perform(_ action: AgentAction) {
        switch action {
        case .start(let vgpu, let program): start(vgpu, program)
        case .stop(let uid): state.withLock { $0.running[uid] }?.stop()
        }
    }

    private func start(_ vgpu: Resource<VirtualGPUSpec>, _ program: WorkloadSpec.Program?) {
        let uid = vgpu.metadata.uid ?? ""
        log.info("vGPU starts", metadata: ["vgpu": "\(vgpu.metadata.name)"])
        let held = host.start(vgpu, address: setting.address) { [weak self] event in
            self?.take(event, of: vgpu, uid, program)
        }
        state.withLock { $0.running[uid] = held }
    }

    private func take(
        _ event: VirtualGPUEvent, of vgpu: Resource<VirtualGPUSpec>, _ uid: String, _ program: WorkloadSpec.Program?
    ) {
        switch event {
        case .serves(let granted):
            state.withLock { state in
                state.core.serves(
                    uid, endpoints: granted.endpoints, uuids: granted.uuids, secret: granted.token,
                    isSoftware: granted.isSoftware)
            }
            if let program { run(program, beside: vgpu, uid, granted) }
        case .ended(let exitStatus, let message):
            log.info("vGPU ended", metadata: ["vgpu": "\(vgpu.metadata.name)", "reason": "\(message ?? "")"])
            state.withLock { state in
                state.running[uid] = nil
                state.core.ended(uid, exitStatus: exitStatus, message: message)
            }
        }
        news.raise()
    }

    private func run(
        _ program: WorkloadSpec.Program, beside vgpu: Resource<VirtualGPUSpec>, _ uid: String, _ granted: GrantedVGPU
    ) {
        let client = ClientSetting(
            endpoints: granted.localEndpoints, vgpus: granted.uuids, token: granted.token,
            isSoftware: granted.isSoftware, files: setting.files)
        var environment = clientEnvironment(for: client, inheriting: setting.environment)
        environment.merge(program.environment ?? [:]) { _, own in own }
        let file = "\(setting.logDirectory)/\(vgpu.metadata.project ?? defaultProject).\(vgpu.metadata.name).log"
        state.withLock { $0.running[uid] }?.run(
            program.command, environment: environment, directory: program.directory, logFile: file)
    }

    /// Ends everything, and waits for nothing.
    public func stopAll() {
        for held in state.withLock({ Array($0.running.values) }) { held.stop() }
    }
}
