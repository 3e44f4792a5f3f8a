import Primitives
import Testing

@Suite("Units")
struct UnitsTests {
    @Test(
        "A number of bytes is read with its unit",
        arguments: [
            ("0", 0), ("65536", 65536), ("4GiB", 4 << 30), ("512MiB", 512 << 20), ("1.5 GiB", 3 << 29), ("2k", 2048),
            ("10B", 10), ("3TiB", 3 << 40), ("1GB", 1_000_000_000), (" 7", -1), ("16gib ", 16 << 30), ("1.5", 1),
        ])
    func bytes(_ text: String, _ count: Int) {
        #expect(Bytes(text)?.count == (count < 0 ? nil : UInt64(count)))
    }

    @Test(
        "What is no number of bytes is refused",
        arguments: ["", "GiB", "-1", "1.2.3", "4PiB", "4Gi", "4GBs", "1e9", "99999999999999999999", "16777216TiB", "."])
    func notBytes(_ text: String) {
        #expect(Bytes(text) == nil)
    }

    @Test(
        "A number of bytes is shown with the largest unit that fits",
        arguments: [
            (0, "0B"), (1023, "1023B"), (1024, "1KiB"), (1536, "1.5KiB"), (4 << 30, "4GiB"), ((5 << 40) - 1, "5TiB"),
        ])
    func shownBytes(_ count: Int, _ text: String) {
        #expect(Bytes(UInt64(count)).description == text)
    }

    @Test("The largest number of bytes is shown without a trap")
    func largest() {
        #expect(Bytes(.max).description == "16777216TiB")
    }

    @Test(
        "A share is read as a percentage or a fraction",
        arguments: [
            ("50%", 500_000), ("0.5", 500_000), ("1", 1_000_000), ("12.5 %", 125_000), ("0", 0), ("100%", 1_000_000),
        ])
    func ratio(_ text: String, _ parts: UInt32) {
        #expect(Ratio(text)?.partsPerMillion == parts)
    }

    @Test("A share beyond the whole is refused", arguments: ["101%", "1.1", "2", "-1", "", "%", "50", "a"])
    func notRatio(_ text: String) {
        #expect(Ratio(text) == nil)
    }

    @Test("A share of a number is rounded down and does not overflow")
    func ratioOf() {
        #expect(Ratio(percent: 50).of(7) == 3)
        #expect(Ratio.one.of(.max) == .max)
        #expect(Ratio(percent: 33).description == "33%")
        #expect(Ratio(partsPerMillion: 125_000).description == "12.5%")
        #expect(Ratio(percent: 200) == .one)
        #expect(Bytes(1) < Bytes(2) && Ratio(percent: 1) < .one)
        #expect(Ratio(percent: 47).percent == 47)
    }
}

@Suite("Hashing and numbers")
struct HashingTests {
    @Test("FNV-1a gives the published values")
    func fnv() {
        #expect(FNV1a64.hash([]) == 0xCBF2_9CE4_8422_2325)
        #expect(FNV1a64.hash([0x61]) == 0xAF63_DC4C_8601_EC8C)
        #expect(FNV1a64.hash([UInt8]("foobar".utf8)) == 0x8594_4171_F739_67E8)
    }

    @Test("SplitMix64 gives the published values and stays below a limit")
    func splitMix() {
        var numbers = SplitMix64(seed: 1_234_567)
        #expect(numbers.next() == 6_457_827_717_110_365_317)
        #expect(numbers.next() == 3_203_168_211_198_807_973)
        for limit: UInt64 in [1, 2, 7, 1000] {
            for _ in 0..<100 { #expect(numbers.next(below: limit) < limit) }
        }
        #expect(numbers.next(below: 0) == 0)
    }
}
