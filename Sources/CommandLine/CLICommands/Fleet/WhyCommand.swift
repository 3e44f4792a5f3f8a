import ArgumentParser
import FleetModel
import Manifests

/// `roost why`: why a workload waits.
struct WhyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "why",
        abstract: "Say why a workload waits, and what would let it run.",
        discussion: """
            EXAMPLES
              roost why train
            """)

    @OptionGroup var fleet: FleetOptions
    @OptionGroup var project: ProjectOptions
    @OptionGroup var output: OutputOptions

    @Argument(help: "The workload.")
    var workload: String

    func run() async throws { try await fleet.perform(project: project.project, perform) }

    func perform(_ session: FleetSession) async throws {
        let name = workload.hasPrefix("workload/") ? String(workload.dropFirst("workload/".count)) : workload
        let answer = try await session.connection.why(session.reference(.workload, name))
        switch output.format {
        case .json: session.console.line(ManifestWriter.json(try JSONValue(encoding: answer)))
        case .table: session.console.line(WhyCommand.text(answer, name: name, now: session.now))
        }
    }

    static func text(_ answer: WhyAnswer, name: String, now: Timestamp) -> String {
        var parts: [String] = []
        var head = "\(name) is \(answer.phase.rawValue). \(answer.summary)"
        if answer.waiting > 0 {
            head += "\n\(answer.waiting) \(answer.waiting == 1 ? "replica waits" : "replicas wait")"
            if let since = answer.since {
                head += " for \(NodeTables.age(max(0, (now - since).milliseconds / 1000)))"
            }
            if let position = answer.queuePosition { head += ", at place \(position) of the queue" }
            head += "."
        }
        parts.append(head)
        if !answer.rejections.isEmpty {
            let table = Table(
                columns: [.numbers("DEVICES"), .numbers("NODES"), .words("REASON"), .words("MEANING")],
                rows: answer.rejections.map { ["\($0.devices)", "\($0.nodes)", $0.reason, $0.message] })
            parts.append("Passed over:\n" + table.text)
        }
        if let nearest = answer.nearest {
            let place = nearest.device.map { "\(nearest.node), \($0)" } ?? nearest.node
            parts.append("Nearest fit: \(place): \(nearest.message)")
        }
        if !answer.remedies.isEmpty {
            parts.append("What would help:\n" + answer.remedies.map { "- \($0)" }.joined(separator: "\n"))
        }
        return parts.joined(separator: "\n\n")
    }
}
