/// How many pages are brought, or opened for writing, when a program touches one.
///
/// A touch takes the aligned group of pages around it. Where touches go on at one of the last few places, up or down,
/// each takes twice as many as the one before: 64 KiB at first, up to 4 MiB.
public struct ReadAhead {
    private struct Trail {
        var pages: Range<Int>
        var pageCount: Int
    }

    /// The group that one touch takes.
    public static let pageCountMin = 16
    /// The most that one touch takes.
    public static let pageCountMax = 1024
    private static let trailCount = 4

    private var trails: [Trail] = []
    private var oldest = 0

    /// Nothing was touched yet.
    public init() {}

    /// What to take for a touch of `page`. Only pages of `bounds`, which contains `page`, can be taken.
    public mutating func extent(at page: Int, within bounds: Range<Int>) -> Range<Int> {
        for index in 0..<trails.count {
            let trail = trails[index]
            let count = min(trail.pageCount &* 2, ReadAhead.pageCountMax)
            let pages: Range<Int>
            if trail.pages.upperBound == page {
                pages = page..<min(page &+ count, bounds.upperBound)
            } else if trail.pages.lowerBound == page &+ 1 {
                pages = max(page &+ 1 &- count, bounds.lowerBound)..<(page &+ 1)
            } else {
                continue
            }
            trails[index] = Trail(pages: pages, pageCount: count)
            return pages
        }
        let start = page & ~(ReadAhead.pageCountMin &- 1)
        let pages = max(start, bounds.lowerBound)..<min(start &+ ReadAhead.pageCountMin, bounds.upperBound)
        let trail = Trail(pages: pages, pageCount: ReadAhead.pageCountMin)
        if trails.count < ReadAhead.trailCount {
            trails.append(trail)
        } else {
            trails[oldest] = trail
            oldest = (oldest &+ 1) % ReadAhead.trailCount
        }
        return pages
    }
}
