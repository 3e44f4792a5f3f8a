/// How the past counts.
public struct UsageMemory: Sendable, Hashable {
    /// After this time a use counts half; nil: it counts whole until it leaves the window.
    public var halfLifeMilliseconds: Int64?
    /// What is older does not count at all, give or take a 32nd part of it; nil: everything counts.
    public var windowMilliseconds: Int64?

    /// A half-life, a window, both or none.
    public init(halfLifeMilliseconds: Int64? = nil, windowMilliseconds: Int64? = nil) {
        self.halfLifeMilliseconds = halfLifeMilliseconds.map { max(1, $0) }
        self.windowMilliseconds = windowMilliseconds.map { max(1, $0) }
    }

    /// Pieces that a window is kept in.
    static let binsPerWindow: Int64 = 32

    var binWidth: Int64 {
        windowMilliseconds.map { max(1, $0 / UsageMemory.binsPerWindow) } ?? .max
    }

    /// What a use of so long ago counts: 0.5^(age / half-life).
    public func decay(ageMilliseconds age: Int64) -> Double {
        guard let halfLife = halfLifeMilliseconds, age > 0 else { return 1 }
        let (whole, rest) = age.quotientAndRemainder(dividingBy: halfLife)
        guard whole < 1000 else { return 0 }
        var factor = Double(sign: .plus, exponent: -Int(whole), significand: 1)
        var fraction = Double(rest) / Double(halfLife)
        for root in UsageMemory.roots {
            fraction *= 2
            if fraction >= 1 {
                factor *= root
                fraction -= 1
            }
            if fraction == 0 { break }
        }
        return factor
    }

    /// The time that a steady use of one unit over `duration` counts as, at its end: the integral of the decay.
    func weight(ofDuration duration: Int64) -> Double {
        guard let halfLife = halfLifeMilliseconds else { return Double(duration) }
        return Double(halfLife) / 0.693_147_180_559_945_3 * (1 - decay(ageMilliseconds: duration))
    }

    /// 0.5^(1/2), 0.5^(1/4), …, by Newton's steps: divisions and sums are the same on every machine, unlike a library's
    /// `exp2`, and need no library.
    private static let roots: [Double] = {
        var power = 0.5
        return (0..<40).map { _ in
            var root = 1.0
            for _ in 0..<8 { root = (root + power / root) / 2 }
            power = root
            return root
        }
    }()
}

/// Amounts of each resource, times milliseconds.
struct ResourceTime: Sendable, Hashable {
    var values: (Double, Double, Double, Double, Double) = (0, 0, 0, 0, 0)

    static func == (left: ResourceTime, right: ResourceTime) -> Bool { left.values == right.values }

    func hash(into hasher: inout Hasher) {
        for resource in QuotaResource.allCases { hasher.combine(self[resource]) }
    }

    subscript(_ resource: QuotaResource) -> Double {
        switch resource {
        case .compute: values.0
        case .speed: values.1
        case .memory: values.2
        case .vgpus: values.3
        case .workloads: values.4
        }
    }

    mutating func scale(by factor: Double) {
        values.0 *= factor
        values.1 *= factor
        values.2 *= factor
        values.3 *= factor
        values.4 *= factor
    }

    mutating func add(_ rate: ResourceVector, times time: Double) {
        values.0 += Double(rate.milliDevices) * time
        values.1 += Double(rate.milliTeraflops) * time
        values.2 += Double(rate.mebibytes) * time
        values.3 += Double(rate.vgpus) * time
        values.4 += Double(rate.workloads) * time
    }

    mutating func add(_ other: ResourceTime, times factor: Double) {
        values.0 += other.values.0 * factor
        values.1 += other.values.1 * factor
        values.2 += other.values.2 * factor
        values.3 += other.values.3 * factor
        values.4 += other.values.4 * factor
    }
}

/// Adds up what is used over time. It is told when the use changes, and costs nothing in between.
struct UsageMeter: Sendable {
    private struct Bin {
        var number: Int64
        /// The uses in this piece of time, as they count at `asOf`.
        var sum = ResourceTime()
        var asOf: Int64
    }

    private var bins: [Bin] = []
    private var last: Int64?

    /// Adds a steady use of `rate` since the last call. A clock that goes back adds nothing.
    mutating func advance(to now: Int64, rate: ResourceVector, memory: UsageMemory) {
        guard var from = last else {
            last = now
            return
        }
        guard now > from else { return }
        last = now
        let width = memory.binWidth
        if let window = memory.windowMilliseconds { from = max(from, now - window) }
        while from < now {
            let number = from / width
            let (next, overflow) = ((number + 1).multipliedReportingOverflow(by: width))
            let end = overflow ? now : min(now, next)
            if bins.last?.number != number { bins.append(Bin(number: number, asOf: from)) }
            let place = bins.count - 1
            bins[place].sum.scale(by: memory.decay(ageMilliseconds: end - bins[place].asOf))
            bins[place].sum.add(rate, times: memory.weight(ofDuration: end - from))
            bins[place].asOf = end
            from = end
        }
        let oldest = now / width - UsageMemory.binsPerWindow
        if let first = bins.first, first.number < oldest { bins.removeAll { $0.number < oldest } }
    }

    /// What it all counts now.
    func total(at now: Int64, memory: UsageMemory) -> ResourceTime {
        var sum = ResourceTime()
        let oldest = now / memory.binWidth - UsageMemory.binsPerWindow
        for bin in bins where bin.number >= oldest {
            sum.add(bin.sum, times: memory.decay(ageMilliseconds: now - bin.asOf))
        }
        return sum
    }
}
