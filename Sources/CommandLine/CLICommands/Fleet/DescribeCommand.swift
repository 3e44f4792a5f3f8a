import ArgumentParser
import FleetModel
import Manifests

/// `roost describe`: everything about one resource.
struct DescribeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "describe",
        abstract: "Show everything about a resource: what is wanted, what is, and what happened.",
        discussion: """
            EXAMPLES
              roost describe workload train
              roost describe node/gpu-7
            """)

    @OptionGroup var fleet: FleetOptions
    @OptionGroup var project: ProjectOptions
    @OptionGroup var resource: ResourceArguments

    func validate() throws { _ = try resource.onlyName() }

    func run() async throws { try await fleet.perform(project: project.project, perform) }

    func perform(_ session: FleetSession) async throws {
        let reference = session.reference(resource.kind, try resource.onlyName())
        guard let document = try await session.connection.get(reference) else {
            throw CommandFailure.missing(reference)
        }
        let events = try await session.connection.list(.event, project: nil, labels: nil).items.filter { event in
            (try? event.resource(EventSpec.self))?.spec.about == reference
        }
        session.console.text(try ResourceDescription(document, events: events, now: session.now).text)
        if case .string("Pending")? = document.json["status"]?["phase"], reference.kind == .workload {
            session.console.note("It waits: `roost why \(reference.name)` says what for.")
        }
    }
}

/// A resource as people read it.
struct ResourceDescription {
    private let document: ResourceDocument
    private let events: [ResourceDocument]
    private let now: Timestamp

    init(_ document: ResourceDocument, events: [ResourceDocument], now: Timestamp) {
        self.document = document
        self.events = events
        self.now = now
    }

    /// Head, spec, status, conditions, events.
    var text: String {
        get throws {
            var parts = [head]
            parts.append(try section("Spec", document.json["spec"] ?? [:]))
            var status = document.json["status"] ?? [:]
            status["conditions"] = nil
            if status.members?.isEmpty == false { parts.append(try section("Status", status)) }
            let conditions = try (document.json["status"]?["conditions"] ?? []).decoded(as: [Condition].self)
            if !conditions.isEmpty { parts.append("Conditions:\n" + indented(table(conditions).text)) }
            let listing = ResourceListing(kind: .event, now: now)
            parts.append(
                events.isEmpty ? "Events: none" : "Events:\n" + indented(listing.events(events).text))
            return parts.joined(separator: "\n\n")
        }
    }

    private var head: String {
        let metadata = document.metadata
        var lines = ["\(document.kind.rawValue) \(metadata.name)"]
        func add(_ name: String, _ value: String?) {
            if let value { lines.append("  \(name): \(Table.printable(value))") }
        }
        func list(_ labels: [String: String]?) -> String? {
            guard let labels, !labels.isEmpty else { return nil }
            return labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ", ")
        }
        add("Project", metadata.project)
        add("Labels", list(metadata.labels))
        add("Annotations", list(metadata.annotations))
        add(
            "Created",
            metadata.createdAt.map { moment in
                let age = NodeTables.age(max(0, (now - moment).milliseconds / 1000))
                return "\(moment) (\(age) ago)" + (metadata.createdBy.map { " by \($0)" } ?? "")
            })
        add("Generation", metadata.generation.map { "\($0), revision \(metadata.revision ?? 0)" })
        return lines.joined(separator: "\n")
    }

    private func section(_ title: String, _ value: JSONValue) throws -> String {
        guard value.members?.isEmpty == false else { return "\(title): nothing said" }
        let whole = try ManifestWriter.yaml([["kind": .string(document.kind.rawValue), "spec": value]])
        let lines = whole.split(separator: "\n").drop { !$0.hasPrefix("spec:") }.dropFirst()
        return "\(title):\n" + lines.joined(separator: "\n")
    }

    private func table(_ conditions: [Condition]) -> Table {
        Table(
            columns: [.words("TYPE"), .words("STATUS"), .words("REASON"), .numbers("SINCE"), .words("MESSAGE")],
            rows: conditions.map { condition in
                [
                    condition.type, condition.status.rawValue, condition.reason,
                    NodeTables.age(max(0, (now - condition.since).milliseconds / 1000)), condition.message,
                ]
            })
    }

    private func indented(_ text: String) -> String {
        text.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n")
    }
}
