/// A kind of resource.
public enum ResourceKind: String, Sendable, Hashable, Codable, CaseIterable {
    case project = "Project"
    case quota = "Quota"
    case pool = "Pool"
    case node = "Node"
    case device = "Device"
    case profile = "Profile"
    case workload = "Workload"
    case virtualGPU = "VirtualGPU"
    case priceList = "PriceList"
    case alertRule = "AlertRule"
    case event = "Event"

    /// The name in addresses and on the command line.
    public var plural: String {
        switch self {
        case .project: "projects"
        case .quota: "quotas"
        case .pool: "pools"
        case .node: "nodes"
        case .device: "devices"
        case .profile: "profiles"
        case .workload: "workloads"
        case .virtualGPU: "vgpus"
        case .priceList: "pricelists"
        case .alertRule: "alertrules"
        case .event: "events"
        }
    }

    static let byPlural = Dictionary(uniqueKeysWithValues: allCases.map { (Substring($0.plural), $0) })

    /// Other names that people may type.
    public var shortNames: [String] {
        switch self {
        case .workload: ["wl"]
        case .virtualGPU: ["virtualgpus", "vg"]
        case .device: ["dev", "gpus"]
        case .node: ["no"]
        case .project: ["proj"]
        case .alertRule: ["alerts"]
        case .event: ["ev"]
        default: []
        }
    }

    /// Whether resources of the kind belong to a project.
    public var isInProject: Bool {
        switch self {
        case .profile, .workload, .virtualGPU, .event: true
        default: false
        }
    }

    /// Whether users write it; the others are the control plane's own.
    public var isWrittenByUsers: Bool {
        switch self {
        case .device, .virtualGPU, .event: false
        default: true
        }
    }

    /// What the kind is for, as a sentence.
    public var summary: String { type.summary }

    /// Reads a kind, a plural, a short name; nil where it is none.
    public init?(named name: String) {
        let lower = name.lowercased()
        let found = ResourceKind.allCases.first { kind in
            lower == kind.rawValue.lowercased() || lower == kind.plural || kind.shortNames.contains(lower)
        }
        guard let found else { return nil }
        self = found
    }

    /// The Swift type of the kind's `spec`.
    public var type: any ResourceSpec.Type {
        switch self {
        case .project: ProjectSpec.self
        case .quota: QuotaSpec.self
        case .pool: PoolSpec.self
        case .node: NodeSpec.self
        case .device: DeviceSpec.self
        case .profile: ProfileSpec.self
        case .workload: WorkloadSpec.self
        case .virtualGPU: VirtualGPUSpec.self
        case .priceList: PriceListSpec.self
        case .alertRule: AlertRuleSpec.self
        case .event: EventSpec.self
        }
    }
}
