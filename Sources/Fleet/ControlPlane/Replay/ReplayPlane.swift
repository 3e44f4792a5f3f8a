import FleetModel

/// A control plane in memory whose nodes do at once what they are told.
final class ReplayPlane {
    /// A clock that stands still, and numbers that are the same each time.
    private struct StandingEnvironment: FleetEnvironment {
        let moment: Timestamp
        let numbers: SplitNumbers

        func now() -> Timestamp { moment }
        func sleep(for span: TimeSpan) async {}
        func random() -> UInt64 { numbers.next() }
    }

    /// After so many rounds something goes round in circles.
    private static let roundCountMax = 100_000

    let core: FleetCore
    private let environment: StandingEnvironment
    private(set) var stored: [ResourceReference: ResourceDocument] = [:]
    private var revision: Int64 = 0

    init(settings: FleetCore.Settings, at moment: Timestamp) {
        environment = StandingEnvironment(moment: moment, numbers: SplitNumbers())
        core = FleetCore(settings: settings, environment: environment)
    }

    /// Takes in resources, each as a change of its own.
    func take(_ resources: [ResourceDocument]) throws {
        for document in resources { try write(document) }
    }

    /// Decides, and lets nodes act, until nothing is left to do.
    func settle() throws {
        for _ in 0..<ReplayPlane.roundCountMax {
            let actions = core.decide(now: environment.now())
            if actions.isEmpty {
                guard try actAsNodes() else { return }
            } else {
                for action in actions { try perform(action) }
            }
        }
        throw ReplayError("the replay never comes to rest: replicas take each other's places again and again")
    }

    private func write(_ document: ResourceDocument) throws {
        revision += 1
        let document = document.at(revision: revision)
        stored[document.reference] = document
        if let defect = core.ingest(put: document) { throw ReplayError(defect) }
        core.advance(to: revision)
    }

    private func perform(_ action: FleetAction) throws {
        switch action {
        case .create(let document):
            if stored[document.reference] == nil { try write(document) } else { core.retract(document.reference) }
        case .replace(let document, let expected):
            if stored[document.reference]?.metadata.revision == expected {
                try write(document)
            } else {
                core.retract(document.reference)
            }
        case .delete(let reference, let expected):
            guard stored[reference]?.metadata.revision == expected else { return }
            revision += 1
            stored[reference] = nil
            core.ingest(delete: reference, revision: revision)
            core.advance(to: revision)
        case .note: break
        }
    }

    /// Ends what is to end, and starts what is placed.
    ///
    /// - Returns: Whether there was anything to do.
    private func actAsNodes() throws -> Bool {
        var list = ActionList()
        for vgpu in core.view.vgpus.values.sorted(by: { $0.reference < $1.reference }) {
            guard !vgpu.status.phase.isOver else { continue }
            let isReady = core.view.nodes[vgpu.spec.node]?.status.phase == .ready
            if vgpu.spec.stop == true {
                list.update(vgpu) { $0.status.phase = .ended }
            } else if vgpu.status.phase != .running, isReady {
                list.update(vgpu) { vgpu in
                    vgpu.status.phase = .running
                    vgpu.status.startedAt = environment.now()
                }
            }
        }
        for action in list.actions { try perform(action) }
        return !list.actions.isEmpty
    }
}

/// Numbers that are the same for each replay.
// SAFETY: a replay runs on one thread.
private final class SplitNumbers: @unchecked Sendable {
    private var state: UInt64 = 1

    func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 11 ^ state << 40
    }
}
