/// How much of an idle device typical requests cannot use, looked up instead of summed over all of them.
///
/// The fragmentation of a host is what FGD (ATC 2023) defines: over typical sizes m, weighted by popularity, the idle
/// compute that m cannot use. For sizes of one device that is a sum over devices of idle × (part of arrivals that
/// cannot
/// use a device like this), so that one table by (model, CPU rank, compute rank, VRAM rank) answers it; sizes of
/// several
/// devices are corrected for one by one. Numbers are integers, so that no order of summation matters.
final class FragmentationTable {
    /// A typical size of several devices.
    struct Several {
        var share: Int64
        var count: Int32
        var cpu: Int32
        var vram: Int32
        /// Where the compute that it needs of each model begins in `needs`.
        var firstNeed: Int
    }

    /// One in the fixed-point numbers of shares.
    static let one: Int64 = 1 << 20
    /// Devices may be oversold up to ten times.
    private static let largestMilli = 10_000

    let cells: UnsafeMutablePointer<Int32>
    let milliRanks: UnsafeMutablePointer<UInt8>
    let cpuThresholds: UnsafeMutablePointer<Int32>
    let cpuCount: Int
    let vramThresholds: UnsafeMutablePointer<Int32>
    let vramCount: Int
    let milliCount: Int
    let modelCount: Int
    let several: UnsafeMutablePointer<Several>
    let severalCount: Int
    let needs: UnsafeMutablePointer<Int32>

    init(typical: [Popularity.Typical], models: [FleetState.Model]) {
        let shares = typical.map { Int64($0.share * Double(FragmentationTable.one)) }
        let need = typical.map { entry in models.map { FragmentationTable.need(of: entry.size, on: $0) } }
        let single = typical.indices.filter { typical[$0].size.count == 1 }
        let milli = Set(single.flatMap { index in need[index].filter { $0 >= 0 } }).sorted()
        let vram = Set(single.map { Int32(clamping: typical[$0].size.vramMiB) }).sorted()
        let cpu = Set(single.map { Int32(clamping: typical[$0].size.cpuMilli) }).sorted()
        modelCount = models.count
        cpuCount = cpu.count
        milliCount = milli.count + 1
        vramCount = vram.count
        cpuThresholds = FragmentationTable.copy(cpu)
        vramThresholds = FragmentationTable.copy(vram)
        milliRanks = .allocate(capacity: FragmentationTable.largestMilli + 1)
        var rank = 0
        for amount in 0...FragmentationTable.largestMilli {
            while rank < milli.count, milli[rank] <= amount { rank += 1 }
            milliRanks[amount] = UInt8(min(rank, 255))
        }
        let cellCount = max(models.count, 1) * (cpu.count + 1) * milliCount * (vram.count + 1)
        cells = .allocate(capacity: cellCount)
        cells.initialize(repeating: Int32(FragmentationTable.one), count: cellCount)
        for (index, model) in single.flatMap({ index in models.indices.map { (index, $0) } }) {
            let size = typical[index].size
            guard need[index][model] >= 0 else { continue }
            let first = (
                cpu: cpu.firstIndex { $0 >= size.cpuMilli } ?? cpu.count,
                milli: milli.firstIndex { $0 >= need[index][model] } ?? milli.count,
                vram: vram.firstIndex { $0 >= size.vramMiB } ?? vram.count
            )
            // Whatever has at least this much can be used by the size.
            for c in (first.cpu + 1)..<(cpu.count + 1) {
                for m in (first.milli + 1)..<milliCount {
                    let row = ((model * (cpu.count + 1) + c) * milliCount + m) * (vram.count + 1)
                    for v in (first.vram + 1)..<(vram.count + 1) { cells[row + v] -= Int32(shares[index]) }
                }
            }
        }
        let multiple = typical.indices.filter { typical[$0].size.count > 1 }.prefix(8)
        severalCount = multiple.count
        several = .allocate(capacity: max(multiple.count, 1))
        needs = .allocate(capacity: max(multiple.count * models.count, 1))
        for (place, index) in multiple.enumerated() {
            for model in models.indices { needs[place * models.count + model] = need[index][model] }
            several[place] = Several(
                share: shares[index], count: Int32(typical[index].size.count),
                cpu: Int32(clamping: typical[index].size.cpuMilli), vram: Int32(clamping: typical[index].size.vramMiB),
                firstNeed: place * models.count)
        }
    }

