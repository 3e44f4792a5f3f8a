/// One place in the tree: a project, or the workloads of a project that has projects below it.
struct ProjectNode: Sendable {
    var project: Project
    /// The node above; the root is its own.
    var parent: Int
    /// Nodes below, oldest first. They have higher numbers than this one.
    var children: [Int] = []
    /// Where this project's own workloads are booked: here, or at a node below that stands for them.
    var home: Int

    /// What is booked here and below.
    var requests = ResourceVector.zero
    var limits = ResourceVector.zero
    /// Of `requests`, what can't be taken back.
    var kept = ResourceVector.zero
    /// What waits here and below, without what can never be admitted.
    var pending = ResourceVector.zero
    var pendingCount = 0
    /// When to look next whether the oldest request that waits here is overdue.
    var overdueCheckAt = Int64.max
    var meter = UsageMeter()

    /// What it is sure of, with what those below are sure of where it says nothing itself.
    var guaranteed = ResourceVector.zero
    var demand = ResourceVector.zero
    var share = ResourceVector.zero
    /// The dominant part of the capacity that it used lately, by its weight.
    var past = 0.0

    init(project: Project, parent: Int, home: Int) {
        self.project = project
        self.parent = parent
        self.home = home
    }
}

/// The projects as an array in which parents stand before their children; number 0 is the root above all.
struct ProjectTree: Sendable {
    var nodes: [ProjectNode]
    private(set) var numbers: [String: Int] = [:]
    private(set) var problems: [ProjectProblem] = []

    static let root = 0
    /// Under which name work without a project is booked.
    static let rootName = "(no project)"

    /// Builds the tree. Projects that are not in order are left out, with all below, and named in `problems`.
    init(_ projects: [Project]) {
        nodes = [ProjectNode(project: Project(ProjectTree.rootName), parent: 0, home: 0)]
        var below: [String?: [Project]] = [:]
        var names: Set<String> = []
        for project in projects {
            guard names.insert(project.name).inserted else {
                problems.append(.duplicate(project.name))
                continue
            }
            below[project.parent, default: []].append(project)
        }
        addOwnQueue(of: 0)
        var next = below[nil]?.map { ($0, 0) } ?? []
        var at = 0
        while at < next.count {
            let (project, parent) = next[at]
            at += 1
            let number = add(project, below: parent)
            guard let children = below[project.name] else { continue }
            addOwnQueue(of: number)
            next += children.map { ($0, number) }
        }
        noteMissing(projects, names)
        setGuarantees()
    }

    /// The node at which a project's workloads are booked.
    func home(of name: String) -> Int? { numbers[name].map { nodes[$0].home } }

    /// Whether a node stands for the own workloads of a project with others below.
    func isOwnQueue(_ node: Int) -> Bool { node != ProjectTree.root && nodes[nodes[node].parent].home == node }

    /// Keeps what each project has used, by its name.
    mutating func takeMeters(from old: ProjectTree) {
        var meters: [Bool: [String: UsageMeter]] = [:]
        for number in old.nodes.indices {
            meters[old.isOwnQueue(number), default: [:]][old.nodes[number].project.name] = old.nodes[number].meter
        }
        for number in nodes.indices {
            let meter = meters[isOwnQueue(number)]?[nodes[number].project.name]
            if let meter { nodes[number].meter = meter }
        }
    }

    /// The nodes from one up to the root.
    func path(from node: Int) -> [Int] {
        var path = [node]
        while let last = path.last, last != ProjectTree.root { path.append(nodes[last].parent) }
        return path
    }

    private mutating func add(_ project: Project, below parent: Int) -> Int {
        let number = nodes.count
        nodes.append(ProjectNode(project: project, parent: parent, home: number))
        nodes[parent].children.append(number)
        numbers[project.name] = number
        return number
    }

    /// The workloads of a project with others below compete with them as one more, of weight 1.
    private mutating func addOwnQueue(of parent: Int) {
        let number = nodes.count
        var project = Project(nodes[parent].project.name)
        project.rank = 0
        nodes.append(ProjectNode(project: project, parent: parent, home: number))
        nodes[parent].children.append(number)
        nodes[parent].home = number
    }

