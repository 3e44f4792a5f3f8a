import ArgumentParser
import ControlPlane
import FleetModel
import Foundation
import Manifests

/// `roost simulate`: what would be different, decided offline.
struct SimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Say what the control plane would do with a snapshot: other rules, other work, fewer nodes.",
        discussion: """
            Decides with the control plane's own code, offline, until nothing is left to do, and compares the result \
            with what was recorded. Policies: \(FleetReplay.policies.joined(separator: ", ")); \
            \(FleetReplay.usualPolicy) is the usual one.

            EXAMPLES
              roost simulate fleet.json                                  # what waits, and why
              roost simulate fleet.json --without-node gpu-3             # would the rest do?
              roost simulate fleet.json --add train.yaml -o json
              roost simulate fleet.json --from-scratch --policy bestFit
            """)

    @Argument(help: ArgumentHelp("A file of roost snapshot.", valueName: "file"), completion: .file())
    var path: String

    @Option(help: ArgumentHelp("The rule by which places are chosen.", valueName: "name"))
    var policy: String?

    @Option(
        name: .customLong("add"), parsing: .singleValue,
        help: ArgumentHelp("A manifest's file of what is to be there too. May be repeated.", valueName: "file"))
    var additions: [String] = []

    @Option(
        name: .customLong("without-node"), parsing: .singleValue,
        help: ArgumentHelp("A node that is gone. May be repeated.", valueName: "node"))
    var missingNodes: [String] = []

    @Flag(name: .customLong("from-scratch"), help: "Place everything again, not only what waits.")
    var isFromScratch = false

    @Flag(name: .customLong("no-eviction"), help: "Let nobody lose a place to more urgent work.")
    var isWithoutEviction = false

    @OptionGroup var output: OutputOptions

    func run() async throws { try perform(.standard(environment: ProcessInfo.processInfo.environment)) }

    func perform(_ console: Console) throws {
        var options = FleetReplay.Options()
        options.policy = policy
        options.missingNodes = Set(missingNodes)
        options.isFromScratch = isFromScratch
        options.allowsEviction = !isWithoutEviction
        if !additions.isEmpty {
            var source = ManifestOptions()
            source.files = additions
            options.additions = try source.documents(project: defaultProject, console: console)
        }
        let report: ReplayReport
        do {
            report = try FleetReplay(recorded(console), options).run()
        } catch let error as ManifestError {
            throw CommandFailure(status: CommandExit.failure, message: error.description)
        }
        switch output.format {
        case .json: console.line(ManifestWriter.json(try JSONValue(encoding: report)))
        case .table: console.text(SimulateCommand.text(report))
        }
    }

    private func recorded(_ console: Console) throws -> RecordedFleet {
        let data: Data
        do {
            data = path == "-" ? console.input() : try Data(contentsOf: URL(fileURLWithPath: path))
        } catch {
            throw CommandFailure(
                status: CommandExit.failure, message: "\(path) can't be read: \(error.localizedDescription)")
        }
        guard let json = try? JSONDecoder().decode(JSONValue.self, from: data) else {
            throw CommandFailure(
                status: CommandExit.failure, message: "\(path) is no JSON; `roost snapshot -o FILE` writes such a file."
            )
        }
        do {
            return try RecordedFleet(json: json)
        } catch {
            let lines = error.problems.map { "\(path): \($0.description)" }
            throw CommandFailure(status: CommandExit.failure, message: lines.joined(separator: "\n"))
        }
    }

    // MARK: - As text

    static func text(_ report: ReplayReport) -> String {
        var parts = [totals(report).text]
        if !report.moves.isEmpty { parts.append("Replicas with another place:\n" + moves(report).text) }
        if !report.pending.isEmpty { parts.append("Replicas that wait:\n" + pending(report).text) }
        parts.append("Nodes (compute in devices, memory in GiB):\n" + nodes(report).text)
        return parts.joined(separator: "\n\n")
    }

    private static func totals(_ report: ReplayReport) -> Table {
        func row(_ name: String, _ value: (ReplayReport.Totals) -> String) -> [String] {
            [name, value(report.before), value(report.after)]
        }
        return Table(
            columns: [.words("FLEET"), .numbers("RECORDED"), .numbers(report.policy.uppercased())],
            rows: [
                row("devices") { "\($0.devices)" },
                row("compute promised") { String(format: "%.1f%%", $0.allocatedCompute) },
                row("memory promised") { String(format: "%.1f%%", $0.allocatedMemory) },
                row("fragmentation (devices)") { String(format: "%.2f", $0.fragmentation) },
                row("replicas placed") { "\($0.placed)" }, row("replicas waiting") { "\($0.pending)" },
            ])
    }

    private static func name(_ workload: ResourceReference) -> String {
        "\(workload.project ?? defaultProject)/\(workload.name)"
    }

    private static func moves(_ report: ReplayReport) -> Table {
        Table(
            columns: [.words("WORKLOAD"), .numbers("REPLICA"), .words("RECORDED"), .words("NOW")],
            rows: report.moves.map { move in
                [
                    name(move.workload), "\(move.replica)",
                    move.before.isEmpty ? "waits" : move.before.joined(separator: ","),
                    move.after.isEmpty ? "waits" : move.after.joined(separator: ","),
                ]
            })
    }

    private static func pending(_ report: ReplayReport) -> Table {
        Table(
            columns: [.words("WORKLOAD"), .numbers("REPLICAS"), .words("REASON")],
            rows: report.pending.map { [name($0.workload), "\($0.replicas)", $0.reason] })
    }

    private static func nodes(_ report: ReplayReport) -> Table {
        func load(_ load: ReplayReport.Load) -> [String] {
            [
                String(format: "%.2f", Double(load.compute) / 100), String(format: "%.1f", Double(load.memory) / 1024),
                "\(load.vgpus)",
            ]
        }
        return Table(
            columns: [
                .words("NODE"), .numbers("DEVICES"), .numbers("COMPUTE"), .numbers("MEMORY"), .numbers("VGPUS"),
                .numbers("-> COMPUTE"), .numbers("MEMORY"), .numbers("VGPUS"),
            ],
            rows: report.nodes.map { [$0.name, "\($0.devices)"] + load($0.before) + load($0.after) })
    }
}
