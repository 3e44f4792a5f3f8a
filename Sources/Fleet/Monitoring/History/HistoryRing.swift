/// The last buckets of one length of time, oldest first once unrolled. Grows up to its capacity, then overwrites.
struct HistoryRing: Sendable {
    /// What a series did in one bucket of time. Single precision: charts and thresholds need no more, and a control
    /// plane keeps millions of them.
    struct Bucket: Sendable {
        /// The bucket's number since 1970.
        let number: Int64
        var minimum: Float
        var maximum: Float
        var average: Float
        var last: Float
        /// By how much a counter grew.
        var growth: Float
        var count: Int32

        init(number: Int64, value: Float, growth: Float) {
            self.number = number
            minimum = value
            maximum = value
            average = value
            last = value
            self.growth = growth
            count = 1
        }

        mutating func add(_ value: Float, growth more: Float) {
            minimum = min(minimum, value)
            maximum = max(maximum, value)
            count += 1
            average += (value - average) / Float(count)
            last = value
            growth += more
        }
    }

    let capacity: Int
    private var buckets: [Bucket] = []
    /// Where the oldest one is, once the ring is full.
    private var oldest = 0

    init(capacity: Int) {
        self.capacity = capacity
    }

    mutating func add(_ value: Float, growth: Float, bucket number: Int64) {
        let newest = buckets.isEmpty ? 0 : (oldest + buckets.count - 1) % buckets.count
        if !buckets.isEmpty, buckets[newest].number >= number {
            buckets[newest].add(value, growth: growth)
        } else if buckets.count < capacity {
            buckets.append(Bucket(number: number, value: value, growth: growth))
        } else {
            buckets[oldest] = Bucket(number: number, value: value, growth: growth)
            oldest = (oldest + 1) % capacity
        }
    }

    /// The buckets whose numbers are in a range, oldest first.
    func buckets(in range: ClosedRange<Int64>) -> [Bucket] {
        (buckets[oldest...] + buckets[..<oldest]).filter { range.contains($0.number) }
    }

    /// The growth of all buckets from one number on.
    func growth(from number: Int64) -> Double {
        buckets.reduce(0) { $1.number >= number ? $0 + Double($1.growth) : $0 }
    }
}
