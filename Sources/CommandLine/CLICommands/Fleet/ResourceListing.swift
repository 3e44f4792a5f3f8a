import FleetModel

/// The tables of `roost get`.
struct ResourceListing {
    var kind: ResourceKind
    /// Whether further columns are shown.
    var isWide = false
    /// Whether the project is.
    var showsProject = false
    /// The time, for ages.
    var now: Timestamp

    /// A column: its title, whether only wide tables have it, and its text for a resource.
    struct Column<Spec: ResourceSpec>: Sendable {
        var column: Table.Column
        var isWide = false
        var text: @Sendable (Resource<Spec>) -> String

        static func words(_ title: String, _ text: @escaping @Sendable (Resource<Spec>) -> String?) -> Column {
            Column(column: .words(title), text: { text($0) ?? "-" })
        }

        static func numbers(_ title: String, _ text: @escaping @Sendable (Resource<Spec>) -> String?) -> Column {
            Column(column: .numbers(title), text: { text($0) ?? "-" })
        }

        var wide: Column { Column(column: column, isWide: true, text: text) }
    }

    /// The table of resources.
    func table(_ items: [ResourceDocument]) -> Table {
        switch kind {
        case .project: table(items, ResourceListing.projects)
        case .quota: table(items, ResourceListing.quotas)
        case .pool: table(items, ResourceListing.pools)
        case .node: table(items, nodes)
        case .device: table(items, ResourceListing.devices)
        case .profile: table(items, ResourceListing.profiles)
        case .workload: table(items, workloads)
        case .virtualGPU: table(items, ResourceListing.vgpus)
        case .priceList: table(items, ResourceListing.priceLists)
        case .alertRule: table(items, ResourceListing.alertRules)
        case .event: events(items)
        }
    }

    private func table<Spec: ResourceSpec>(_ items: [ResourceDocument], _ columns: [Column<Spec>]) -> Table {
        var shown = columns.filter { isWide || !$0.isWide }
        shown.insert(.words("NAME") { $0.metadata.name }, at: 0)
        if showsProject, kind.isInProject { shown.insert(.words("PROJECT") { $0.metadata.project }, at: 0) }
        shown.append(.numbers("AGE") { age($0.metadata.createdAt) })
        return Table(
            columns: shown.map(\.column),
            rows: items.map { item in
                // A resource of a later version may have values that this program does not know.
                guard let resource = try? item.resource(Spec.self) else { return [item.metadata.name, "?"] }
                return shown.map { $0.text(resource) }
            })
    }

    private func age(_ moment: Timestamp?) -> String? {
        moment.map { NodeTables.age(max(0, (now - $0).milliseconds / 1000)) }
    }

    // MARK: - Columns

    private var workloads: [Column<WorkloadSpec>] {
        [
            .words("PHASE") { $0.status.phase.rawValue },
            .numbers("READY") { "\($0.status.ready)/\($0.spec.replicas ?? 1)" },
            .words("POOL") { $0.spec.pool }, .words("QOS") { $0.spec.qos?.rawValue },
            .numbers("DEVICES") { "\($0.spec.resources?.devices ?? 1)" },
            .numbers("COMPUTE") { $0.spec.resources?.compute.map(ResourceListing.bounds) },
            .numbers("MEMORY") { $0.spec.resources?.memory.map(ResourceListing.bounds) },
            .numbers("QUEUE") { $0.status.queuePosition.map { "\($0)" } },
            .numbers("WAITS") { $0.status.waitingSince.flatMap { age($0) } },
            .numbers("PRIORITY") { $0.spec.priority.map { "\($0)" } }.wide,
            .words("PROGRAM") { $0.spec.program?.command.first }.wide,
            .words("WHY") { $0.status.waiting }.wide,
        ]
    }

