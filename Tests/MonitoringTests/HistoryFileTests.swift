import FleetModel
import FleetStore
import Foundation
import SQLiteHistory
import Testing

@testable import Monitoring

@Suite("The history's file")
struct HistoryFileTests {
    private static let start = Timestamp(milliseconds: 1_796_126_400_000)
    private let folder = FileManager.default.temporaryDirectory
        .appendingPathComponent("roost-history-\(UUID().uuidString)").path
    private var path: String { folder + "/history.sqlite" }
    private let labels = ["project": "a \"b\"=c,d"]

    init() throws { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) }

    private func at(_ seconds: Int64) -> Timestamp { HistoryFileTests.start + .seconds(seconds) }

    private func row(_ step: TimeSpan, _ moment: Timestamp, _ value: Float, _ name: String? = nil) -> HistoryRow {
        HistoryRow(
            series: SeriesName(metric: "m", labels: name.map { ["project": $0] } ?? labels), step: step,
            bucket: HistoryBucket(number: moment.milliseconds / step.milliseconds, value: value, growth: value / 2))
    }

    private func numbers(_ tier: HistoryTier, _ first: Timestamp, _ last: Timestamp) -> ClosedRange<Int64> {
        tier.number(of: first)...tier.number(of: last)
    }

    @Test("What was appended is read again, by another process too, and gaps stay gaps")
    func roundTrip() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let tier = HistoryTier.usual()[0]
        do {
            let file = try MetricHistoryFile(path: path)
            try await file.append(
                [row(tier.step, at(0), 1.5), row(tier.step, at(10), -2), row(tier.step, at(40), 7)], at: at(40))
        }
        let file = try MetricHistoryFile(path: path)
        #expect(await file.labels(of: "m") == [labels])
        let read = try await file.buckets(
            of: "m", labels: [labels, ["project": "other"]], step: tier.step, numbers: numbers(tier, at(0), at(60)))
        #expect(read.count == 1 && read.first?.labels == labels)
        #expect(read.first?.buckets.map(\.last) == [1.5, -2, 7])
        #expect(read.first?.buckets.map(\.number) == [0, 1, 4].map { tier.number(of: at(0)) + $0 })
        #expect(read.first?.buckets.map(\.growth) == [0.75, -1, 3.5])
        #expect(try await file.recent(at: at(60)).map(\.bucket.last) == [1.5, -2, 7])
    }

    @Test("Each step is kept for its time alone, and a series without values is forgotten")
    func pruning() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let tiers = HistoryTier.usual(span: .hours(48))
        let file = try MetricHistoryFile(path: path, options: .init(tiers: tiers))
        try await file.append(tiers.map { row($0.step, at(0), 1) }, at: at(0))
        func counts() async throws -> [Int] {
            var counts: [Int] = []
            for tier in tiers {
                let read = try await file.buckets(
                    of: "m", labels: [labels], step: tier.step, numbers: numbers(tier, at(0), at(1)))
                counts.append(read.first?.buckets.count ?? 0)
            }
            return counts
        }
        #expect(try await counts() == [1, 1, 1])
        try await file.append([], at: at(2 * 3600))
        #expect(try await counts() == [0, 1, 1])
        try await file.append([], at: at(25 * 3600))
        #expect(try await counts() == [0, 0, 1])
        try await file.append([], at: at(49 * 3600))
        #expect(try await counts() == [0, 0, 0])
        #expect(await file.labels(of: "m").isEmpty)
    }

    @Test("A file never grows beyond its size: the oldest go first")
    func size() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let tiers = [HistoryTier(step: .seconds(10), span: .hours(24 * 365), recentCount: 1)]
        let file = try MetricHistoryFile(path: path, options: .init(tiers: tiers, maximumByteCount: 256 << 10))
        for second in Int64(0)..<400 {
            let rows = (0..<100).map { row(.seconds(10), at(second * 10), Float(second), "p\($0)") }
            try await file.append(rows, at: at(second * 10))
        }
        #expect(try await file.byteCount <= 256 << 10)
        let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int64 ?? 0
        #expect(size <= 256 << 10)
        let read = try await file.buckets(
            of: "m", labels: [["project": "p7"]], step: .seconds(10), numbers: numbers(tiers[0], at(0), at(4000)))
        let values = read.first?.buckets.map(\.last) ?? []
        #expect(values.last == 399 && values.count > 20 && values.count < 399)
        #expect(values == (400 - values.count..<400).map(Float.init))
    }

    @Test("A damaged or foreign file is put aside, one that is open is refused")
    func damage() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Data("this is no database, but long enough to be looked at as one".utf8)
            .write(to: URL(fileURLWithPath: path))
        let (file, aside) = try MetricHistoryFile.openOrReplace(path: path, options: .init())
        #expect(aside == path + ".damaged")
        #expect(FileManager.default.fileExists(atPath: path + ".damaged"))
        try await file.append([row(.seconds(10), at(0), 1)], at: at(0))
        #expect { try MetricHistoryFile(path: path) } throws: { ($0 as? StoreError)?.code == .unavailable }
    }

    @Test("A rule looks back over a restart, and charts go on where they were")
    func restart() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let names = ["p", "w", "v", "pool", "n"]
        let labels = Dictionary(uniqueKeysWithValues: zip(Metric.vgpuResumed.labels, names))
        func samples(_ value: Double) -> FleetSamples {
            var sheet = SampleSheet()
            sheet.add(.vgpuResumed, names, value)
            return FleetSamples(families: sheet.sorted())
        }
        var rule = AlertRuleSpec(metric: Metric.vgpuResumed.name, .above, 8, severity: .info, message: "")
        rule.growthOver = .minutes(5)
        var history = MetricHistory(tracking: [])
        history.follow([rule])
        do {
            let file = try MetricHistoryFile(path: path)
            for second in stride(from: Int64(0), to: 95, by: 5) {
                history.record(samples(Double(second / 5)), at: at(second))
                try await file.append(history.takeEnded(), at: at(second))
            }
        }
        // The process is killed here: the bucket that began at 90 s was in memory alone.
        let file = try MetricHistoryFile(path: path)
        var next = MetricHistory(tracking: [])
        next.follow([rule])
        next.restore(try await file.recent(at: at(97)))
        next.record(samples(20), at: at(100))
        let name = Metric.vgpuResumed.name
        #expect(next.growth(of: name, labels: labels, over: .minutes(5), at: at(100)) == 20)
        let query = AlertQuery(rule: rule, samples: samples(20), history: next, moment: at(100))
        #expect(query.matches(max: 10).map(\.value) == [20])
        // The minute that went on is whole again, but for what was lost.
        for second in stride(from: Int64(105), through: 125, by: 5) { next.record(samples(20), at: at(second)) }
        let minutes = next.takeEnded().filter { $0.step == .minutes(1) }.map(\.bucket)
        #expect(minutes.map(\.number) == [HistoryTier.usual()[1].number(of: at(60))])
        #expect(minutes.map(\.count) == [10])
        #expect(minutes.first?.maximum == 20 && minutes.first?.minimum == 12)
    }
}
