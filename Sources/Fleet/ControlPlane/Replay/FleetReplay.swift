public import FleetModel
import Scheduling

/// Lets the control plane decide about a recorded fleet, without a server and without time passing: what it would do
/// now, or with other rules, other resources, fewer nodes.
///
/// It decides with the code that servers run. What a server has learnt of the popularity of sizes is not recorded: a
/// replay decides as a server that has just started.
public struct FleetReplay: Sendable {
    /// What is to be different.
    public struct Options: Sendable {
        /// The rule for the best host, one of ``FleetReplay/policies``; the usual one where nil.
        public var policy: String?
        /// Resources that are there too, or in the place of those with their names.
        public var additions: [ResourceDocument] = []
        /// Nodes that are gone.
        public var missingNodes: Set<String> = []
        /// Whether everything is placed again, instead of what waits.
        public var isFromScratch = false
        /// Whether more urgent work may take the place of less urgent.
        public var allowsEviction = true

        /// Changes nothing.
        public init() {}
    }

    /// The names of all rules.
    public static let policies = PlacementPolicy.allCases.map(\.rawValue)
    /// The name of the usual rule.
    public static let usualPolicy = PlacementSettings().scheduler.policy.rawValue

    private let recorded: RecordedFleet
    private let options: Options
    private let settings: FleetCore.Settings

    /// Prepares a replay.
    ///
    /// - Throws: ``ManifestError`` for a policy, a node or an addition that is not right.
    public init(_ recorded: RecordedFleet, _ options: Options = Options()) throws(ManifestError) {
        var problems: [FieldProblem] = []
        var settings = FleetCore.Settings()
        if let name = options.policy {
            if let policy = PlacementPolicy(rawValue: name) {
                settings.placement.scheduler.policy = policy
            } else {
                let hint = nearest(to: name, among: FleetReplay.policies).map { "; did you mean \($0)?" } ?? ""
                let all = FleetReplay.policies.joined(separator: ", ")
                problems.append(FieldProblem("policy", "\"\(name)\" is none of \(all)\(hint)"))
            }
        }
        let nodes = recorded.resources.filter { $0.kind == .node }.map(\.metadata.name)
        for name in options.missingNodes.sorted() where !nodes.contains(name) {
            let hint = nearest(to: name, among: nodes).map { "; did you mean \($0)?" } ?? ""
            problems.append(FieldProblem("without-node", "the snapshot has no node \(name)\(hint)"))
        }
        for addition in options.additions where !RecordedFleet.kinds.contains(addition.kind) {
            problems.append(FieldProblem("add", "\(addition.reference) has no part in placement"))
        }
        guard problems.isEmpty else { throw ManifestError(problems) }
        settings.placement.allowsEviction = options.allowsEviction
        self.recorded = recorded
        self.options = options
        self.settings = settings
    }

    /// Decides until there is nothing more to decide.
    ///
    /// - Throws: ``ReplayError`` where it never comes to rest, or a resource can't be read.
    public func run() throws -> ReplayReport {
        let start = try startingResources()
        let plane = ReplayPlane(settings: settings, at: recorded.takenAt)
        try plane.take(start)
        try plane.settle()
        // One after the other, as `roost apply` sends them.
        for (index, addition) in options.additions.enumerated() {
            try plane.take([added(addition, over: plane.stored[addition.reference], index)])
            try plane.settle()
        }
        var recordedView = FleetView()
        for document in try recorded.resources.map({ try prepared($0) }) { try recordedView.put(document) }
        return ReplayReport(
            before: recordedView, after: plane.core.view, plane.core,
            policy: settings.placement.scheduler.policy.rawValue,
            now: recorded.takenAt)
    }

    // MARK: - What is there

    private func startingResources() throws -> [ResourceDocument] {
        var resources: [ResourceReference: ResourceDocument] = [:]
        for document in recorded.resources {
            if options.isFromScratch, try isPlaced(document) { continue }
            resources[document.reference] = try prepared(document)
        }
        return resources.values.filter { !isMissing($0) }.sorted { $0.reference < $1.reference }
    }

    private func isPlaced(_ document: ResourceDocument) throws -> Bool {
        guard document.kind == .virtualGPU else { return false }
        // What ended well is remembered, so that it does not start again.
        return try document.resource(VirtualGPUSpec.self).status.phase != .ended
    }

    private func isMissing(_ document: ResourceDocument) -> Bool {
        switch document.kind {
        case .node: options.missingNodes.contains(document.metadata.name)
        case .device:
            (try? document.resource(DeviceSpec.self)).map { options.missingNodes.contains($0.spec.node) } ?? false
        default: false
        }
    }

    /// A resource as it is when no time passes: nodes stay as ready as they were recorded.
    private func prepared(_ document: ResourceDocument) throws -> ResourceDocument {
        switch document.kind {
        case .node:
            var node = try document.resource(NodeSpec.self)
            let silence: TimeSpan? =
                switch node.status.phase {
                case .ready: .seconds(0)
                case .notReady: settings.nodes.leaseSpan
                case .lost: settings.nodes.lossSpan
                case .joining: nil
                }
            node.status.heartbeatAt = silence.map {
                Timestamp(milliseconds: recorded.takenAt.milliseconds - $0.milliseconds)
            }
            return try ResourceDocument(node)
        case .workload where options.isFromScratch:
            var workload = try document.resource(WorkloadSpec.self)
            // It has waited since it was made, not since it last lost a place.
            workload.status.waitingSince = nil
            return try ResourceDocument(workload)
        default: return document
        }
    }

    /// An addition as the API would have made it.
    private func added(
        _ addition: ResourceDocument, over known: ResourceDocument?, _ index: Int
    ) throws -> ResourceDocument {
        var metadata = addition.metadata
        metadata.uid = known?.metadata.uid ?? "added-\(index)"
        metadata.createdAt = known?.metadata.createdAt ?? recorded.takenAt
        return try addition.with(metadata, status: known?.json["status"])
    }
}

/// Why a replay has no answer.
public struct ReplayError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What happened.
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}
