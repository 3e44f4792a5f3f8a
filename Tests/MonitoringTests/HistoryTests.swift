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

    private static let tiers = [
        HistoryTier(step: .seconds(10), span: .minutes(10), recentCount: 6),
        HistoryTier(step: .minutes(1), span: .hours(2), recentCount: 5),
        HistoryTier(step: .minutes(15), span: .hours(48), recentCount: 4),
    ]

    /// A history of a series, of the values at their seconds.
    private func history(_ values: [(Int64, Double)]) -> (history: MetricHistory, ended: [HistoryRow]) {
        var history = MetricHistory(tracking: [Metric.oldestWait.name], tiers: HistoryTests.tiers)
        var ended: [HistoryRow] = []
        for (second, value) in values {
            history.record(samples(.oldestWait, [["a"]: value]), at: at(second))
            ended += history.takeEnded()
        }
        return (history, ended)
    }

    private func buckets(_ rows: [HistoryRow], _ step: TimeSpan) -> [HistoryBucket] {
        rows.filter { $0.step == step }.map(\.bucket)
    }

    @Test("Values of one bucket become its least, greatest, average and last")
    func values() {
        let (_, ended) = history([(0, 3), (4, 9), (8, 6), (12, 1)])
        var expected = HistoryBucket(
            number: HistoryTests.tiers[0].number(of: at(0)), minimum: 3, maximum: 9, average: 6, last: 6, growth: 12)
        expected.count = 3
        #expect(buckets(ended, .seconds(10)) == [expected])
    }

    @Test("Each step is what all of its values say, and a gap is a gap in each")
    func downSampling() {
        // Odd times, so that buckets have different counts; nothing from 20 to 40 minutes.
        let times = (0..<900).map { Int64($0) * 7 }.filter { !(1200..<2400).contains($0) }
        let values = times.map { ($0, Double(($0 * 37) % 101)) }
        let ended = history(values).ended
        for tier in HistoryTests.tiers {
            let groups = Dictionary(grouping: values) { tier.number(of: at($0.0)) }
            let made = buckets(ended, tier.step)
            let last = tier.number(of: at(times.last ?? 0))
            #expect(made.map(\.number) == groups.keys.sorted().filter { $0 < last })
            for bucket in made {
                let own = (groups[bucket.number] ?? []).map { Float($0.1) }
                #expect(bucket.count == own.count)
                #expect(bucket.minimum == own.min() && bucket.maximum == own.max() && bucket.last == own.last)
                #expect(abs(bucket.average - own.reduce(0, +) / Float(own.count)) < 0.01)
            }
        }
    }

    @Test("Merged buckets are the same as longer ones")
    func merging() {
        let ended = history((0..<2000).map { (Int64($0) * 5, Double($0 % 17)) }).ended
        let fine = buckets(ended, .seconds(10))
        let whole = buckets(ended, .minutes(1))
        let merged = HistoryBucket.merged(fine, by: 6).prefix(whole.count)
        for (left, right) in zip(merged, whole) {
            #expect(left.number == right.number && left.count == right.count && left.growth == right.growth)
            #expect(left.minimum == right.minimum && left.maximum == right.maximum)
            #expect(abs(left.average - right.average) < 0.001)
        }
        #expect(merged.count == whole.count && whole.count > 100)
        #expect(HistoryBucket.merged([], by: 6).isEmpty)
    }

    @Test("A question is answered from the shortest step that reaches back, or the longest that suffices")
    func sources() {
        func source(_ ago: TimeSpan, _ step: TimeSpan?) -> HistoryQuestion.Source {
            let now = at(100_000)
            let since = Timestamp(milliseconds: now.milliseconds - ago.milliseconds)
            return HistoryQuestion(metric: "m", since: since, until: now, step: step)
                .source(HistoryTests.tiers, now: now)
        }
        #expect(source(.minutes(5), nil).step == .seconds(10))
        #expect(source(.minutes(5), .seconds(1)).step == .seconds(10))
        #expect(source(.minutes(5), .seconds(25)).step == .seconds(30))
        #expect(source(.minutes(5), .minutes(2)).step == .minutes(2) && source(.minutes(5), .minutes(2)).tier == 1)
        #expect(source(.hours(1), .seconds(10)).step == .minutes(1))
        #expect(source(.hours(47), nil).step == .minutes(15))
        #expect(source(.hours(1000), .hours(1)).step == .hours(1) && source(.hours(1000), .hours(1)).tier == 2)
    }

    @Test("An answer has the buckets that go on, and none where there was nothing")
    func answers() {
        let (history, ended) = history([(0, 1), (5, 3), (12, 5), (41, 9), (43, 11)])
        let question = HistoryQuestion(metric: Metric.oldestWait.name, since: at(0), until: at(45))
        let source = question.source(HistoryTests.tiers, now: at(45))
        let kept = [(labels: ["project": "a"], buckets: buckets(ended, .seconds(10)))]
        let open = history.openBuckets(of: Metric.oldestWait.name, tier: source.tier)
        let answer = question.answer(source, kept: kept, open: open)
        #expect(answer.series.map(\.labels) == [["project": "a"]])
        #expect(answer.series.first?.points.map(\.at) == [at(0), at(10), at(40)])
        #expect(answer.series.first?.points.map(\.average) == [2, 5, 10])
        let minute = history.openBuckets(of: Metric.oldestWait.name, tier: 1)
        #expect(minute[["project": "a"]]?.count == 5 && minute[["project": "a"]]?.maximum == 11)
    }

    @Test("What was kept is taken in again: open buckets of longer steps, last values, no more than there was")
    func restoring() {
        let values = (0..<400).map { (Int64($0) * 5, Double($0)) }
        let (whole, ended) = history(values)
        var restored = MetricHistory(tracking: [Metric.oldestWait.name], tiers: HistoryTests.tiers)
        restored.restore(ended)
        #expect(restored.takeEnded().isEmpty)
        let name = Metric.oldestWait.name
        for tier in 1...2 {
            let before = whole.openBuckets(of: name, tier: tier)[["project": "a"]]
            let after = restored.openBuckets(of: name, tier: tier)[["project": "a"]]
            // Only the shortest bucket that went on is missing: two values.
            #expect(after?.number == before?.number && after?.count == (before?.count ?? 0) - 2)
        }
    }

    @Test("Growth is the same in fine and coarse steps, and a restart of a counter counts from zero")
    func growth() {
        var history = MetricHistory(tracking: [Metric.vgpuResumed.name], tiers: HistoryTests.tiers)
        let labels = ["p", "w", "v", "pool", "n"]
        for (second, value) in [(0, 100.0), (30, 104), (60, 2), (90, 5)] {
            history.record(samples(.vgpuResumed, [labels: value]), at: at(Int64(second)))
        }
        let named = Dictionary(uniqueKeysWithValues: zip(Metric.vgpuResumed.labels, labels))
        let name = Metric.vgpuResumed.name
        #expect(history.growth(of: name, labels: named, over: .minutes(1), at: at(90)) == 5)
        #expect(history.growth(of: name, labels: named, over: .minutes(5), at: at(90)) == 9)
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
        #expect(history.seriesCount == 1)
    }
}