    private static let vgpus: [Column<VirtualGPUSpec>] = [
        .words("PHASE") { $0.status.phase.rawValue }, .words("NODE") { $0.spec.node },
        .words("DEVICES") { $0.spec.devices.joined(separator: ",") },
        .numbers("COMPUTE") { bounds($0.spec.compute) }, .numbers("MEMORY") { bounds($0.spec.memory) },
        .numbers("USED") { $0.status.usedMemory?.description },
        .numbers("UTIL") { $0.status.utilization?.description },
        .words("POOL") { $0.spec.pool }.wide, .words("QOS") { $0.spec.qos.rawValue }.wide,
        .words("ENDPOINTS") { $0.status.endpoints?.joined(separator: ";") }.wide,
        .words("MESSAGE") { $0.status.message }.wide,
    ]

    private var nodes: [Column<NodeSpec>] {
        [
            .words("PHASE") { $0.status.phase.rawValue }, .words("POOL") { $0.status.pool ?? $0.spec.pool },
            .words("TAKES") { node in
                if node.spec.drain == true { return "nothing, drains" }
                return node.spec.unschedulable == true ? "nothing" : "work"
            },
            .words("VERSION") { $0.status.version },
            .numbers("HEARD OF") { $0.status.heartbeatAt.flatMap { age($0) } },
            .words("ADDRESS") { $0.status.address }.wide,
            .numbers("PROCESSORS") { $0.status.milliProcessors.map { ResourceListing.number(Double($0) / 1000) } }.wide,
            .numbers("MEMORY") { $0.status.memory?.description }.wide,
            .numbers("EPOCH") { $0.status.epoch.map { "\($0)" } }.wide,
        ]
    }

    private static let devices: [Column<DeviceSpec>] = [
        .words("NODE") { $0.spec.node }, .words("MODEL") { $0.status.model },
        .words("HEALTH") { $0.status.healthy ? "healthy" : "broken" },
        .numbers("MEMORY") { "\($0.status.allocatedMemory) / \($0.status.memory)" },
        .numbers("COMPUTE") { "\($0.status.allocatedCompute)" }, .numbers("VGPUS") { "\($0.status.vgpus)" },
        .numbers("UTIL") { $0.status.utilization?.description },
        .numbers("TFLOPS") { device in
            device.status.milliTeraflops == 0 ? nil : number(Double(device.status.milliTeraflops) / 1000)
        }.wide,
        .numbers("USED") { $0.status.usedMemory?.description }.wide, .words("UUID") { $0.status.uuid }.wide,
        .words("MESSAGE") { $0.status.message }.wide,
    ]

    private static let pools: [Column<PoolSpec>] = [
        .words("DEFAULT") { $0.spec.isDefault == true ? "yes" : "no" },
        .numbers("NODES") { "\($0.status.readyNodes)/\($0.status.nodes)" },
        .numbers("DEVICES") { "\($0.status.devices)" },
        .numbers("COMPUTE") { part($0.status.allocated.compute, of: $0.status.capacity.compute) },
        .numbers("MEMORY") { part($0.status.allocated.memory, of: $0.status.capacity.memory) },
        .words("PLACEMENT") { ($0.spec.placement ?? .compact).rawValue }.wide,
        .words("OVERSELL") { pool in
            pool.spec.oversell.map { "\($0.compute ?? Percent(100)) / \($0.memory ?? Percent(100))" }
        }.wide,
        .words("PRICES") { $0.spec.priceList }.wide,
    ]

    private static let projects: [Column<ProjectSpec>] = [
        .words("PARENT") { $0.spec.parent }, .numbers("WEIGHT") { number($0.spec.weight ?? 1) },
        .numbers("COMPUTE") { $0.status.allocated.compute?.description },
        .numbers("MEMORY") { $0.status.allocated.memory?.description },
        .numbers("FAIR SHARE") { $0.status.fairShareMilliDevices.map { "\($0 / 10)%" } },
        .numbers("WAITING") { $0.status.pending.map { "\($0)" } }, .words("DESCRIPTION") { $0.spec.description }.wide,
    ]

