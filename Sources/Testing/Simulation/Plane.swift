import ControlPlane
import FleetModel
import FleetStore

/// A control plane that follows the store with some delay, leads when it is elected, and answers heartbeats.
final class Plane {
    private static let election = "control"
    private static let timeToLive: Int64 = 3000

    let name: String
    private let world: World
    private var core: FleetCore
    /// Counts starts: what an earlier life planned does not happen.
    private var life = 0
    private(set) var isAlive = true
    private var pausedUntil: Int64 = 0
    private var epoch: Int64?
    private var isWriting = false
    /// The election's record as last seen, and when that changed.
    private var seenRecord: [UInt8]?
    private var seenAt: Int64 = 0

    init(_ name: String, _ world: World) {
        self.name = name
        self.world = world
        core = FleetCore(environment: world.environment)
    }

    var view: FleetView { core.view }

    // MARK: - Living

    /// Lists, follows, takes part in elections.
    func start() {
        life += 1
        isAlive = true
        isWriting = false
        epoch = nil
        seenRecord = nil
        seenAt = world.now
        core = FleetCore(environment: world.environment)
        for document in world.documents { core.ingest(put: document) }
        core.advance(to: world.store.revision.rawValue)
        every(500) { [self] in try campaign() }
        every(1000) { [self] in try wake() }
    }

    func crash() {
        isAlive = false
        life += 1
    }

    /// Stops for a while and then goes on as if nothing had been.
    func pause(for milliseconds: Int64) {
        pausedUntil = world.now + milliseconds
    }

    /// Does something later in this life; after the pause, if there is one.
    private func later(_ milliseconds: Int64, _ action: @escaping () throws -> Void) {
        let planned = life
        world.after(milliseconds) { [self] in
            guard life == planned, isAlive else { return }
            guard world.now >= pausedUntil else { return later(pausedUntil - world.now, action) }
            try action()
        }
    }

    private func every(_ milliseconds: Int64, _ action: @escaping () throws -> Void) {
        later(milliseconds) { [self] in
            try action()
            every(milliseconds, action)
        }
    }

    /// The store changed: it is heard of after a while.
    func noteChange() {
        guard isAlive else { return }
        later(world.pick(1...150)) { [self] in
            follow()
            try wake()
        }
    }

    /// Takes in all that the store has.
    func follow() {
        for change in world.changes(after: core.view.revision) {
            for event in change.events {
                guard let reference = ResourceReference(key: event.key.text) else { continue }
                switch event {
                case .put(let entry):
                    guard let document = world.document(entry) else { continue }
                    core.ingest(put: document)
                case .delete: core.ingest(delete: reference, revision: change.revision.rawValue)
                }
            }
            core.advance(to: change.revision.rawValue)
        }
    }

    // MARK: - Elections

    private func campaign() throws {
        let key = try StoreKey("/elections/\(Plane.election)/holder")
        let record = world.store.entry(key)
        if record?.value != seenRecord {
            seenRecord = record?.value
            seenAt = world.now
        }
        if let held = epoch {
            let value = Array("\(name) \(held) \(world.now)".utf8)
            let fence = Fence(election: Plane.election, epoch: held)
            let renewal = record.map { StoreOperation.replace(key, value: value, expected: $0.revision) }
            guard let renewal, case .success = try world.commit([renewal], fence: fence) else { return epoch = nil }
        } else if record == nil || world.now - seenAt > Plane.timeToLive {
            try takeOver(key, record)
        }
    }

    private func takeOver(_ key: StoreKey, _ record: StoreEntry?) throws {
        let epochKey = try electionEpochKey(Plane.election)
        let before = world.store.entry(epochKey)
        let next = (before.flatMap { Int64(String(decoding: $0.value, as: UTF8.self)) } ?? 0) + 1
        let value = Array("\(name) \(next) \(world.now)".utf8)
        let operations: [StoreOperation] = [
            before.map { .replace(epochKey, value: electionEpochValue(next), expected: $0.revision) }
                ?? .create(epochKey, value: electionEpochValue(next)),
            record.map { .replace(key, value: value, expected: $0.revision) } ?? .create(key, value: value),
        ]
        if case .success = try world.commit(operations) {
            epoch = next
            try wake()
        }
    }

    // MARK: - Leading

    /// Decides, and writes with some delay; decides again when the answer is there.
    private func wake() throws {
        guard let epoch, !isWriting else { return }
        let actions = core.decide(now: world.environment.now())
        guard !actions.isEmpty else { return }
        isWriting = true
        let fence = Fence(election: Plane.election, epoch: epoch)
        later(world.pick(1...40)) { [self] in
            for action in actions {
                if case .note(let note) = action {
                    if let record = core.record(note) { try write(record, fence) }
                } else {
                    try write(action, fence)
                }
            }
            later(world.pick(1...40)) { [self] in
                isWriting = false
                try wake()
            }
        }
    }

    private func write(_ action: FleetAction, _ fence: Fence?) throws {
        guard let reference = action.reference, let operation = try Plane.operation(action, reference) else { return }
        switch try world.commit([operation], fence: fence) {
        case .success(let revision):
            switch action {
            case .create(let document), .replace(let document, _): core.ingest(put: document.at(revision: revision))
            case .delete: core.ingest(delete: reference, revision: revision)
            case .note: break
            }
        case .failure(let error):
            if error.code == .fenced { epoch = nil }
            core.retract(reference)
        }
    }

    private static func operation(_ action: FleetAction, _ reference: ResourceReference) throws -> StoreOperation? {
        let key = try StoreKey(reference.key)
        switch action {
        case .create(let document): return .create(key, value: try document.storedBytes())
        case .replace(let document, let revision):
            return .replace(key, value: try document.storedBytes(), expected: Revision(rawValue: revision))
        case .delete(_, let revision): return .delete(key, expected: Revision(rawValue: revision))
        case .note: return nil
        }
    }

    // MARK: - Answering agents

    /// Answers a heartbeat once what the agent has seen is here too.
    func heartbeat(node: String, _ request: HeartbeatRequest, answer: @escaping (HeartbeatAnswer) -> Void) {
        respond(node: node, request, tries: 5, answer: answer)
    }

    private func respond(
        node: String, _ request: HeartbeatRequest, tries: Int, answer: @escaping (HeartbeatAnswer) -> Void
    ) {
        later(world.pick(1...20)) { [self] in
            guard core.view.revision >= request.seen ?? -1 else {
                if tries > 0 { respond(node: node, request, tries: tries - 1, answer: answer) }
                return
            }
            let digest = HeartbeatDigest(leaseSpan: .seconds(10))
            guard let list = try? digest.decide(core.view, node: node, request, now: world.environment.now()) else {
                return
            }
            for action in list.actions { try write(action, nil) }
            try wake()
            answer(digest.answer(core.view, node: node))
        }
    }
}
