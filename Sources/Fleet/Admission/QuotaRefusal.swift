/// Why a quota keeps a request out, exactly.
public struct QuotaRefusal: Error, Sendable, Hashable {
    /// What stands against it.
    public enum Rule: Sendable, Hashable {
        /// A bound for a single workload.
        case bound(WorkloadBounds.Subject)
        /// What requests add up to at most.
        case requests(QuotaResource)
        /// What limits add up to at most.
        case limits(QuotaResource)
        /// What can't be taken back must be within the guarantee.
        case guarantee(QuotaResource)
        /// The project does not exist, or is not in order.
        case unknownProject
    }

    /// The project whose quota it is.
    public var project: String
    /// What stands against it.
    public var rule: Rule
    /// What was asked for.
    public var asked: Int64
    /// What is used already.
    public var used: Int64
    /// What may be used.
    public var allowed: Int64

    /// By how much the request is too large now.
    public var shortfall: Int64 {
        let (sum, overflow) = used.addingReportingOverflow(asked)
        return overflow ? .max : max(0, sum - allowed)
    }

    /// Whether it stays out even when nothing else is used.
    public var isPermanent: Bool { rule == .unknownProject || asked > allowed }

    /// What happened, with which values, and what would unblock it.
    public var message: String {
        switch rule {
        case .unknownProject:
            return "There is no project \(project); create it, or name another one."
        case .bound(let subject):
            return
                "Project \(project) allows a workload \(allowed) \(subject.rawValue), and this one asks for \(asked); "
                + "ask for \(shortfall) less, or raise the quota's bound."
        case .requests(let resource):
            return amounts("requests", resource) + remedy(resource, "requests")
        case .limits(let resource):
            return amounts("limits", resource) + remedy(resource, "limits")
        case .guarantee(let resource):
            return "It can't be taken back, so it must be within what project \(project) is guaranteed: "
                + "\(resource.text(allowed)). \(resource.short(used)) are used that way, and it asks for "
                + "\(resource.short(asked)), \(resource.short(shortfall)) too much. Make it preemptible, or raise the "
                + "guarantee."
        }
    }

    private func amounts(_ what: String, _ resource: QuotaResource) -> String {
        "The quota of project \(project) allows \(what) of \(resource.text(allowed)); \(resource.short(used)) in use, "
            + "and this one asks for \(resource.short(asked)), \(resource.short(shortfall)) too much. "
    }

    private func remedy(_ resource: QuotaResource, _ what: String) -> String {
        isPermanent
            ? "Ask for less, or raise the quota's \(what) by \(resource.short(shortfall)); it never fits as it is."
            : "It can go when workloads of \(project) give \(resource.short(shortfall)) back, or when the quota's "
                + "\(what) are raised by as much."
    }
}