    deinit {
        cells.deallocate()
        milliRanks.deallocate()
        cpuThresholds.deallocate()
        vramThresholds.deallocate()
        several.deallocate()
        needs.deallocate()
    }

    /// The row of cells for a model on a host with some CPU left; cells are then found by `cell`.
    @inline(__always)
    func cpuRank(_ cpu: Int32) -> Int { FragmentationTable.rank(cpu, cpuThresholds, cpuCount) }

    /// The part of arrivals that cannot use a device with this much left, in units of `one`.
    @inline(__always)
    func unusable(model: Int, cpuRank: Int, milli: Int32, vram: Int32) -> Int64 {
        let m = Int(milliRanks[Int(max(0, min(milli, Int32(FragmentationTable.largestMilli))))])
        // Without demand for VRAM the one threshold is zero, and every device is above it.
        let isAbove = vramCount == 1 && vram >= vramThresholds[0]
        let v = isAbove ? 1 : FragmentationTable.rank(vram, vramThresholds, vramCount)
        return Int64(cells[((model * (cpuCount + 1) + cpuRank) * milliCount + m) * (vramCount + 1) + v])
    }

    @inline(__always)
    private static func rank(_ value: Int32, _ thresholds: UnsafeMutablePointer<Int32>, _ count: Int) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if thresholds[middle] <= value { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Compute that a size needs of a model's device, or -1 when it does not run on it.
    private static func need(of size: Popularity.Size, on model: FleetState.Model) -> Int32 {
        guard size.vendors.isEmpty || size.vendors.contains(model.vendor) else { return -1 }
        guard size.models.isEmpty || size.models.contains(model.name) else { return -1 }
        guard let milli = size.compute.milli(onDeviceOf: model.milliTFLOPS) else { return -1 }
        return Int32(clamping: size.isExclusive ? max(milli, 1000) : milli)
    }

    private static func copy(_ values: [Int32]) -> UnsafeMutablePointer<Int32> {
        let copied = UnsafeMutablePointer<Int32>.allocate(capacity: max(values.count, 1))
        for (index, value) in values.enumerated() { copied[index] = value }
        return copied
    }
}

/// Turns a change of fragmentation into whole steps by the logistic function, ⌊steps · σ(change / 1000 milli-GPU)⌋.
struct GradientScale {
    static let hundred = GradientScale(steps: 100)
    static let fifty = GradientScale(steps: 50)

    private static let range = 8000
    /// Changes from which on each number of steps is reached.
    private let thresholds: [Int64]
    /// Steps for each whole milli-GPU, from -`range` on.
    private let table: [Int16]

    private init(steps: Int) {
        var thresholds: [Int64] = [.min]
        for step in 1..<steps {
            let odds = Double(step) / Double(steps - step)
            let change = 1000 * GradientScale.logarithm(odds) * Double(FragmentationTable.one)
            thresholds.append(Int64(change.rounded(.up)))
        }
        thresholds.append(.max)
        var table: [Int16] = []
        var step = 0
        for milli in -GradientScale.range...GradientScale.range {
            while thresholds[step + 1] <= Int64(milli) * FragmentationTable.one { step += 1 }
            table.append(Int16(step))
        }
        self.thresholds = thresholds
        self.table = table
    }

    @inline(__always)
    func score(_ change: Int64) -> Int32 {
        let milli = max(Int64(-GradientScale.range), min(Int64(GradientScale.range), change >> 20))
        var step = Int(table[Int(milli) + GradientScale.range])
        while thresholds[step + 1] <= change { step += 1 }
        return Int32(step)
    }

    /// The natural logarithm, by the series of the inverse hyperbolic tangent; there is no libm in a pure target.
    private static func logarithm(_ value: Double) -> Double {
        let z = (value.significand - 1) / (value.significand + 1)
        var power = z
        var sum = 0.0
        for term in 0..<30 {
            sum += power / Double(2 * term + 1)
            power *= z * z
        }
        return 2 * sum + Double(value.exponent) * 0.693147180559945309
    }
}
