import ArgumentParser
import FleetModel
import Foundation
import Manifests

/// `roost snapshot`: records a fleet in a file.
struct SnapshotCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshot",
        abstract: "Record pools, nodes, projects and workloads in one file, for roost simulate.",
        discussion: """
            Nothing secret is in it: programs, endpoints, UUIDs, messages and annotations are left out. Needs the role \
            poolAdmin for all projects.

            EXAMPLES
              roost snapshot -o fleet.json
            """)

    @OptionGroup var fleet: FleetOptions

    @Option(
        name: [.customShort("o"), .customLong("output")],
        help: ArgumentHelp("The file to write, or - for the standard output.", valueName: "file"),
        completion: .file(extensions: ["json"]))
    var path = "-"

    func run() async throws { try await fleet.perform(perform) }

    func perform(_ session: FleetSession) async throws {
        let recorded = try await session.connection.snapshot()
        let text = ManifestWriter.json(recorded)
        guard path != "-" else { return session.console.text(text) }
        do {
            try Data((text + "\n").utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw CommandFailure(
                status: CommandExit.failure, message: "\(path) can't be written: \(error.localizedDescription)")
        }
        session.console.note("\(recorded["items"]?.elements?.count ?? 0) resources are in \(path).")
    }
}
