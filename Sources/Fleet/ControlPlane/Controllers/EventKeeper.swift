public import FleetModel

/// Turns notes into events, counting repeated ones, and drops old ones.
public struct EventKeeper: Sendable {
    /// The project of events about what belongs to no project.
    public static let systemProject = "system"
    /// How long an event is kept after it last happened.
    public var keepSpan = TimeSpan.hours(24)
    /// The most events that are kept; beyond that the oldest go.
    public var countMax = 20_000

    /// Keeps the usual span.
    public init() {}

    /// The write that a note becomes: a new event, or one more of the same.
    public func record(_ note: EventSpec, in view: FleetView) -> FleetAction? {
        let reference = EventKeeper.reference(of: note)
        var list = ActionList()
        if let known = view.events[reference] {
            list.update(known) { known in
                known.spec.count += 1
                known.spec.lastAt = max(known.spec.lastAt, note.lastAt)
                known.spec.message = note.message
                known.spec.level = note.level
            }
        } else {
            list.create(Resource(Metadata(name: reference.name, project: reference.project), note))
        }
        return list.actions.first
    }

    /// Deletes events that are too old or too many.
    public func clean(_ view: FleetView, now: Timestamp) -> ActionList {
        var list = ActionList()
        let excess = max(0, view.events.count - countMax)
        guard excess > 0 || view.events.values.contains(where: { now - $0.spec.lastAt > keepSpan }) else { return list }
        let byAge = view.events.values.sorted {
            ($0.spec.lastAt, $0.reference) < ($1.spec.lastAt, $1.reference)
        }
        for (index, event) in byAge.enumerated() where index < excess || now - event.spec.lastAt > keepSpan {
            list.delete(event)
        }
        return list
    }

    /// The event of a note: the same for the same thing about the same resource.
    static func reference(of note: EventSpec) -> ResourceReference {
        ResourceReference(
            kind: .event, project: note.about.project ?? EventKeeper.systemProject, name: name(of: note))
    }

    /// A name that may stand in an address.
    private static func name(of note: EventSpec) -> String {
        let letters = note.about.name.lowercased().prefix(32)
        let reason = note.reason.lowercased().filter { $0.isASCII && ($0.isLetter || $0.isNumber) }.prefix(20)
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in "\(note.about.key) \(note.reason)".utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return "\(letters).\(reason).\(String(hash & 0xFFFF_FFFF, radix: 16))"
    }
}
