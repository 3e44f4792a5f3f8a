import Foundation
import Scheduling
import SchedulingExperiments

/// `scheduling-bench openb|scale|million FOLDER [--json FILE] [--seeds N]`.
struct BenchCommand {
    private enum Mistake: Error, CustomStringConvertible {
        case usage

        var description: String {
            "say what to run and where the trace is: openb, scale or million, then a folder, "
                + "then --json FILE and --seeds N as you like"
        }
    }

    private let verb: String
    private let folder: String
    private var json: String?
    private var seedCount = 10

    init(arguments: [String]) throws {
        guard arguments.count >= 2 else { throw Mistake.usage }
        verb = arguments[0]
        folder = arguments[1]
        var rest = arguments.dropFirst(2)
        while let option = rest.popFirst() {
            guard let value = rest.popFirst() else { throw Mistake.usage }
            switch option {
            case "--json": json = value
            case "--seeds":
                guard let count = Int(value), count > 0 else { throw Mistake.usage }
                seedCount = count
            default: throw Mistake.usage
            }
        }
    }

    func run() throws {
        var report = BenchReport()
        switch verb {
        case "openb": try OpenBTable(seedCount: seedCount).run(load, &report)
        case "scale":
            try scale(deviceCount: 99_392, prefix: "scheduling.100k", churn: 100_000, &report)
        case "million":
            try scale(deviceCount: 993_920, prefix: "scheduling.1M", churn: 100_000, &report)
        default: throw Mistake.usage
        }
        if let json { try report.write(to: json) }
    }

    private func load(_ workload: String) throws -> OpenBTrace {
        func text(_ name: String) throws -> String {
            try String(contentsOfFile: "\(folder)/openb_\(name).csv", encoding: .utf8)
        }
        return OpenBTrace(nodes: try text("node_list_gpu_node"), pods: try text("pod_list_\(workload)"))
    }

    private func scale(deviceCount: Int, prefix: String, churn: Int, _ report: inout BenchReport) throws {
        let experiment = ScaleExperiment(try load("default"), deviceCount: deviceCount)
        let scheduler = try experiment.makeScheduler()
        report.add(prefix + ".devices", Double(experiment.deviceCount), "devices")
        for figure in try experiment.searches(scheduler, prefix: prefix) { report.add(figure) }
        for figure in try experiment.decisions(scheduler, churn: churn, prefix: prefix) { report.add(figure) }
        for figure in try experiment.verdicts(scheduler, prefix: prefix) { report.add(figure) }
        guard deviceCount < 500_000 else { return }
        let differences = try experiment.differences(from: scheduler, count: 2000)
        report.add(prefix + ".differences_to_full_scan_in_2000", Double(differences), "decisions")
    }
}

/// Writes a line at once, also into a pipe.
func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

/// Figures, printed as they come and written as one file.
struct BenchReport {
    private struct Entry: Codable {
        var name: String
        var unit: String
        var value: Double
    }

    private struct Document: Codable {
        var date: String
        var figures: [Entry]
    }

    private var entries: [Entry] = []

    mutating func add(_ figure: ScaleExperiment.Figure) { add(figure.name, figure.value, figure.unit) }

    mutating func add(_ name: String, _ value: Double, _ unit: String, quietly: Bool = false) {
        entries.append(Entry(name: name, unit: unit, value: value))
        guard !quietly else { return }
        say("\(name) \(String(format: "%.6g", value)) \(unit)")
    }

    func write(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        let document = Document(date: ISO8601DateFormatter().string(from: Date()), figures: entries)
        try encoder.encode(document).write(to: URL(fileURLWithPath: path))
    }
}
