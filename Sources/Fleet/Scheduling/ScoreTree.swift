/// The scores of all hosts for one shape, with the best of each 32 above them, so that the best host, the first of
/// those
/// with the same score, is found and a score changed without looking at other hosts.
///
/// Scores are signed, since the maximum of signed 16-bit numbers is one vector instruction of every x86-64.
struct ScoreTree {
    private static let width = 32

    private var levels: [UnsafeMutablePointer<Int16>] = []
    private var sizes: [Int] = []
    private(set) var count = 0

    /// Makes room for hosts, all of them without a score.
    init(count: Int) {
        self.count = count
        var size = count
        repeat {
            let padded = max(1, (size + ScoreTree.width - 1) / ScoreTree.width) * ScoreTree.width
            let level = UnsafeMutablePointer<Int16>.allocate(capacity: padded)
            level.initialize(repeating: 0, count: padded)
            levels.append(level)
            sizes.append(padded)
            size = padded / ScoreTree.width
        } while size > 1
    }

    func free() { for level in levels { level.deallocate() } }

    subscript(host: Int) -> Int16 { levels[0][host] }

    /// Writes a score without telling the levels above; `summarize()` must follow.
    @inline(__always)
    func write(_ score: Int16, at host: Int) { levels[0][host] = score }

    /// Fills the levels above the scores.
    func summarize() {
        for level in 1..<max(levels.count, 1) {
            for block in 0..<(sizes[level - 1] / ScoreTree.width) {
                levels[level][block] = ScoreTree.best(levels[level - 1] + block * ScoreTree.width)
            }
        }
    }

    /// Changes one score.
    @inline(__always)
    func set(_ score: Int16, at host: Int) {
        var index = host
        var value = score
        for level in 0..<levels.count {
            guard levels[level][index] != value else { return }
            levels[level][index] = value
            index /= ScoreTree.width
            value = ScoreTree.best(levels[level] + index * ScoreTree.width)
        }
    }

    /// The first of the hosts with the best score, unless no host has one.
    func first() -> Int? {
        var index = 0
        for level in stride(from: levels.count - 1, through: 0, by: -1) {
            let block = levels[level] + index * ScoreTree.width
            let best = ScoreTree.best(block)
            guard best > 0 else { return nil }
            var at = 0
            while block[at] != best { at += 1 }
            index = index * ScoreTree.width + at
        }
        return index
    }

    @inline(__always)
    private static func best(_ block: UnsafeMutablePointer<Int16>) -> Int16 {
        var best: Int16 = 0
        for at in 0..<width { best = max(best, block[at]) }
        return best
    }
}
