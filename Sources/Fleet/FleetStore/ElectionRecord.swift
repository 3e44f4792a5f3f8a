/// The keys of an election. They change together: the epoch at each transition, the holder at each renewal too.
struct ElectionKeys: Sendable {
    /// Holds the epoch in decimal: what fences are compared with.
    let epoch: StoreKey
    /// Holds who leads, and a count that each renewal changes.
    let holder: StoreKey

    init(_ election: String) throws(StoreError) {
        guard !election.utf8.contains(UInt8(ascii: "/")) else {
            throw .invalid("election '\(election)' has a slash in its name")
        }
        epoch = try StoreKey("/elections/\(election)/epoch")
        holder = try StoreKey("/elections/\(election)/holder")
    }

    /// Throws unless the fence's epoch is the one that stands in the store.
    func check(_ fence: Fence, epochValue: [UInt8]?) throws(StoreError) {
        let current = epochValue.flatMap(ElectionKeys.epoch)
        guard current == fence.epoch else { throw .fenced(fence, current: current) }
    }

    static func value(epoch: Int64) -> [UInt8] { Array("\(epoch)".utf8) }

    static func epoch(_ value: [UInt8]) -> Int64? { Int64(String(decoding: value, as: UTF8.self)) }
}

/// Where the election's epoch stands, for engines that check fences themselves.
package func electionEpochKey(_ election: String) throws(StoreError) -> StoreKey { try ElectionKeys(election).epoch }

/// The bytes that an election's epoch key has in an epoch, for engines that let their server compare.
package func electionEpochValue(_ epoch: Int64) -> [UInt8] { ElectionKeys.value(epoch: epoch) }

/// Throws unless a fence is of the epoch whose bytes an engine has read.
package func checkFence(_ fence: Fence, epochValue: [UInt8]?) throws(StoreError) {
    try ElectionKeys(fence.election).check(fence, epochValue: epochValue)
}

/// Who leads, as it stands in the store.
struct ElectionRecord: Hashable, Sendable {
    /// The candidate's identity, or nil after it resigned.
    var holder: String?
    /// How long others wait after the record's last change.
    var timeToLive: Duration
    /// Grows with each renewal, so that a renewal is a change.
    var renewals: Int64

    var encoded: [UInt8] {
        let parts = timeToLive.components
        let milliseconds = parts.seconds * 1000 + parts.attoseconds / 1_000_000_000_000_000
        return Array("\(holder ?? "-") \(milliseconds) \(renewals)".utf8)
    }

    init(holder: String?, timeToLive: Duration, renewals: Int64) {
        self.holder = holder
        self.timeToLive = timeToLive
        self.renewals = renewals
    }

    /// Nil if somebody else wrote something there.
    init?(_ value: [UInt8]) {
        let words = String(decoding: value, as: UTF8.self).split(separator: " ")
        guard words.count == 3, let milliseconds = Int64(words[1]), milliseconds >= 0, let renewals = Int64(words[2])
        else { return nil }
        holder = words[0] == "-" ? nil : String(words[0])
        timeToLive = .milliseconds(milliseconds)
        self.renewals = renewals
    }
}
