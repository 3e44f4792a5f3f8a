public import FleetModel

/// What the control loop must write now. Decided by pure code, performed by ``ControlLoop``.
public enum FleetAction: Sendable, Hashable {
    /// Make a resource; nothing happens where one of its name is there.
    case create(ResourceDocument)
    /// Replace a resource that still has this revision.
    case replace(ResourceDocument, revision: Int64)
    /// Delete a resource that still has this revision.
    case delete(ResourceReference, revision: Int64)
    /// Note that something happened; the same again within some minutes counts up the first note.
    case note(EventSpec)

    /// The resource that is written; nil for a note.
    public var reference: ResourceReference? {
        switch self {
        case .create(let document), .replace(let document, _): document.reference
        case .delete(let reference, _): reference
        case .note: nil
        }
    }
}

/// Actions as controllers put them together.
public struct ActionList: Sendable {
    /// The actions, in the order in which they were decided.
    public private(set) var actions: [FleetAction] = []

    /// Starts without any.
    public init() {}

    /// Makes a resource.
    public mutating func create<Spec: ResourceSpec>(_ resource: Resource<Spec>) {
        guard let document = try? ResourceDocument(resource) else { return }
        actions.append(.create(document))
    }

    /// Replaces a resource by what `change` makes of it, if that is another.
    public mutating func update<Spec: ResourceSpec>(
        _ resource: Resource<Spec>, _ change: (inout Resource<Spec>) -> Void
    ) {
        var changed = resource
        change(&changed)
        guard changed != resource, let revision = resource.metadata.revision else { return }
        if changed.spec != resource.spec { changed.metadata.generation = (resource.metadata.generation ?? 0) + 1 }
        guard let document = try? ResourceDocument(changed) else { return }
        actions.append(.replace(document, revision: revision))
    }

    /// Deletes a resource.
    public mutating func delete<Spec: ResourceSpec>(_ resource: Resource<Spec>) {
        guard let revision = resource.metadata.revision else { return }
        actions.append(.delete(resource.reference, revision: revision))
    }

    /// Notes that something happened.
    public mutating func note(
        _ about: ResourceReference, _ level: EventSpec.Level = .normal, _ reason: String, _ message: String,
        at moment: Timestamp
    ) {
        actions.append(
            .note(EventSpec(about: about, level: level, reason: reason, message: message, at: moment)))
    }
}
