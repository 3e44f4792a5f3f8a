import FleetModel
public import FleetStore
public import Logging
public import Traces

/// The acting half of the control plane: keeps ``FleetCore`` up to date with the store, and writes what it decides.
///
/// One at a time writes: the leader, whose writes carry a fence. Others only follow, so that they answer reads.
public actor ControlLoop {
    /// The most rounds in a row without a look at what others wrote.
    private static let roundCountMax = 64

    private let store: any FleetStore
    let environment: any FleetEnvironment
    private let log: Logger
    let core: FleetCore
    private var writer: FleetWriter?
    private let spans: SpanQueue?
    private var lives: WorkloadTrace?
    private let wake = Signal()
    /// Who waits for a revision to be in the view.
    private var waiters: [(revision: Int64, continuation: CheckedContinuation<Void, Never>)] = []
    /// Who waits for something new about a node's vGPUs.
    private var nodeWaiters: [String: [UInt64: CheckedContinuation<Void, Never>]] = [:]
    private var lastWaiter: UInt64 = 0
    /// Whether nobody is to wait any more.
    private var isEnding = false

    /// Makes a loop over a store.
    public init(
        store: any FleetStore, settings: FleetCore.Settings = FleetCore.Settings(),
        environment: any FleetEnvironment, log: Logger, spans: SpanQueue? = nil
    ) {
        self.store = store
        self.environment = environment
        self.log = log
        self.spans = spans
        lives = spans.map { WorkloadTrace(random: $0.random) }
        core = FleetCore(settings: settings, environment: environment)
    }

    /// All resources as this loop knows them.
    public var view: FleetView { core.view }

    // MARK: - Following

    /// Follows the store until the task is cancelled; lists again whenever a watch can't go on.
    public func follow() async {
        while !Task.isCancelled {
            do {
                let (entries, revision) = try await store.listAll(.all)
                ingest(entries, at: revision)
                for try await item in try await store.watch(.all, after: revision) { ingest(item) }
            } catch {
                log.warning("watch ended", metadata: [LogKey.reason: "\(error)"])
                await environment.sleep(for: .seconds(1))
            }
        }
    }

    private func ingest(_ entries: [StoreEntry], at revision: Revision) {
        var there = Set<ResourceReference>()
        for entry in entries {
            if let reference = ResourceReference(key: entry.key.text) { there.insert(reference) }
            put(entry)
        }
        for reference in core.view.allReferences where !there.contains(reference) {
            remove(reference, revision: revision.rawValue)
        }
        arrive(at: revision)
    }

    private func ingest(_ item: WatchItem) {
        if case .change(let change) = item {
            for event in change.events {
                switch event {
                case .put(let entry): put(entry)
                case .delete(let key):
                    guard let reference = ResourceReference(key: key.text) else { continue }
                    remove(reference, revision: change.revision.rawValue)
                }
            }
        }
        arrive(at: item.revision)
    }

    private func put(_ entry: StoreEntry) {
        guard let reference = ResourceReference(key: entry.key.text) else { return }
        // The echo of an own write, which is most of what the leader hears, needs no reading.
        guard !core.view.hasSeen(reference, at: entry.revision.rawValue) else { return }
        do {
            let document = try ResourceDocument(stored: entry.value, revision: entry.revision.rawValue)
            traceLife(document)
            if let defect = core.ingest(put: document) {
                log.error("a resource can't be read", metadata: [LogKey.reason: "\(defect)"])
            }
            notify(document.reference)
        } catch {
            log.error("a resource can't be read", metadata: [LogKey.key: "\(entry.key)", LogKey.reason: "\(error)"])
        }
    }

    private func remove(_ reference: ResourceReference, revision: Int64) {
        let node = core.view.vgpus[reference]?.spec.node
        core.ingest(delete: reference, revision: revision)
        if let node { wakeWaiters(ofNode: node) }
    }

    private func notify(_ reference: ResourceReference) {
        guard reference.kind == .virtualGPU, let node = core.view.vgpus[reference]?.spec.node else { return }
        wakeWaiters(ofNode: node)
    }

    private func wakeWaiters(ofNode name: String) {
        for continuation in (nodeWaiters.removeValue(forKey: name) ?? [:]).values { continuation.resume() }
    }

    /// Waits until something about a node's vGPUs changes, or for a span.
    ///
    /// - Returns: Whether it may be waited for more.
    func waitForChange(ofNode name: String, for span: TimeSpan) async -> Bool {
        guard !isEnding else { return false }
        lastWaiter += 1
        let number = lastWaiter
        let timer = Task {
            await environment.sleep(for: span)
            nodeWaiters[name]?.removeValue(forKey: number)?.resume()
        }
        await withCheckedContinuation { nodeWaiters[name, default: [:]][number] = $0 }
        timer.cancel()
        return !isEnding
    }

    /// How many wait for changes of nodes.
    var waiterCount: Int { nodeWaiters.values.reduce(0) { $0 + $1.count } }

    /// Ends all waits for changes of nodes, those that are still to come too.
    func endWaits() {
        isEnding = true
        for name in Array(nodeWaiters.keys) { wakeWaiters(ofNode: name) }
    }

    private func arrive(at revision: Revision) {
        core.advance(to: revision.rawValue)
        wake.raise()
        let due = waiters.filter { $0.revision <= revision.rawValue }
        waiters.removeAll { $0.revision <= revision.rawValue }
        for waiter in due { waiter.continuation.resume() }
    }

    /// Waits until the view has a revision.
    public func reach(_ revision: Int64) async {
        guard core.view.revision < revision else { return }
        await withCheckedContinuation { waiters.append((revision, $0)) }
    }

    // MARK: - Leading

    /// Decides and writes until the task is cancelled or the fence does not hold any more.
    ///
    /// - Parameter fence: In whose name to write; nil where nobody else can.
    public func lead(fence: Fence?) async {
        writer = FleetWriter(store: store, fence: fence)
        defer { writer = nil }
        let ticks = Task {
            while !Task.isCancelled {
                await environment.sleep(for: max(spanToDeadline(), TimeSpan(milliseconds: 1)))
                wake.raise()
            }
        }
        defer { ticks.cancel() }
        while !Task.isCancelled {
            guard await runRounds() else { return }
            await wake.wait()
        }
    }

    private func spanToDeadline() -> TimeSpan {
        let now = environment.now()
        return core.nextDeadline(now: now) - now
    }

    /// Decides and writes until there is nothing to be written.
    ///
    /// - Returns: Whether this loop may go on leading.
    public func runRounds() async -> Bool {
        for _ in 0..<ControlLoop.roundCountMax {
            let (start, begin) = (environment.now(), ContinuousClock.now)
            let actions = core.decide(now: start)
            guard !actions.isEmpty else { return true }
            guard await traced(actions, from: start, begin, { await perform(actions) }) else { return false }
        }
        wake.raise()
        return true
    }

    /// Writes actions, and takes the result in at once.
    ///
    /// - Returns: Whether this loop may go on leading.
    private func perform(_ actions: [FleetAction]) async -> Bool {
        guard let writer else { return false }
        var outcome = await writer.perform(actions)
        take(outcome)
        outcome.failed += await perform(notes: actions, writer)
        for (action, error) in outcome.failed {
            if error.code == .fenced { return false }
            log.debug(
                "a write was refused",
                metadata: [LogKey.key: "\(action.reference?.key ?? "")", LogKey.reason: "\(error)"])
            if let reference = action.reference { core.retract(reference) }
        }
        // A store that can't be reached is asked again at the next tick, not at once.
        return true
    }

    /// Writes the events that notes become, many at a time; one that counts up another of a round comes after it.
    ///
    /// - Returns: What could not be written.
    private func perform(
        notes actions: [FleetAction], _ writer: FleetWriter
    ) async -> [(action: FleetAction, error: StoreError)] {
        var failed: [(action: FleetAction, error: StoreError)] = []
        var rest = actions.compactMap { if case .note(let note) = $0 { note } else { nil } }[...]
        while !rest.isEmpty {
            var named = Set<ResourceReference>()
            var batch: [FleetAction] = []
            while let note = rest.first, named.insert(EventKeeper.reference(of: note)).inserted {
                rest.removeFirst()
                if let action = core.record(note) { batch.append(action) }
            }
            let written = await writer.perform(batch)
            take(written)
            failed += written.failed
        }
        return failed
    }

    private func take(_ outcome: FleetWriter.Outcome) {
        for (action, revision) in outcome.done {
            switch action {
            case .create(let document), .replace(let document, _):
                let written = document.at(revision: revision)
                traceLife(written)
                core.ingest(put: written)
                notify(document.reference)
            case .delete(let reference, _): remove(reference, revision: revision)
            case .note: break
            }
        }
    }

    // MARK: - Spans

    /// Writes what a round decided as a span, beside one for the deciding.
    private func traced(
        _ actions: [FleetAction], from start: Timestamp, _ begin: ContinuousClock.Instant, _ work: () async -> Bool
    ) async -> Bool {
        guard let spans else { return await work() }
        let context = TraceContext(random: spans.random)
        let decided = Span(
            context.child(random: spans.random), in: context, "decide", from: start, lasting: .now - begin)
        spans.record(decided)
        let isLeading = await TraceContext.$current.withValue(context) { await work() }
        var round = Span(context, in: nil, "control round", from: start, lasting: .now - begin)
        round.attributes["roost.actions"] = .number(Int64(actions.count))
        if !isLeading { round.failure = "leads no more" }
        spans.record(round)
        return isLeading
    }

    /// Tells what of a workload's life a vGPU's change ends. The leader tells, so that each is told once.
    private func traceLife(_ document: ResourceDocument) {
        guard writer != nil, let spans, document.kind == .virtualGPU,
            let after = try? document.resource(VirtualGPUSpec.self), let workload = core.view.workload(of: after)
        else { return }
        let before = core.view.vgpus[document.reference]
        guard document.metadata.revision ?? 0 > before?.metadata.revision ?? -1 else { return }
        let ended = lives?.spans(from: before, to: after, of: workload, now: environment.now()) ?? []
        for span in ended { spans.record(span) }
    }

    // MARK: - On behalf of callers

    /// Writes what `decide` makes of the view, again where somebody else was faster.
    func write(_ decide: (FleetView, Timestamp) throws -> ActionList) async throws {
        let writer = FleetWriter(store: store, fence: nil)
        for attempt in 0..<8 {
            let actions = try decide(core.view, environment.now()).actions
            guard !actions.isEmpty else { return }
            let outcome = await writer.perform(actions)
            take(outcome)
            wake.raise()
            guard let failure = outcome.failed.first?.error else { return }
            guard failure.code == .conflict || failure.code == .exists || failure.code == .notFound, attempt < 7 else {
                throw failure
            }
            if let revision = failure.revision { await reach(revision.rawValue) }
        }
    }
}

/// The names of facts in the control plane's log.
enum LogKey {
    static let key = "resource.key"
    static let reason = "reason"
}
