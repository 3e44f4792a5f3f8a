import ArgumentParser
import FleetClient
import FleetModel
import Foundation
import Manifests

/// How `roost get` writes.
enum ResourceFormat: String, ExpressibleByArgument, CaseIterable {
    case table, wide, json, yaml, name
}

/// `roost get`: shows resources.
struct GetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get",
        abstract: "Show resources of the pool.",
        discussion: """
            Kinds: projects, quotas, pools, nodes, devices, profiles, workloads, vgpus, pricelists, alertrules, \
            events. With --watch, changes follow until interrupted; with -o json each is an object on a line.

            EXAMPLES
              roost get workloads
              roost get workload train -o yaml
              roost get vgpus -A -o wide --watch
              roost get nodes -l rack=7
            """)

    @OptionGroup var fleet: FleetOptions
    @OptionGroup var project: ProjectOptions
    @OptionGroup var resource: ResourceArguments

    @Option(name: [.customShort("o"), .customLong("output")], help: "How to write.")
    var format = ResourceFormat.table

    @Option(
        name: [.customShort("l"), .customLong("labels")],
        help: ArgumentHelp("Only those with all of these labels.", valueName: "name=value,…"))
    var labels: String?

    @Flag(name: [.customShort("A"), .customLong("all-projects")], help: "Those of all projects.")
    var isAllProjects = false

    @Flag(name: [.customShort("w"), .long], help: "Go on with what changes.")
    var watch = false

    func validate() throws {
        if let labels { _ = try LabelChoice(labels) }
        if isAllProjects, project.project != nil {
            throw ValidationError("Give -p or -A, not both.")
        }
        if watch, format == .yaml { throw ValidationError("--watch goes with -o table, wide, json or name.") }
    }

    func run() async throws { try await fleet.perform(project: project.project, perform) }

    func perform(_ session: FleetSession) async throws {
        let kind = resource.kind
        let scope = kind.isInProject && !isAllProjects ? session.project : nil
        var items: [ResourceDocument] = []
        var revision: Int64 = 0
        if resource.names.isEmpty || watch {
            (items, revision) = try await session.connection.list(kind, project: scope, labels: labels)
            if !resource.names.isEmpty { items = items.filter { resource.names.contains($0.metadata.name) } }
        } else {
            for name in resource.names {
                let reference = session.reference(kind, name)
                guard let item = try await session.connection.get(reference) else {
                    throw CommandFailure.missing(reference)
                }
                items.append(item)
            }
        }
        items.sort { $0.reference < $1.reference }
        let listing = ResourceListing(
            kind: kind, isWide: format == .wide, showsProject: isAllProjects, now: session.now)
        try write(items, listing, session)
        if watch { try await follow(session, scope: scope, after: revision, items, listing) }
    }

    private func write(_ items: [ResourceDocument], _ listing: ResourceListing, _ session: FleetSession) throws {
        switch format {
        case .table, .wide:
            if items.isEmpty, !watch {
                let place = listing.kind.isInProject && !isAllProjects ? " in project \(session.project)" : ""
                return session.console.note("There are no \(listing.kind.plural)\(place).")
            }
            session.console.line(listing.table(items).text)
        case .name: for item in items { session.console.line(item.reference.title) }
        case .yaml: session.console.text(try ManifestWriter.yaml(items.map(\.json)))
        case .json:
            if watch { return try items.forEach { session.console.line(try GetCommand.line(of: $0.json)) } }
            let isOne = resource.names.count == 1
            session.console.line(ManifestWriter.json(isOne ? items[0].json : GetCommand.list(items, listing.kind)))
        }
    }

    private static func list(_ items: [ResourceDocument], _ kind: ResourceKind) -> JSONValue {
        [
            "apiVersion": .string(resourceAPIVersion), "kind": .string("\(kind.rawValue)List"),
            "items": .list(items.map(\.json)),
        ]
    }

    private static func line(of value: JSONValue) throws -> String {
        String(decoding: try value.encoded(), as: UTF8.self)
    }

    /// How often in turn a watch that ended is begun again before that is a failure.
    private static let attemptMax = 10

    /// Writes changes until the user has seen enough. A watch that fell behind begins again with what there is; one
    /// whose server ended goes on where it was, there or at another server.
    private func follow(
        _ session: FleetSession, scope: String?, after start: Int64, _ items: [ResourceDocument],
        _ listing: ResourceListing
    ) async throws {
        var revision = start
        let choice = try labels.map(LabelChoice.init)
        var failures = 0
        while true {
            do {
                for try await change in session.connection.watch(listing.kind, project: scope, after: revision) {
                    failures = 0
                    revision = max(revision, change.revision)
                    try write(change, beside: items, listing, choice, session)
                }
                return
            } catch let error as FleetClientError where [0, 503].contains(error.status) {
                failures += 1
                if failures == GetCommand.attemptMax { throw error }
                try await Task.sleep(for: .milliseconds(100 << min(failures, 5)))
            } catch let error as FleetClientError where error.status == 410 {
                revision = try await session.connection.list(listing.kind, project: scope, labels: labels).revision
            }
        }
    }

    private func write(
        _ change: FleetClient.Change, beside items: [ResourceDocument], _ listing: ResourceListing,
        _ choice: LabelChoice?, _ session: FleetSession
    ) throws {
        switch change {
        case .put(let item):
            guard choice?.includes(item) != false, isNamed(item.metadata.name) else { return }
            switch format {
            case .json: session.console.line(try GetCommand.line(of: item.json))
            case .name: session.console.line(item.reference.title)
            default:
                let text = listing.table(items + [item]).text
                session.console.line(text.split(separator: "\n").last.map(String.init) ?? "")
            }
        case .deleted(let reference, _):
            guard isNamed(reference.name) else { return }
            switch format {
            case .json:
                let metadata: JSONValue = try JSONValue(encoding: reference)
                session.console.line(try GetCommand.line(of: ["deleted": metadata]))
            default: session.console.line("\(reference.title) deleted")
            }
        case .progress: break
        }
    }

    private func isNamed(_ name: String) -> Bool { resource.names.isEmpty || resource.names.contains(name) }
}

/// Labels that resources must have.
struct LabelChoice {
    private var labels: [(name: String, value: String)] = []

    init(_ text: String) throws {
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let words = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard words.count == 2, Names.isLabelName(String(words[0])) else {
                throw ValidationError("-l takes name=value, several with , between; not \"\(part)\".")
            }
            labels.append((String(words[0]), String(words[1])))
        }
    }

    func includes(_ item: ResourceDocument) -> Bool {
        labels.allSatisfy { item.metadata.labels?[$0.name] == $0.value }
    }
}
