/// The last buckets of one length of time. Grows up to its capacity, then overwrites.
struct HistoryRing: Sendable {
    let capacity: Int
    private var buckets: [HistoryBucket] = []
    /// Where the oldest one is, once the ring is full.
    private var oldest = 0

    init(capacity: Int) {
        self.capacity = capacity
    }

    mutating func append(_ bucket: HistoryBucket) {
        if buckets.count < capacity {
            buckets.append(bucket)
        } else if capacity > 0 {
            buckets[oldest] = bucket
            oldest = (oldest + 1) % capacity
        }
    }

    /// The newest bucket.
    var newest: HistoryBucket? {
        buckets.isEmpty ? nil : buckets[(oldest + buckets.count - 1) % buckets.count]
    }

    /// The growth of all buckets from one number on.
    func growth(from number: Int64) -> Double {
        buckets.reduce(0) { $1.number >= number ? $0 + Double($1.growth) : $0 }
    }
}
