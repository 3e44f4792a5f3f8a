import FleetModel

/// What a series did in one bucket of time. Single precision: charts and thresholds need no more, and a control plane
/// keeps millions of them.
public struct HistoryBucket: Sendable, Hashable {
    /// The bucket's number since 1970.
    public internal(set) var number: Int64
    public var minimum: Float
    public var maximum: Float
    public var average: Float
    public var last: Float
    /// By how much a counter grew.
    public var growth: Float
    /// How many values it has.
    public var count: Int32 = 1

    /// A bucket out of its parts; its count is 1 until it is set.
    public init(number: Int64, minimum: Float, maximum: Float, average: Float, last: Float, growth: Float) {
        self.number = number
        self.minimum = minimum
        self.maximum = maximum
        self.average = average
        self.last = last
        self.growth = growth
    }

    /// A bucket of one value.
    public init(number: Int64, value: Float, growth: Float = 0) {
        self.init(number: number, minimum: value, maximum: value, average: value, last: value, growth: growth)
    }

    /// The same as a bucket of another length, to be merged with its neighbours.
    func numbered(_ number: Int64) -> HistoryBucket {
        var copy = self
        copy.number = number
        return copy
    }

    /// Takes in a later bucket, or a later value as one.
    mutating func merge(_ later: HistoryBucket) {
        let (sum, overflows) = count.addingReportingOverflow(later.count)
        count = overflows ? .max : sum
        minimum = min(minimum, later.minimum)
        maximum = max(maximum, later.maximum)
        // Weighted, so that the average of averages is that of all values.
        average += (later.average - average) * Float(later.count) / Float(count)
        last = later.last
        growth += later.growth
    }

    /// Buckets in order, down-sampled to one for `factor` of them. Where there is none of these there is none: gaps
    /// stay gaps.
    public static func merged(_ buckets: [HistoryBucket], by factor: Int64) -> [HistoryBucket] {
        guard factor > 1 else { return buckets }
        var merged: [HistoryBucket] = []
        for bucket in buckets {
            let coarse = bucket.numbered(bucket.number / factor)
            if merged.last?.number == coarse.number {
                merged[merged.count - 1].merge(coarse)
            } else {
                merged.append(coarse)
            }
        }
        return merged
    }
}

extension HistoryAnswer.Point {
    /// What a bucket of a length says.
    init(_ bucket: HistoryBucket, step: TimeSpan) {
        self.init(at: Timestamp(milliseconds: bucket.number * step.milliseconds), value: Double(bucket.average))
        minimum = Double(bucket.minimum)
        maximum = Double(bucket.maximum)
        last = Double(bucket.last)
        growth = Double(bucket.growth)
        count = Int64(bucket.count)
    }
}
