public import FleetModel

/// A change of a resource that somebody may make and whose values are right.
public struct ProposedChange: Sendable {
    /// Who wants it.
    public let identity: Identity
    /// What there is; nil where it is new.
    public let before: ResourceDocument?
    /// What there is to be; nil where it goes.
    public let after: ResourceDocument?
    /// Whether it is only looked at.
    public let isDryRun: Bool
}

/// What a check makes of a change.
public enum AdmissionVerdict: Sendable {
    case admitted
    /// Admitted with values filled in.
    case changed(ResourceDocument)
    /// Refused, with the fields and why.
    case refused([FieldProblem])
}

/// Looks at changes before they are made. Checks run in their order; each sees what the one before filled in.
///
/// A check may read the store. What it reads can change before the change is made: a check that must hold exactly
/// belongs into the control loop too.
public protocol AdmissionCheck: Sendable {
    /// Admits or refuses a change.
    func review(_ change: ProposedChange) async throws -> AdmissionVerdict
}