    private static let quotas: [Column<QuotaSpec>] = [
        .words("PROJECT") { $0.spec.project },
        .numbers("COMPUTE") { part($0.status.requests.compute, of: $0.spec.requests?.compute) },
        .numbers("MEMORY") { part($0.status.requests.memory, of: $0.spec.requests?.memory) },
        .numbers("VGPUS") { part($0.status.requests.vgpus, of: $0.spec.requests?.vgpus) },
        .words("GUARANTEED") { $0.spec.guaranteed.map(amounts) }, .words("LIMITS") { $0.spec.limits.map(amounts) }.wide,
    ]

    private static let profiles: [Column<ProfileSpec>] = [
        .words("POOL") { $0.spec.pool }, .words("QOS") { $0.spec.qos?.rawValue },
        .numbers("DEVICES") { $0.spec.resources?.devices.map { "\($0)" } },
        .numbers("COMPUTE") { $0.spec.resources?.compute.map(bounds) },
        .numbers("MEMORY") { $0.spec.resources?.memory.map(bounds) },
        .words("MODELS") { $0.spec.selector?.models?.joined(separator: ",") }.wide,
    ]

    private static let priceLists: [Column<PriceListSpec>] = [
        .words("CURRENCY") { $0.spec.currency }, .numbers("TFLOPS/H") { $0.spec.perTeraflopHour.map(number) },
        .numbers("GIB/H") { $0.spec.perGiBHour.map(number) }, .numbers("MODELS") { "\($0.spec.models?.count ?? 0)" },
    ]

    private static let alertRules: [Column<AlertRuleSpec>] = [
        .words("SEVERITY") { $0.spec.severity.rawValue }, .words("METRIC") { $0.spec.metric },
        .words("WHEN") { "\($0.spec.comparison.rawValue) \(number($0.spec.threshold))" },
        .numbers("FOR") { $0.spec.holdFor?.description },
        .words("ENABLED") { $0.spec.enabled == false ? "no" : "yes" }, .words("MESSAGE") { $0.spec.message }.wide,
    ]

    /// Events have no names that anybody reads; the last one comes last.
    func events(_ items: [ResourceDocument]) -> Table {
        let events = items.compactMap { try? $0.resource(EventSpec.self) }.sorted { $0.spec.lastAt < $1.spec.lastAt }
        return Table(
            columns: [
                .numbers("LAST"), .words("LEVEL"), .words("ABOUT"), .words("REASON"), .numbers("COUNT"),
                .words("MESSAGE"),
            ],
            rows: events.map { event in
                [
                    age(event.spec.lastAt) ?? "-", event.spec.level.rawValue, event.spec.about.title,
                    event.spec.reason, "\(event.spec.count)", event.spec.message,
                ]
            })
    }

    // MARK: - Texts

    /// `4GiB`, or `2GiB..4GiB` for request and limit.
    static func bounds<Value>(_ bounds: Bounds<Value>) -> String {
        bounds.request == bounds.limit ? "\(bounds.request)" : "\(bounds.request)..\(bounds.limit)"
    }

    /// What is used and what there is.
    static func part<Value: CustomStringConvertible>(_ used: Value?, of whole: Value?) -> String? {
        guard used != nil || whole != nil else { return nil }
        return "\(used?.description ?? "0") / \(whole?.description ?? "any")"
    }

    /// All amounts that are said, on a line.
    static func amounts(_ amounts: ResourceAmounts) -> String {
        let texts: [String?] = [
            amounts.compute?.description, amounts.speed?.description, amounts.memory?.description,
            amounts.vgpus.map { "\($0) vGPUs" }, amounts.workloads.map { "\($0) workloads" },
        ]
        return texts.compactMap { $0 }.joined(separator: ", ")
    }

    /// A number without a fraction of zero.
    static func number(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? "\(Int64(value))" : "\(value)"
    }
}
