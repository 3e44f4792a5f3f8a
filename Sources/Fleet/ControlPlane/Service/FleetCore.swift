public import FleetModel

/// The deciding half of the control plane: takes in changes of the store, says what to write. Performs nothing.
///
/// Between ticks only what changed is looked at; at each tick everything is, since time alone changes some things.
public final class FleetCore {
    /// How it decides.
    public struct Settings: Sendable {
        public var nodes = NodeLifecycle()
        public var workloads = WorkloadLifecycle()
        public var events = EventKeeper()
        public var rollup = StatusRollup()
        public var placement = PlacementSettings()
        /// How often everything is looked at.
        public var tickSpan = TimeSpan.seconds(1)

        /// The usual settings.
        public init() {}
    }

    /// How it decides.
    public let settings: Settings
    /// All resources.
    public private(set) var view = FleetView()
    let placement: PlacementController
    private var tickedAt: Timestamp?
    private var changed = Set<ResourceReference>()
    private var hasChangedNodes = false

    /// Makes the half that knows nothing yet.
    public init(settings: Settings = Settings(), environment: any FleetEnvironment) {
        self.settings = settings
        placement = PlacementController(settings: settings.placement, environment: environment)
    }

    // MARK: - Taking in

    /// Takes in a resource as the store has it.
    ///
    /// - Returns: What is wrong with it, where it can't be read; then it is left out.
    @discardableResult
    public func ingest(put document: ResourceDocument) -> String? {
        do {
            if try view.put(document) { noteChange(document.reference) }
            return nil
        } catch {
            return "\(document.reference): \(error)"
        }
    }

    /// Takes out a deleted resource.
    public func ingest(delete reference: ResourceReference, revision: Int64) {
        let vgpu = view.vgpus[reference]
        let workload = view.workloads[reference]
        guard view.remove(reference, revision: revision) else { return }
        noteChange(reference)
        if let vgpu, let workload = view.workload(of: vgpu) { changed.insert(workload.reference) }
        for vgpu in view.vgpus(ofWorkload: workload?.metadata.uid) { changed.insert(vgpu.reference) }
    }

    /// Takes note that everything up to a revision is in.
    public func advance(to revision: Int64) {
        view.advance(to: revision)
    }

    /// Takes note that a write about a resource was refused: what was decided with it does not hold.
    public func retract(_ reference: ResourceReference) {
        noteChange(reference)
    }

    private func noteChange(_ reference: ResourceReference) {
        placement.noteChange(reference, in: view)
        switch reference.kind {
        case .workload:
            changed.insert(reference)
            for vgpu in view.vgpus(ofWorkload: view.workloads[reference]?.metadata.uid) {
                changed.insert(vgpu.reference)
            }
        case .virtualGPU:
            changed.insert(reference)
            if let workload = view.vgpus[reference].flatMap(view.workload(of:)) { changed.insert(workload.reference) }
        case .node:
            hasChangedNodes = true
            for vgpu in view.vgpus(ofNode: reference.name) { changed.insert(vgpu.reference) }
        case .pool: hasChangedNodes = true
        default: break
        }
    }

    // MARK: - Deciding

    /// What to write now, in this order. Asked again when the writes are in, until there is nothing.
    public func decide(now: Timestamp) -> [FleetAction] {
        let isTick = tickedAt.map { now - $0 >= settings.tickSpan || now < $0 } ?? true
        if isTick { tickedAt = now }
        var actions: [FleetAction] = []
        if isTick || hasChangedNodes { actions += settings.nodes.decide(view, now: now).actions }
        hasChangedNodes = false
        let looked = isTick ? Array(view.workloads.keys) + Array(view.vgpus.keys) : Array(changed)
        changed = []
        actions += settings.workloads.decide(view, changed: looked.sorted(), now: now).actions
        if isTick {
            actions += settings.rollup.decide(view, now: now).actions
            actions += settings.events.clean(view, now: now).actions
        }
        // What places replicas must see the rest as it is written, so it has a round of its own.
        if actions.isEmpty { actions = placement.decide(view, now: now).actions }
        return actions
    }

    /// Until when nothing needs to be decided unless something changes.
    public func nextDeadline(now: Timestamp) -> Timestamp {
        let tick = tickedAt.map { $0 + settings.tickSpan } ?? now
        return min(tick, placement.nextDeadline ?? tick)
    }

    /// The write that a note becomes.
    public func record(_ note: EventSpec) -> FleetAction? { settings.events.record(note, in: view) }
}
