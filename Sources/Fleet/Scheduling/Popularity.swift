/// Which sizes of requests arrive how often, learnt from arrivals; old ones count less and less.
public struct Popularity: Sendable, Hashable, Codable {
    /// What fragmentation is measured against: one size of request.
    struct Size: Hashable, Sendable, Codable {
        var cpuMilli: Int
        var count: Int
        var compute: ComputeAmount
        var vramMiB: Int
        var vendors: [String]
        var models: [String]
        var isExclusive: Bool
    }

    /// A typical size and its part of all typical arrivals.
    struct Typical: Sendable, Hashable, Codable {
        var size: Size
        var share: Double
    }

    /// After how many arrivals one counts half.
    let halfLife: Int
    private(set) var sizes: [Size] = []
    private var weights: [Double] = []
    private var numbers: [Size: Int] = [:]
    private var increment = 1.0
    private let growth: Double
    private(set) var arrivalCount = 0

    init(halfLife: Int) {
        self.halfLife = max(halfLife, 1)
        // 2^(1/h), by its series: arrivals gain weight instead of all older ones losing it.
        let step = 0.693147180559945 / Double(self.halfLife)
        growth = 1 + step + step * step / 2 + step * step * step / 6
    }

    /// Counts one arrival.
    mutating func observe(_ request: WorkloadRequest) {
        let devices = request.devices
        let size = Size(
            cpuMilli: request.cpuMilli, count: devices.count, compute: devices.compute, vramMiB: devices.vramMiB,
            vendors: devices.vendors, models: devices.models, isExclusive: devices.isolation == .exclusive)
        arrivalCount += 1
        if let known = numbers[size] {
            weights[known] += increment
        } else {
            numbers[size] = sizes.count
            sizes.append(size)
            weights.append(increment)
        }
        increment *= growth
        if increment > 1e9 { rescale() }
    }

    /// The most frequent sizes that cover a part of the arrivals, most frequent first.
    func typical(covering part: Double, atMost limit: Int) -> [Typical] {
        let total = weights.reduce(0, +)
        let order = weights.indices.sorted { weights[$0] == weights[$1] ? $0 < $1 : weights[$0] > weights[$1] }
        var chosen: [Int] = []
        var sum = 0.0
        for index in order {
            guard sum < part * total, chosen.count < limit else { break }
            chosen.append(index)
            sum += weights[index]
        }
        return chosen.map { Typical(size: sizes[$0], share: weights[$0] / sum) }
    }

    /// Brings weights back to a sane size, and forgets sizes that hardly count any more.
    private mutating func rescale() {
        let factor = 1 / increment
        increment = 1
        var kept: [(Size, Double)] = []
        for index in sizes.indices where weights[index] * factor > 1e-6 {
            kept.append((sizes[index], weights[index] * factor))
        }
        sizes = kept.map(\.0)
        weights = kept.map(\.1)
        numbers = [:]
        for (index, size) in sizes.enumerated() { numbers[size] = index }
    }
}
