/// A node in the tree of those who share.
public struct Project: Sendable, Hashable {
    /// Its name, unique in the tree.
    public var name: String
    /// The project above; nil for one at the top.
    public var parent: String?
    /// The part of what is left over, against the siblings'. Zero: only what no sibling with a weight wants.
    public var weight: Double
    /// What is left over goes to siblings of a higher rank first.
    public var rank: Int64
    /// What it is sure of. A resource that is zero here is not stated: then it is what those below are sure of.
    public var guaranteed: ResourceVector
    /// What its requests, and those of all below, add up to at most.
    public var requestCap: ResourceVector
    /// What its limits, and those of all below, add up to at most.
    public var limitCap: ResourceVector
    /// Bounds for each of its workloads, and for those of all below.
    public var bounds: WorkloadBounds
    /// What workloads ask for that say nothing.
    public var defaults: WorkloadWish
    /// From which part of a cap on an alert is raised, in thousandths.
    public var alertThousandths: Int64

    /// A project of weight 1 without quota.
    public init(_ name: String, parent: String? = nil, weight: Double = 1) {
        self.name = name
        self.parent = parent
        self.weight = weight
        rank = 0
        guaranteed = .zero
        requestCap = .unlimited
        limitCap = .unlimited
        bounds = WorkloadBounds()
        defaults = WorkloadWish()
        alertThousandths = 950
    }

    /// The weight in thousandths, as division counts it.
    var milliWeight: UInt64 {
        guard weight > 0 else { return 0 }
        return UInt64(max(1, min(weight, 1e9) * 1000 + 0.5))
    }
}

/// What is wrong with a tree of projects.
public enum ProjectProblem: Error, Sendable, Hashable {
    /// Two projects have one name.
    case duplicate(String)
    /// A project's parent is not there.
    case unknownParent(project: String, parent: String)
    /// A project is below itself.
    case cycle(String)
    /// The projects below are sure of more than their parent is.
    case overcommitted(project: String, resource: QuotaResource, stated: Int64, below: Int64)

    /// What happened and what to do, in a sentence.
    public var message: String {
        switch self {
        case .duplicate(let name): "Two projects are called \(name); rename one."
        case .unknownParent(let project, let parent):
            "Project \(project) is below \(parent), which does not exist; create it or name another parent."
        case .cycle(let name): "Project \(name) is below itself; give one of the projects above it another parent."
        case .overcommitted(let project, let resource, let stated, let below):
            "The projects below \(project) are guaranteed \(resource.text(below)) together, but \(project) itself "
                + "only \(resource.text(stated)); each gets its part until one of them is lowered."
        }
    }
}