    /// Names the reason for each project that has no place.
    private mutating func noteMissing(_ projects: [Project], _ names: Set<String>) {
        for project in projects where numbers[project.name] == nil {
            if let parent = project.parent, !names.contains(parent) {
                problems.append(.unknownParent(project: project.name, parent: parent))
            } else if isBelowItself(project, projects) {
                problems.append(.cycle(project.name))
            }
        }
    }

    private func isBelowItself(_ project: Project, _ projects: [Project]) -> Bool {
        let parents = Dictionary(projects.map { ($0.name, $0.parent) }, uniquingKeysWith: { first, _ in first })
        var above = project.parent
        for _ in projects {
            guard let name = above, name != project.name else { break }
            above = parents[name] ?? nil
        }
        return above == project.name
    }

    /// A stated guarantee binds those below; one that is not stated is the sum of theirs. What those below leave of a
    /// stated one is their parent's own.
    private mutating func setGuarantees() {
        for number in nodes.indices.reversed() {
            let node = nodes[number]
            var sum = ResourceVector.zero
            for child in node.children { sum += nodes[child].guaranteed }
            nodes[number].guaranteed = sum
            for resource in QuotaResource.allCases where node.project.guaranteed[resource] > 0 {
                let stated = node.project.guaranteed[resource]
                nodes[number].guaranteed[resource] = stated
                guard node.home != number else { continue }
                nodes[node.home].guaranteed[resource] = max(0, stated - sum[resource])
                if sum[resource] > stated {
                    problems.append(
                        .overcommitted(
                            project: node.project.name, resource: resource, stated: stated, below: sum[resource]))
                }
            }
        }
    }
}

// MARK: - Quotas

/// What a request counts against quotas.
struct Booking: Sendable, Hashable {
    var requests: ResourceVector
    var limits: ResourceVector
    /// Whether it can't be taken back.
    var isKept: Bool

    init(requests: ResourceVector, limits: ResourceVector, isKept: Bool) {
        self.requests = requests.clamped
        self.limits = limits.clamped
        self.isKept = isKept
    }
}

extension ProjectNode {
    /// Whether a booking is within the node's caps.
    @inline(__always)
    func admits(_ booking: Booking, usedRequests: ResourceVector, usedLimits: ResourceVector) -> Bool {
        (usedRequests + booking.requests).fits(in: project.requestCap)
            && (usedLimits + booking.limits).fits(in: project.limitCap)
    }

    /// The rule of this node's caps that a booking breaks first.
    func broken(
        by booking: Booking, usedRequests: ResourceVector, usedLimits: ResourceVector
    ) -> QuotaRefusal? {
        for resource in QuotaResource.allCases {
            let (asked, used, allowed) = (
                booking.requests[resource], usedRequests[resource], project.requestCap[resource]
            )
            guard asked > allowed - used else { continue }
            return refusal(.requests(resource), asked, used, allowed)
        }
        for resource in QuotaResource.allCases {
            let (asked, used, allowed) = (booking.limits[resource], usedLimits[resource], project.limitCap[resource])
            guard asked > allowed - used else { continue }
            return refusal(.limits(resource), asked, used, allowed)
        }
        return nil
    }

    /// How much of what is kept goes beyond the guarantee, of resources of which somebody is guaranteed something.
    func brokenGuarantee(by booking: Booking, usedKept: ResourceVector, root: ResourceVector) -> QuotaRefusal? {
        guard booking.isKept else { return nil }
        for resource in QuotaResource.allCases where root[resource] > 0 && booking.requests[resource] > 0 {
            let (asked, used, allowed) = (booking.requests[resource], usedKept[resource], guaranteed[resource])
            if asked > allowed - used { return refusal(.guarantee(resource), asked, used, allowed) }
        }
        return nil
    }

    private func refusal(_ rule: QuotaRefusal.Rule, _ asked: Int64, _ used: Int64, _ allowed: Int64) -> QuotaRefusal {
        QuotaRefusal(project: project.name, rule: rule, asked: asked, used: used, allowed: allowed)
    }
}
