/// How long leaderships last.
public struct ElectionPolicy: Sendable, Hashable {
    /// How long others wait, after the record last changed, before they take over.
    public let timeToLive: Duration
    /// How long a leader acts after it began its last renewal; shorter than `timeToLive`, so that it steps down
    /// first.
    public let renewDeadline: Duration
    /// How often a leader renews and others look.
    public let interval: Duration

    /// The times that Kubernetes' clients use: 15, 10 and 2 seconds.
    public static let standard = ElectionPolicy(
        checkedTimeToLive: .seconds(15), renewDeadline: .seconds(10), interval: .seconds(2))

    /// Takes the three times; throws unless each is longer than the one after it.
    public init(timeToLive: Duration, renewDeadline: Duration, interval: Duration) throws(StoreError) {
        guard timeToLive > renewDeadline, renewDeadline > interval, interval > .zero else {
            throw .invalid(
                "an election's times must fall, but are \(timeToLive), \(renewDeadline) and \(interval)"
            )
        }
        self.init(checkedTimeToLive: timeToLive, renewDeadline: renewDeadline, interval: interval)
    }

    private init(checkedTimeToLive: Duration, renewDeadline: Duration, interval: Duration) {
        timeToLive = checkedTimeToLive
        self.renewDeadline = renewDeadline
        self.interval = interval
    }
}

/// What a candidate knows, and what follows from it. Pure: time comes in as a monotonic reading.
struct ElectionView: Sendable {
    /// The two keys as they were read.
    struct Sight: Sendable, Hashable {
        var epoch: Int64
        var epochRevision: Revision?
        var record: ElectionRecord?
        var holderRevision: Revision?
    }

    /// What to write.
    enum Action: Sendable, Hashable {
        /// Somebody else leads, or may still.
        case wait
        /// Take over, with a new epoch.
        case acquire
        /// Write the record again.
        case renew
    }

    let identity: String
    let policy: ElectionPolicy
    private(set) var sight: Sight?
    /// When the record was first seen as it is.
    private(set) var changedAt: Duration?
    /// The epoch that this candidate holds, and when it began the write that holds it.
    private(set) var held: (epoch: Int64, since: Duration)?

    init(identity: String, policy: ElectionPolicy) {
        self.identity = identity
        self.policy = policy
    }

    /// Until when this candidate may act, or nil if it may not.
    func leadership(at now: Duration) -> (epoch: Int64, until: Duration)? {
        guard let held, now < held.since + policy.renewDeadline else { return nil }
        return (held.epoch, held.since + policy.renewDeadline)
    }

    /// Takes in what was read. Time runs from when it was seen to change, by this machine's clock alone.
    mutating func see(_ new: Sight, at now: Duration) {
        if sight != new {
            sight = new
            changedAt = now
        }
        // Another epoch, or another holder, ends what was held; so does a deadline that was missed.
        if let held, held.epoch != new.epoch || new.record?.holder != identity || leadership(at: now) == nil {
            self.held = nil
        }
    }

    /// What to write after `see`.
    func action(at now: Duration) -> Action {
        if held != nil { return .renew }
        guard let sight, let changedAt, let record = sight.record, let holder = record.holder else { return .acquire }
        // An own record that is not held comes from a lost answer or a missed deadline: nobody else acts on it.
        if holder == identity { return .acquire }
        return now - changedAt >= max(record.timeToLive, policy.timeToLive) ? .acquire : .wait
    }

    /// Takes in that a write, begun at `start`, was done.
    mutating func wrote(epoch: Int64, startedAt start: Duration) { held = (epoch, start) }

    /// Gives up what is held.
    mutating func stepDown() { held = nil }
}
