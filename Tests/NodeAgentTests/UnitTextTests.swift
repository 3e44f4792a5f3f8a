import NodeModel
import Testing

@Suite("Sizes and shares as text")
struct UnitTextTests {
    @Test(
        "A size reads as bytes",
        arguments: [
            ("1", 1), ("4096", 4096), ("1K", 1024), ("512MiB", 512 << 20), ("4GiB", 4 << 30), ("4g", 4 << 30),
            ("1.5GiB", 3 << 29), ("2GB", 2_000_000_000), ("1TiB", 1 << 40), ("0.5 GiB", 1 << 29),
        ] as [(String, UInt64)])
    func sizes(_ text: String, _ byteCount: UInt64) {
        #expect(MemorySize(parsing: text)?.byteCount == byteCount)
    }

    @Test(
        "What is no size above zero is refused",
        arguments: ["", "GiB", "0", "0GiB", "-1GiB", "1XB", "1..5GiB", "99999999999999TiB", "1 GiB more"])
    func noSizes(_ text: String) {
        #expect(MemorySize(parsing: text) == nil)
    }

    @Test(
        "A size prints in the largest unit that fits",
        arguments: [
            (0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (512 << 20, "512 MiB"), (3 << 29, "1.5 GiB"),
            ((8 << 30) - 1, "7.9 GiB"), (1 << 40, "1 TiB"),
        ] as [(UInt64, String)])
    func printedSizes(_ byteCount: UInt64, _ text: String) {
        #expect(MemorySize(byteCount: byteCount).description == text)
    }

    @Test("A request's mebibytes round up, a device's round down")
    func rounding() {
        let size = MemorySize(byteCount: (5 << 20) + 1)
        #expect(size.coveringMebibytes == 6)
        #expect(size.wholeMebibytes == 5)
        #expect(MemorySize(byteCount: .max).coveringMebibytes == 1 << 44)
        #expect(MemorySize.gibibytes(.max).byteCount % MemorySize.granule == 0)
    }

    @Test(
        "A share reads as percent",
        arguments: [("1", 1), ("50", 50), ("50%", 50), ("100%", 100), ("0.5", 50), ("0.25", 25), (".1", 10)])
    func shares(_ text: String, _ percent: Int) {
        #expect(ComputeShare(parsing: text)?.percent == percent)
    }

    @Test(
        "What is no share of 1 to 100 percent is refused",
        arguments: ["", "%", "0", "101", "-5", "0.0", "0.255", "1.5", "half", "50 %%"])
    func noShares(_ text: String) {
        #expect(ComputeShare(parsing: text) == nil)
    }
}
