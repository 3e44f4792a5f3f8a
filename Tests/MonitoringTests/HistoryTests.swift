import FleetModel
import Testing

@testable import Monitoring

@Suite("History of metrics")
struct HistoryTests {
    private static let start = Timestamp(milliseconds: 1_796_126_400_000)

    private func samples(_ metric: Metric, _ values: [[String]: Double]) -> FleetSamples {
        var sheet = SampleSheet()
        for (labels, value) in values { sheet.add(metric, labels, value) }
        return FleetSamples(families: sheet.sorted())
    }

    private func at(_ seconds: Int64) -> Timestamp { HistoryTests.start + .seconds(seconds) }

    @Test("Values of one bucket become its least, greatest, average and last")
    func buckets() {
        var history = MetricHistory(tracking: [Metric.oldestWait.name])
        for (second, value) in [3.0, 9, 6].enumerated() {
            history.record(samples(.oldestWait, [["a"]: value]), at: at(Int64(second)))
        }
        let points = history.points(
            of: Metric.oldestWait.name, labels: ["project": "a"], from: at(0), to: at(59), step: .minutes(1))
        #expect(points.count == 1)
        #expect(points.first?.minimum == 3 && points.first?.maximum == 9)
        #expect(points.first?.average == 6 && points.first?.last == 6)
        let fine = history.points(of: Metric.oldestWait.name, labels: ["project": "a"], from: at(0), to: at(59))
        #expect(fine.map(\.last) == [3, 9, 6])
        #expect(fine.map(\.start) == [at(0), at(1), at(2)])
    }

    @Test("A ring keeps its newest buckets, and a longer question is answered in larger steps")
    func tiers() {
        var history = MetricHistory(
            tracking: [Metric.oldestWait.name],
            tiers: [.init(step: .minutes(1), capacity: 5), .init(step: .seconds(1), capacity: 10)])
        for second in Int64(0)..<180 {
            history.record(samples(.oldestWait, [["a"]: Double(second)]), at: at(second))
        }
        let labels = ["project": "a"]
        let name = Metric.oldestWait.name
        #expect(
            history.points(of: name, labels: labels, from: at(170), to: at(179)).map(\.last)
                == (170...179).map(Double.init))
        #expect(
            history.points(of: name, labels: labels, from: at(0), to: at(179), step: .seconds(1)).map(\.last)
                == (170...179).map(Double.init))
        #expect(history.points(of: name, labels: labels, from: at(0), to: at(179)).map(\.last) == [59, 119, 179])
    }

    @Test("Growth is the same in fine and coarse steps, and a restart of a counter counts from zero")
    func growth() {
        var history = MetricHistory(
            tracking: [Metric.vgpuResumed.name],
            tiers: [.init(step: .seconds(1), capacity: 60), .init(step: .minutes(1), capacity: 60)])
        let labels = ["p", "w", "v", "pool", "n"]
        for (second, value) in [(0, 100.0), (30, 104), (60, 2), (90, 5)] {
            history.record(samples(.vgpuResumed, [labels: value]), at: at(Int64(second)))
        }
        let named = Dictionary(uniqueKeysWithValues: zip(Metric.vgpuResumed.labels, labels))
        let name = Metric.vgpuResumed.name
        #expect(history.growth(of: name, labels: named, over: .minutes(1), at: at(90)) == 5)
        #expect(history.growth(of: name, labels: named, over: .minutes(10), at: at(90)) == 9)
        #expect(history.growth(of: name, labels: named, over: .seconds(20), at: at(120)) == 0)
        #expect(history.growth(of: name, labels: [:], over: .minutes(1), at: at(90)) == nil)
    }

    @Test("Only tracked metrics, those that rules need, and so many series are kept")
    func bounds() {
        var history = MetricHistory(tracking: [Metric.oldestWait.name], seriesMax: 2)
        history.record(samples(.vgpuResumed, [["p", "w", "v", "pool", "n"]: 1]), at: at(0))
        #expect(history.seriesCount == 0)
        var rule = AlertRuleSpec(
            metric: Metric.vgpuResumed.name, .above, 0, severity: .info, message: "")
        rule.growthOver = .minutes(2)
        history.follow([rule])
        history.record(samples(.vgpuResumed, [["p", "w", "v", "pool", "n"]: 1]), at: at(1))
        #expect(history.seriesCount == 1)
        history.record(samples(.oldestWait, [["a"]: 1, ["b"]: 1, ["c"]: 1]), at: at(2))
        #expect(history.seriesCount == 2)
        #expect(history.droppedCount == 2)
    }

    @Test("A series that nobody tells of is forgotten after a day")
    func absence() {
        var history = MetricHistory(tracking: [Metric.oldestWait.name])
        history.record(samples(.oldestWait, [["a"]: 1, ["b"]: 1]), at: at(0))
        history.record(samples(.oldestWait, [["b"]: 1]), at: at(23 * 3600))
        #expect(history.seriesCount == 2)
        history.record(samples(.oldestWait, [["b"]: 1]), at: at(25 * 3600))
        #expect(history.labels(of: Metric.oldestWait.name) == [["project": "b"]])
    }
}
