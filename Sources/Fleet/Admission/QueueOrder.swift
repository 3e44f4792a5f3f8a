/// How a request that waits stands.
public enum Standing: Sendable, Hashable {
    /// It may be placed now, if there is room.
    case ready
    /// It found no room and rests until a time, after so many failures.
    case resting(until: Int64, failures: Int)
    /// A quota keeps it out; more nodes would not help.
    case overQuota(QuotaRefusal)
    /// An older request waits for the same project's quota, and has waited too long to be passed.
    case behind(String, project: String)
    /// Members of its gang are missing.
    case forming(missing: Int64, until: Int64?)
    /// Members of its gang were missing for too long.
    case timedOut(missing: Int64)
}

/// A place in the queue.
public struct QueueEntry: Sendable, Hashable {
    /// The request.
    public var id: String
    /// Its project.
    public var project: String
    /// Its place, from 1.
    public var position: Int
    /// How it stands.
    public var standing: Standing
    /// What it asks for.
    public var requests: ResourceVector
    /// Whether it goes first for having waited longer than patience allows; the scheduler may keep room free for it.
    public var isOverdue: Bool
    /// How much of its fair share the project uses once all before it are placed; nil where nobody asked.
    public var saturation: Double?

    /// Whether more nodes would help: only then it counts as demand for them.
    public var isDemand: Bool {
        switch standing {
        case .ready, .resting: true
        case .overQuota, .behind, .forming, .timedOut: false
        }
    }

    /// Why it waits, in a sentence or two.
    public func explanation(at now: Int64) -> String {
        switch standing {
        case .ready where position == 1:
            return "It is next."
        case .ready:
            return "\(position - 1) \(position == 2 ? "request goes" : "requests go") first\(share)."
        case .resting(let until, let failures):
            let times = failures == 1 ? "once" : "\(failures) times"
            return "No room was found for it \(times); the next try is in \(QueueEntry.seconds(until - now)), or as "
                + "soon as room is made."
        case .overQuota(let refusal):
            return refusal.message
        case .behind(let other, let project):
            return "\(other) has waited longer for the quota of project \(project), and goes first."
        case .forming(let missing, let until):
            let end = until.map { "; they are waited for another \(QueueEntry.seconds($0 - now))" } ?? ""
            return "\(missing) of its gang \(missing == 1 ? "is" : "are") missing\(end)."
        case .timedOut(let missing):
            return "\(missing) of its gang did not come in time. Start the gang again, or lower its minimum."
        }
    }

    private var share: String {
        guard let saturation else { return "" }
        guard saturation.isFinite else { return "; project \(project) has no fair share left" }
        return "; project \(project) uses \(Int64(min(saturation * 100, 1e9) + 0.5)) % of its fair share by then"
    }

    private static func seconds(_ milliseconds: Int64) -> String {
        let rounded = max(0, milliseconds) / 1000 + (milliseconds > 0 && milliseconds % 1000 > 0 ? 1 : 0)
        return "\(rounded) s"
    }
}

/// The queue at one time.
public struct QueueOrder: Sendable {
    /// Who waits, in order: those that may be tried now, those that rest, those that something else keeps.
    public var entries: [QueueEntry] = []
    /// What all of them ask for together that more nodes would help.
    public var demand = ResourceVector.zero
    /// Whether everybody is in it, and not only the first few.
    public var isComplete = true

    /// Those to try to place now, in this order.
    public var ready: some Sequence<QueueEntry> { entries.lazy.filter { $0.standing == .ready } }
}
