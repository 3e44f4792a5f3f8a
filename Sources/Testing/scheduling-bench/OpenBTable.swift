import Foundation
import Scheduling
import SchedulingExperiments

/// The published table beside what this scheduler gets, then our own columns, then the replay with departures.
struct OpenBTable {
    private struct Column {
        var name: String
        var policy: PlacementPolicy
        var remote: RemoteAccess = .localOnly
        /// Whether typical sizes are learnt on the way; the paper's FGD knows them from the beginning.
        var isLearning = false
    }

    private static let workloads = ["default", "cpu200", "gpushare60"]
    private static let published: [PlacementPolicy: [Double]] = [
        .random: [86.30, 83.03, 82.81], .dotProduct: [90.62, 87.45, 86.82], .gpuClustering: [91.65, 89.67, 86.90],
        .gpuPacking: [91.78, 89.98, 87.15], .bestFit: [92.86, 92.15, 89.06],
        .fragmentationGradient: [95.23, 94.82, 91.25],
    ]
    private static let pooled = RemoteAccess(isAllowed: true, networkCost: 0)
    private static let columns: [Column] = [
        Column(name: "Random", policy: .random), Column(name: "DotProd", policy: .dotProduct),
        Column(name: "GpuClustering", policy: .gpuClustering), Column(name: "GpuPacking", policy: .gpuPacking),
        Column(name: "BestFit", policy: .bestFit), Column(name: "FGD", policy: .fragmentationGradient),
        Column(name: "roost, same rules", policy: .roost),
        Column(name: "roost, learning", policy: .roost, isLearning: true),
        Column(name: "roost, pooled", policy: .roost, remote: pooled),
        Column(name: "roost, pooled, learning", policy: .roost, remote: pooled, isLearning: true),
    ]

    let seedCount: Int

    func run(_ load: (String) throws -> OpenBTrace, _ report: inout BenchReport) throws {
        say("Compute allocated at 100 % arrived, in percent, mean of \(seedCount) seeds ± standard deviation;")
        say("in brackets the published mean (Beware of Fragmentation, USENIX ATC 2023).\n")
        say(pad("policy", 26) + OpenBTable.workloads.map { pad($0, 26) }.joined())
        for column in OpenBTable.columns { try row(column, load, &report) }
        say("\nReplay with departures (arrivals compressed to 110 % load on average, no request is moved):")
        for workload in OpenBTable.workloads { try replay(workload, try load(workload), &report) }
    }

    private func row(
        _ column: Column, _ load: (String) throws -> OpenBTrace, _ report: inout BenchReport
    ) throws {
        var line = pad(column.name, 26)
        for (index, workload) in OpenBTable.workloads.enumerated() {
            let trace = try load(workload)
            var results: [Double] = []
            var remote = 0
            var placed = 0
            for seed in 0..<seedCount {
                let experiment = OpenBExperiment(
                    trace, settings: OpenBTable.settings(column), remote: column.remote)
                let outcome = try experiment.run(seed: UInt64(42 + seed), upTo: 100)
                results.append(outcome.allocation[100] ?? 0)
                remote += outcome.remoteCount
                placed += outcome.placedCount
            }
            let mean = results.reduce(0, +) / Double(results.count)
            let variance = results.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(results.count)
            var cell = String(format: "%.2f±%.2f", mean, variance.squareRoot())
            if let known = OpenBTable.published[column.policy]?[index], !column.remote.isAllowed {
                cell += String(format: " (%.2f)", known)
            }
            if column.remote.isAllowed {
                cell += " remote \(remote / seedCount)/\(placed / seedCount)"
                report.add(
                    "openb.\(workload).\(column.name).remote", Double(remote) / Double(seedCount), "pods", quietly: true
                )
            }
            report.add("openb.\(workload).\(column.name)", mean, "%", quietly: true)
            line += pad(cell, 26)
        }
        say(line)
    }

    private func replay(_ workload: String, _ trace: OpenBTrace, _ report: inout BenchReport) throws {
        let replay = OpenBReplay(trace, load: 110)
        for name in ["FGD", "roost, same rules", "roost, pooled"] {
            guard let column = OpenBTable.columns.first(where: { $0.name == name }) else { continue }
            let outcome = try replay.run(
                settings: OpenBTable.settings(column), remote: column.remote, seed: 42)
            let tenths = outcome.allocation.map { String(format: "%.0f", $0) }.joined(separator: " ")
            say(
                "\(pad(workload, 12))\(pad(name, 20))"
                    + String(format: "mean %.2f %%  ", outcome.meanAllocation)
                    + "wait p50 \(outcome.waitP50) s p95 \(outcome.waitP95) s mean \(outcome.waitMean) s  "
                    + "moves \(outcome.moveCount)  remote \(outcome.remoteCount)  by tenths \(tenths)")
            let prefix = "openb.replay.\(workload).\(name)"
            report.add(prefix + ".allocation", outcome.meanAllocation, "%", quietly: true)
            report.add(prefix + ".wait.p50", Double(outcome.waitP50), "s", quietly: true)
            report.add(prefix + ".wait.p95", Double(outcome.waitP95), "s", quietly: true)
            report.add(prefix + ".wait.mean", Double(outcome.waitMean), "s", quietly: true)
            report.add(prefix + ".moves", Double(outcome.moveCount), "moves", quietly: true)
            report.add(prefix + ".remote", Double(outcome.remoteCount), "pods", quietly: true)
        }
    }

    private static func settings(_ column: Column) -> SchedulerSettings {
        var settings = SchedulerSettings()
        settings.policy = column.policy
        settings.learnsPopularity = column.isLearning
        settings.bestFitScale = ResourceVector(cpuMilli: 128_000, computeMilli: 8000)
        return settings
    }

    private func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }
}
