import FleetModel
import FleetStore

/// Users and operators who change things at random.
final class Clients {
    private let world: World
    private let nodes: [SimulatedNode]
    private let planes: [Plane]
    private var workloadCount = 0
    private(set) var operationCount = 0

    init(_ world: World, _ nodes: [SimulatedNode], _ planes: [Plane]) {
        self.world = world
        self.nodes = nodes
        self.planes = planes
    }

    // MARK: - Set-up

    /// Pools, projects and quotas.
    func prepare() throws {
        var pool = PoolSpec()
        pool.isDefault = true
        if world.happens(30) { pool.oversell = .init(compute: Percent(150)) }
        try put(Resource(Metadata(name: "main"), pool))
        try put(Resource(Metadata(name: "red"), ProjectSpec(weight: 2)))
        try put(Resource(Metadata(name: "red-a"), ProjectSpec(parent: "red")))
        try put(Resource(Metadata(name: "blue"), ProjectSpec()))
        for project in ["red", "red-a", "blue"] where world.happens(60) {
            var quota = QuotaSpec(project: project)
            quota.requests = ResourceAmounts()
            quota.requests?.compute = Percent(world.pick(1...8) * 100)
            if world.happens(50) {
                quota.guaranteed = ResourceAmounts()
                quota.guaranteed?.compute = Percent(world.pick(1...3) * 50)
            }
            try put(Resource(Metadata(name: project), quota))
        }
        for node in nodes { try put(Resource(Metadata(name: node.name, labels: ["rack": "r1"]), NodeSpec())) }
    }

    var oversell: Int64 {
        guard let pool: Resource<PoolSpec> = try? world.document(.init(kind: .pool, name: "main"))?.resource() else {
            return 100
        }
        return pool.spec.oversell?.compute?.value ?? 100
    }

    // MARK: - Chaos

    /// Does something at random now and then until a time.
    func act(until end: Int64) {
        world.after(world.pick(50...1500)) { [self] in
            guard world.now < end else { return }
            operationCount += 1
            try operate()
            act(until: end)
        }
    }

    private func operate() throws {
        switch world.pick(0...99) {
        case 0..<38: try makeWorkload()
        case 38..<50: try change { $0.spec.replicas = world.pick(0...5) }
        case 50..<64: try deleteWorkload()
        case 64..<68: try change { $0.spec.priority = world.pick(-2...2) * 1000 }
        case 68..<74: try changeNode()
        case 74..<79: world.choose(nodes)?.restart()
        case 79..<85: if let node = world.choose(nodes) { node.cutOffUntil = world.now + world.pick(1...90) * 1000 }
        case 85..<90: world.choose(planes)?.pause(for: world.pick(1...12) * 1000)
        case 90..<96: try crashPlane()
        default: try raiseQuota()
        }
    }

    /// Everything works again.
    func heal() throws {
        for node in nodes {
            node.cutOffUntil = 0
            node.failurePercent = 0
            try change(ResourceReference(kind: .node, name: node.name)) { (node: inout Resource<NodeSpec>) in
                node.spec.unschedulable = nil
                node.spec.drain = nil
            }
        }
        for plane in planes where !plane.isAlive { plane.start() }
    }

    private func makeWorkload() throws {
        var spec = WorkloadSpec()
        let isWhole = world.happens(15)
        spec.replicas = world.pick(1...4)
        spec.resources = DeviceRequest(devices: world.happens(20) ? world.pick(1...3) : nil)
        if !isWhole {
            spec.resources?.compute = Bounds(.percent(world.pick(1...10) * 10))
            spec.resources?.memory = Bounds(MemoryQuantity(mebibytes: world.pick(1...40) * 1024))
        }
        if world.happens(25) { spec.gang = .init(minimum: world.happens(40) ? 1 : nil) }
        if world.happens(15) { spec.topology = .init(level: "zone", required: false) }
        spec.qos = world.choose(QualityOfService.allCases)
        if world.happens(15) { spec.preemptible = false }
        if world.happens(15) { spec.evictionProtection = .seconds(world.pick(5...60)) }
        workloadCount += 1
        let project = world.choose(["default", "red", "red-a", "blue"]) ?? "default"
        // Names are used again now and then.
        let name = "w\(world.happens(20) ? world.pick(1...Int64(workloadCount)) : Int64(workloadCount))"
        try put(Resource(Metadata(name: name, project: project), spec))
    }

    private var workloads: [ResourceReference] {
        world.entries(of: .workload).compactMap { ResourceReference(key: $0.key.text) }
    }

    private func change(_ body: (inout Resource<WorkloadSpec>) -> Void) throws {
        if let reference = world.choose(workloads) { try change(reference, body) }
    }

    private func deleteWorkload() throws {
        guard let reference = world.choose(workloads), let revision = world.document(reference)?.metadata.revision
        else { return }
        _ = try world.commit([.delete(try StoreKey(reference.key), expected: Revision(rawValue: revision))])
    }

    private func changeNode() throws {
        guard let node = world.choose(nodes) else { return }
        try change(ResourceReference(kind: .node, name: node.name)) { (node: inout Resource<NodeSpec>) in
            node.spec.unschedulable = world.happens(50)
            node.spec.drain = world.happens(25)
        }
    }

    private func crashPlane() throws {
        guard let plane = world.choose(planes), plane.isAlive else { return }
        plane.crash()
        world.after(world.pick(500...8000)) { if !plane.isAlive { plane.start() } }
    }

    private func raiseQuota() throws {
        guard let project = world.choose(["red", "red-a", "blue"]) else { return }
        try change(ResourceReference(kind: .quota, name: project)) { (quota: inout Resource<QuotaSpec>) in
            quota.spec.requests?.compute?.value += 100
        }
    }

    // MARK: - Writing

    private func put<Spec: ResourceSpec>(_ resource: Resource<Spec>) throws {
        var resource = resource
        let key = try StoreKey(resource.reference.key)
        let before = world.document(resource.reference)
        resource.metadata.uid = before?.metadata.uid ?? "\(world.environment.random())"
        resource.metadata.createdAt = world.environment.now()
        if let before: Resource<Spec> = try before?.resource() { resource.status = before.status }
        let value = try ResourceDocument(resource).storedBytes()
        let revision = before?.metadata.revision.map(Revision.init(rawValue:))
        _ = try world.commit([
            revision.map { .replace(key, value: value, expected: $0) } ?? .create(key, value: value)
        ])
    }

    private func change<Spec: ResourceSpec>(
        _ reference: ResourceReference, _ body: (inout Resource<Spec>) -> Void
    ) throws {
        guard var resource: Resource<Spec> = try world.document(reference)?.resource() else { return }
        body(&resource)
        try put(resource)
    }
}
