public import FleetModel

/// Manifests of another system as ours, and what could not be carried over.
public struct Conversion: Sendable {
    /// Our manifests, what others name first: projects, price lists, pools, quotas, profiles, workloads.
    public private(set) var manifests: [JSONValue] = []
    /// What has no equivalent, with its place and what to do.
    public private(set) var warnings: [ManifestReadError.Issue] = []

    /// Converts TensorFusion's objects, and pods and their controllers that carry its labels and annotations.
    public init(tensorFusion manifests: [Manifest]) {
        var projects: Set<String> = []
        var made: [JSONValue] = []
        for manifest in manifests {
            var part = ConversionPart(manifest)
            part.convert()
            made += part.made
            warnings += part.warnings
            projects.formUnion(part.projects)
        }
        let parents = projects.subtracting([defaultProject]).sorted().map { name in
            JSONValue.manifest(.project, name: name, spec: [:])
        }
        let order = ResourceKind.allCases.filter { $0 != .priceList }.map(\.rawValue)
        func rank(_ manifest: JSONValue) -> Int { order.firstIndex(of: manifest["kind"]?.text ?? "") ?? -1 }
        let all = (parents + made).enumerated()
        self.manifests = all.sorted { (rank($0.element), $0.offset) < (rank($1.element), $1.offset) }.map(\.element)
    }
}

/// One object on its way.
struct ConversionPart {
    /// What keys of pods begin with.
    static let domain = "tensor-fusion.ai/"

    let manifest: Manifest
    var made: [JSONValue] = []
    var warnings: [ManifestReadError.Issue] = []
    var projects: Set<String> = []

    init(_ manifest: Manifest) {
        self.manifest = manifest
    }

    /// The object's own name.
    var name: String { manifest.value["metadata"]?["name"]?.text ?? "" }
    /// The object's spec.
    var spec: JSONValue { manifest.value["spec"] ?? [:] }

    mutating func convert() {
        let kind = manifest.value["kind"]?.text ?? ""
        switch kind {
        case "Pod": convertPods(at: "")
        case "Deployment", "StatefulSet", "ReplicaSet", "DaemonSet", "Job": convertPods(at: "spec.template")
        case "CronJob": convertPods(at: "spec.jobTemplate.spec.template")
        case "WorkloadProfile": convertProfile()
        case "TensorFusionWorkload": convertWorkload()
        case "GPUPool": convertPool()
        case "GPUResourceQuota": convertQuota()
        case "GPU", "GPUNode", "GPUNodeClaim", "TensorFusionConnection":
            warn("kind", "a \(kind) is state that nodes report; left out. `roost join` makes a machine a node")
        case "SchedulingConfigTemplate", "TensorFusionCluster", "ProviderConfig", "GPUNodeClass":
            warn("kind", "a \(kind) has no equivalent; left out. Placement and oversell are fields of a Pool")
        default:
            warn("kind", "\(kind.isEmpty ? "nothing" : kind) is no kind that converts; left out")
        }
    }

    /// Notes what can't be carried over.
    mutating func warn(_ field: String, _ message: String) {
        warnings.append(manifest.issue(FieldProblem(field, message)))
    }

    /// Warns of members that nothing has read.
    mutating func warnOfOthers(in object: JSONValue?, at path: String, except known: Set<String>) {
        for name in (object?.members ?? [:]).keys.sorted() where !known.contains(name) {
            warn("\(path).\(name)", "has no equivalent; left out")
        }
    }

    /// The project that stands for the object's namespace.
    mutating func project() -> String {
        let name = manifest.value["metadata"]?["namespace"]?.text ?? defaultProject
        projects.insert(name)
        return name
    }
}

extension JSONValue {
    /// A manifest of ours.
    static func manifest(
        _ kind: ResourceKind, name: String, project: String? = nil, labels: JSONValue? = nil, spec: JSONValue
    ) -> JSONValue {
        var metadata: JSONValue = ["name": .string(name)]
        if let project, kind.isInProject { metadata["project"] = .string(project) }
        if let labels, labels.members?.isEmpty == false { metadata["labels"] = labels }
        return [
            "apiVersion": .string(resourceAPIVersion), "kind": .string(kind.rawValue), "metadata": metadata,
            "spec": spec,
        ]
    }

    /// A simple value as text: manifests of others write numbers with and without quotes.
    var plainText: String? {
        switch self {
        case .string(let text): text
        case .integer(let number): "\(number)"
        case .number(let number): "\(number)"
        case .boolean(let value): "\(value)"
        default: nil
        }
    }

    /// The value at a path of names with `.` between.
    func at(_ path: String) -> JSONValue? {
        path.split(separator: ".").reduce(Optional(self)) { $0?[String($1)] }
    }
}
