import FleetModel
import Testing

@Suite("Values of manifests")
struct ValueTests {
    @Test(
        "A time is written as RFC 3339 and read back",
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (951_827_696_250, "2000-02-29T12:34:56.250Z"),
            (-1, "1969-12-31T23:59:59.999Z"), (4_107_542_400_000, "2100-03-01T00:00:00Z"),
        ] as [(Int64, String)])
    func timestamps(_ milliseconds: Int64, _ text: String) {
        #expect(Timestamp(milliseconds: milliseconds).description == text)
        #expect(Timestamp(text)?.milliseconds == milliseconds)
    }

    @Test("Releases are read, compared, and go together within one minor release, servers first")
    func releases() throws {
        #expect(ReleaseVersion("1.20.3")?.description == "1.20.3")
        #expect(ReleaseVersion("1.2.3-rc.1+build") == ReleaseVersion(major: 1, minor: 2, patch: 3))
        for wrong in ["", "1", "1.2", "1.2.3.4", "v1.2.3", "1..3", "1.-2.3", "1.2.99999999999999999999"] {
            #expect(ReleaseVersion(wrong) == nil, "\(wrong)")
        }
        #expect(try #require(ReleaseVersion("1.9.9")) < #require(ReleaseVersion("1.10.0")))
        let plane = ReleaseVersion(major: 1, minor: 4, patch: 2)
        let skews = try ["1.4.9", "1.3.0", "1.2.9", "1.5.0", "0.9.0", "2.0.0"].map {
            plane.skew(of: try #require(ReleaseVersion($0)))
        }
        #expect(skews == [.compatible, .compatible, .tooOld, .tooNew, .tooOld, .tooNew])
    }

    @Test("An offset is taken into account, and what is no time is refused")
    func offsets() {
        #expect(Timestamp("2026-12-01T13:00:00+01:00") == Timestamp("2026-12-01T12:00:00Z"))
        #expect(Timestamp("2026-12-01T10:30:00.5-01:30") == Timestamp("2026-12-01T12:00:00.500Z"))
        for text in ["", "2026-12-01", "2026-13-01T00:00:00Z", "2026-12-01T25:00:00Z", "now"] {
            #expect(Timestamp(text) == nil, "\(text)")
        }
    }

    @Test(
        "A time span is read and written",
        arguments: [("90s", "1m30s"), ("1h30m", "1h30m"), ("250ms", "250ms"), ("2d", "2d")])
    func spans(_ text: String, _ shown: String) {
        #expect(TimeSpan(text)?.description == shown)
    }

    @Test(
        "What is no time span is refused",
        arguments: ["", "5", "m", "5x", "-1s", "99999999999999999999s", "9223372036854775807d"])
    func badSpans(_ text: String) {
        #expect(TimeSpan(text) == nil)
    }

    @Test("Memory is kept in mebibytes, rounded up, and written exactly")
    func memory() {
        #expect(MemoryQuantity("4GiB")?.mebibytes == 4096)
        #expect(MemoryQuantity("1 KiB")?.mebibytes == 1)
        #expect(MemoryQuantity(mebibytes: 1536).description == "1536MiB")
        #expect(MemoryQuantity(mebibytes: 2 << 20).description == "2TiB")
        #expect(MemoryQuantity("lots") == nil)
    }

    @Test("Compute is a share or a speed, and a speed becomes a share of a device")
    func compute() {
        #expect(ComputeQuantity("50%") == .percent(50))
        #expect(ComputeQuantity("12.5 TFLOPS") == .milliTeraflops(12_500))
        #expect(ComputeQuantity.milliTeraflops(12_500).description == "12.5TFLOPS")
        #expect(ComputeQuantity.milliTeraflops(12_005).description == "12.005TFLOPS")
        #expect(ComputeQuantity("fast") == nil)
        #expect(ComputeQuantity("-5%") == nil)
        #expect(ComputeQuantity.milliTeraflops(98_900).milliDevices(deviceMilliTeraflops: 989_000) == 100)
        #expect(ComputeQuantity.milliTeraflops(1).milliDevices(deviceMilliTeraflops: 989_000) == 1)
        #expect(ComputeQuantity.milliTeraflops(1).milliDevices(deviceMilliTeraflops: 0) == nil)
    }
}
