import FleetModel

@testable import ControlPlane

/// A control plane on a store of its own that writes at once, and nodes whose agents do as they are told.
final class Fleet {
    /// A clock that stands still, and numbers that are the same each time.
    final class Environment: FleetEnvironment, @unchecked Sendable {
        // SAFETY: tests use it from one thread.
        var moment = Timestamp(milliseconds: 1_800_000_000_000)
        private var state: UInt64 = 1

        func now() -> Timestamp { moment }
        func sleep(for span: TimeSpan) async {}
        func random() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state >> 11 ^ state << 40
        }
    }

    let environment = Environment()
    let core: FleetCore
    private(set) var revision: Int64 = 0
    private(set) var stored: [ResourceReference: ResourceDocument] = [:]
    /// What each node's agent has.
    var agents: [String: [String: VirtualGPUReport]] = [:]
    var devices: [String: [DeviceReport]] = [:]
    var silent = Set<String>()
    /// The release of each node's agent.
    var releases: [String: String] = [:]

    init(settings: FleetCore.Settings = FleetCore.Settings()) {
        core = FleetCore(settings: settings, environment: environment)
    }

    var view: FleetView { core.view }

    // MARK: - The store

    func put<Spec: ResourceSpec>(_ resource: Resource<Spec>) {
        var resource = resource
        if let before = stored[resource.reference] {
            resource.metadata.uid = before.metadata.uid
        } else {
            resource.metadata.uid = environment.uid()
            resource.metadata.createdAt = environment.now()
        }
        guard let document = try? ResourceDocument(resource) else {
            preconditionFailure("\(resource.reference) has no document")
        }
        write(document)
    }

    func delete(_ reference: ResourceReference) {
        revision += 1
        stored[reference] = nil
        core.ingest(delete: reference, revision: revision)
        core.advance(to: revision)
    }

    private func write(_ document: ResourceDocument) {
        revision += 1
        let document = document.at(revision: revision)
        stored[document.reference] = document
        if let defect = core.ingest(put: document) { preconditionFailure(defect) }
        core.advance(to: revision)
    }

    private func perform(_ actions: [FleetAction]) {
        for action in actions {
            switch action {
            case .create(let document):
                if stored[document.reference] == nil { write(document) } else { core.retract(document.reference) }
            case .replace(let document, let revision):
                if stored[document.reference]?.metadata.revision == revision {
                    write(document)
                } else {
                    core.retract(document.reference)
                }
            case .delete(let reference, let revision):
                if stored[reference]?.metadata.revision == revision { delete(reference) }
            case .note(let note): if let action = core.record(note) { perform([action]) }
            }
        }
    }

    /// Decides and writes until there is nothing more.
    func settle() {
        for _ in 0..<1000 {
            let actions = core.decide(now: environment.now())
            if actions.isEmpty { return }
            perform(actions)
        }
        preconditionFailure("the control plane never comes to rest")
    }

    // MARK: - Nodes

    /// A node with devices of one model that has joined.
    func addNode(
        _ name: String, devices count: Int = 1, model: String = "H200", memory: Int64 = 143_360,
        labels: [String: String] = [:]
    ) {
        put(Resource(Metadata(name: name, labels: labels), NodeSpec()))
        agents[name] = [:]
        devices[name] = (0..<count).map {
            DeviceReport(
                id: "gpu-\($0)", vendor: "NVIDIA", model: model, memory: MemoryQuantity(mebibytes: memory),
                milliTeraflops: 989_000)
        }
        beat(name)
    }

    /// One heartbeat of a node, and its agent does what the answer says.
    func beat(_ name: String, epoch: Int64 = 1) {
        guard !silent.contains(name) else { return }
        let digest = HeartbeatDigest(leaseSpan: .seconds(10))
        var facts = NodeFacts(address: name, version: releases[name] ?? "0.1.0")
        facts.milliProcessors = 96_000
        facts.memory = MemoryQuantity(mebibytes: 1 << 20)
        let reports = (agents[name] ?? [:]).values.sorted { $0.name < $1.name }
        var heartbeat = HeartbeatRequest(epoch: epoch, facts: facts, devices: devices[name] ?? [], vgpus: reports)
        heartbeat.seen = revision
        guard let list = try? digest.decide(view, node: name, heartbeat, now: environment.now()) else {
            preconditionFailure("the heartbeat of \(name) is refused")
        }
        perform(list.actions)
        agents[name] = agents[name]?.filter { $0.value.status.phase != .ended }
        let answer = digest.answer(view, node: name)
        var wanted = Set<String>()
        for vgpu in answer.vgpus {
            let uid = vgpu.metadata.uid ?? ""
            wanted.insert(uid)
            if vgpu.spec.stop == true {
                agents[name]?[uid]?.status.phase = .ended
            } else if agents[name]?[uid] == nil {
                var status = VirtualGPUStatus()
                status.phase = .running
                status.endpoints = ["tcp://\(name):1"]
                agents[name]?[uid] = VirtualGPUReport(
                    project: vgpu.metadata.project ?? "", name: vgpu.metadata.name, uid: uid, status: status)
            }
        }
        for uid in agents[name]?.keys.map(\.self) ?? [] where !wanted.contains(uid) {
            agents[name]?[uid]?.status.phase = .ended
        }
    }

    /// Time passes, in steps of a second, with a heartbeat of each node in each.
    func run(seconds: Int) {
        for _ in 0..<seconds {
            environment.moment = environment.moment + .seconds(1)
            for name in agents.keys.sorted() { beat(name) }
            settle()
        }
    }

    // MARK: - Workloads

    func workload(
        _ name: String, project: String = "default", replicas: Int64 = 1, compute: String = "100%",
        memory: String? = "1GiB", change: (inout WorkloadSpec) -> Void = { _ in }
    ) {
        var spec = WorkloadSpec()
        spec.replicas = replicas
        spec.resources = DeviceRequest(
            compute: ComputeQuantity(compute).map { Bounds($0) },
            memory: memory.flatMap { MemoryQuantity($0) }.map { Bounds($0) })
        change(&spec)
        put(Resource(Metadata(name: name, project: project), spec))
    }

    func status(_ name: String, project: String = "default") -> WorkloadStatus? {
        view.workloads[ResourceReference(kind: .workload, project: project, name: name)]?.status
    }

    func vgpus(_ name: String, project: String = "default") -> [Resource<VirtualGPUSpec>] {
        view.vgpus.values.filter { $0.spec.workload == name && $0.metadata.project == project }
            .sorted { $0.reference < $1.reference }
    }

    func addPool(_ name: String = "main", change: (inout PoolSpec) -> Void = { _ in }) {
        var spec = PoolSpec()
        spec.isDefault = true
        change(&spec)
        put(Resource(Metadata(name: name), spec))
    }

    func eventReasons(_ level: EventSpec.Level? = nil) -> Set<String> {
        Set(view.events.values.filter { level == nil || $0.spec.level == level }.map(\.spec.reason))
    }
}
