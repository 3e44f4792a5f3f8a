public import FleetModel

/// A rule's condition that holds for certain labels.
public struct Alert: Sendable, Hashable {
    /// Whether it has held long enough.
    public enum State: String, Sendable, Hashable, CaseIterable {
        case pending, firing
    }

    /// The rule's name.
    public var rule: String
    /// The labels of the series, or of the group of series.
    public var labels: [String: String]
    /// How bad it is.
    public var severity: AlertRuleSpec.Severity
    /// The value when it last held.
    public var value: Double
    /// What it says, labels and value filled in.
    public var message: String
    /// Whether it has held long enough.
    public var state: State
    /// Since when it holds.
    public var since: Timestamp
    /// When it came to fire.
    public var firingSince: Timestamp?
    /// Since when it no longer holds, though it still fires until that is sure.
    public var clearSince: Timestamp?
    /// When somebody was last told.
    public var toldAt: Timestamp?
    /// When it came to fire of late, this time included.
    var firings: [Timestamp] = []
}

/// Something to tell.
public struct AlertNotification: Sendable, Hashable {
    /// What about.
    public enum Status: String, Sendable, Hashable {
        case firing, resolved
    }

    /// What about.
    public var status: Status
    /// The alert.
    public var alert: Alert
    /// When it was decided.
    public var moment: Timestamp
    /// Whether it was told before and still fires.
    public var isReminder: Bool
}
