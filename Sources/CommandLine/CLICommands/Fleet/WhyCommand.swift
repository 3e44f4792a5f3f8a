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

    @Argument(help: "The workload.", completion: NameCompletion.of(.workload))
    var workload: String

    func run() async throws { try await fleet.perform(project: project.project, perform) }

    func perform(_ session: FleetSession) async throws {
        let name = workload.hasPrefix("workload/") ? String(workload.dropFirst("workload/".count)) : workload
        let answer = try await session.connection.why(session.reference(.workload, name))
        switch output.format {
        case .json: session.console.line(ManifestWriter.json(try JSONValue(encoding: answer)))
        case .table: session.console.line(WhyCommand.text(answer, name: name))
        }
    }

    static func text(_ answer: Explanation, name: String) -> String {
        var head = "\(name) is \(answer.phase.rawValue). \(answer.verdict)"
        if let position = answer.queuePosition { head += "\nIt stands at place \(position) of the queue." }
        var parts = [head]
        if !answer.reasons.isEmpty {
            let table = Table(
                columns: [.numbers("DEVICES"), .words("REASON"), .words("MEANING")],
                rows: answer.reasons.map { ["\($0.devices)", $0.reason, $0.message] })
            parts.append("Passed over:\n" + table.text)
        }
        if let nearest = answer.nearest {
            let missing = [
                nearest.missing.compute.map { "\($0) of compute" }, nearest.missing.memory.map { "\($0) of memory" },
            ].compactMap(\.self)
            let place = nearest.device.isEmpty ? nearest.node : "\(nearest.device) of \(nearest.node)"
            parts.append("Nearest fit: \(place) lacks \(missing.joined(separator: " and ")).")
        }
        if !answer.remedies.isEmpty {
            parts.append("What would help:\n" + answer.remedies.map { "- \($0)" }.joined(separator: "\n"))
        }
        return parts.joined(separator: "\n\n")
    }
}
