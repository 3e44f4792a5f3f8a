import FleetModel
import Foundation
import Testing

@testable import Monitoring

@Suite("Metrics as text")
struct ExpositionTests {
    @Test("The page of the small fleet is the checked-in one, in both forms")
    func page() throws {
        for (format, path) in [
            (MetricsPage.Format.prometheus, "Tests/Fixtures/metrics/fleet.prom"),
            (.openMetrics, "Tests/Fixtures/metrics/fleet.openmetrics"),
        ] {
            let text = MetricsPage.text(
                snapshot: FixtureFleet.snapshot, telemetry: FixtureFleet.telemetry, counters: FixtureFleet.counters,
                format: format)
            #expect(try CheckedFile.text(path, rewrittenAs: text) == text, "\(path) is out of date")
        }
    }

    @Test("The reference page is the table's")
    func reference() throws {
        let text = MetricsReference.markdown
        #expect(try CheckedFile.text("Documentation/metrics.md", rewrittenAs: text) == text)
    }

    @Test("The small fleet has every metric of the table but the count of left-out series")
    func completeness() {
        let written = Set(FixtureFleet.samples.families.map(\.metric.name))
        let missing = Metric.all.map(\.name).filter { !written.contains($0) }
        #expect(missing == ["roost_metrics_dropped_series"])
        #expect(Set(Metric.all.map(\.name)).count == Metric.all.count)
    }

    @Test("Names, endings and labels follow the conventions", arguments: Metric.all)
    func conventions(_ metric: Metric) {
        let isOurs = metric.name.hasPrefix("roost_")
        #expect(isOurs || metric.name.hasPrefix("DCGM_FI_"))
        #expect(metric.name.wholeMatch(of: #/[a-zA-Z_][a-zA-Z0-9_]*/#) != nil)
        #expect(metric.name.hasSuffix("_total") == (metric.kind == .counter))
        #expect(metric.name.hasSuffix("_info") == (metric.kind == .info))
        if isOurs, let unit = metric.unit {
            let ending = unit == "TFLOPS" ? "teraflops" : unit
            #expect(metric.name.contains("_\(ending)"))
        }
        #expect(Set(metric.labels).count == metric.labels.count)
        #expect(metric.help.hasSuffix(".") && !metric.help.contains("\n"))
    }

    @Test("Label values are escaped, empty ones left out")
    func escaping() throws {
        var sheet = SampleSheet()
        sheet.add(.dcgmPower, ["0", "", "a\"b\\c\nd", "", "", ""], 1.5)
        let text = MetricsPage.text(FleetSamples(families: sheet.sorted()), format: .prometheus)
        #expect(text.hasSuffix("DCGM_FI_DEV_POWER_USAGE{gpu=\"0\",device=\"a\\\"b\\\\c\\nd\"} 1.5\n"))
    }

    @Test("OpenMetrics names counters and infos without their endings, tells units and ends with EOF")
    func openMetrics() {
        let text = MetricsPage.text(FixtureFleet.samples, format: .openMetrics)
        #expect(text.contains("# TYPE roost_api_requests counter\n"))
        #expect(text.contains("\nroost_api_requests_total{operation=\"createWorkload\",code=\"422\"} 1\n"))
        #expect(text.contains("# TYPE roost_build info\n"))
        #expect(text.contains("# UNIT roost_vgpu_throttled_seconds seconds\n"))
        #expect(text.hasSuffix("\n# EOF\n"))
        #expect(!MetricsPage.text(FixtureFleet.samples, format: .prometheus).contains("EOF"))
    }

    @Test("A histogram's buckets add up to its count")
    func histogram() {
        var histogram = Histogram(bounds: [0.1, 1])
        for value in [0.05, 0.1, 0.5, 7, .nan] { histogram.observe(value) }
        var sheet = SampleSheet()
        sheet.add(.apiDuration, histogram)
        let lines = MetricsPage.text(FleetSamples(families: sheet.sorted()), format: .prometheus).split(separator: "\n")
        #expect(
            lines.dropFirst(2).map { $0.dropFirst("roost_api_request_duration_seconds".count) }
                == [
                    "_bucket{le=\"0.1\"} 2", "_bucket{le=\"1.0\"} 3", "_bucket{le=\"+Inf\"} 4", "_sum 7.65", "_count 4",
                ])
    }

    @Test("Numbers that are none have their own words")
    func numbers() {
        #expect(
            [.nan, .infinity, -.infinity, 3, 0.25, 1e20].map(MetricsPage.number) == [
                "NaN", "+Inf", "-Inf", "3", "0.25", "1e+20",
            ])
    }

    @Test("A client gets OpenMetrics where it asks for it")
    func negotiation() {
        #expect(MetricsPage.Format(accept: nil) == .prometheus)
        #expect(MetricsPage.Format(accept: "text/plain;version=0.0.4;q=0.5,*/*;q=0.1") == .prometheus)
        #expect(
            MetricsPage.Format(accept: "application/openmetrics-text; version=1.0.0,text/plain;q=0.5") == .openMetrics)
        #expect(MetricsPage.Format(accept: "application/openmetrics-text;q=0") == .prometheus)
    }

    @Test("More series than a metric may have are left out and counted")
    func limits() {
        var counters = FleetCounters()
        for number in 0..<70 { counters.countEviction(reason: "reason-\(number)") }
        let samples = FleetSamples(snapshot: FixtureFleet.snapshot, telemetry: FleetTelemetry(), counters: counters)
        #expect(samples["roost_evictions_total"]?.samples.count == 64)
        let dropped = samples["roost_metrics_dropped_series"]?.samples
        #expect(dropped?.map(\.labelValues) == [["roost_evictions_total"]])
        #expect(dropped?.map(\.value) == [6])
    }

    @Test("A heartbeat's values rank before the store's, and the next heartbeat replaces them")
    func heartbeat() throws {
        var report = DeviceReport(
            id: "gpu0", vendor: "nvidia", model: "H100", memory: MemoryQuantity(mebibytes: 81920))
        report.utilization = Percent(7)
        report.usedMemory = MemoryQuantity(mebibytes: 1)
        let facts = NodeFacts(address: "gpu-1", version: "1.0.0")
        var telemetry = FixtureFleet.telemetry
        telemetry.record(HeartbeatRequest(epoch: 1, facts: facts, devices: [report], vgpus: []), of: "gpu-1")
        let samples = FleetSamples(
            snapshot: FixtureFleet.snapshot, telemetry: telemetry, counters: FleetCounters())
        #expect(samples["roost_device_utilization_ratio"]?.samples.map(\.value) == [0.07])
        #expect(samples["roost_device_memory_used_bytes"]?.samples.map(\.value) == [1_048_576])
        #expect(samples["roost_vgpu_utilization_ratio"] == nil)
    }
}
