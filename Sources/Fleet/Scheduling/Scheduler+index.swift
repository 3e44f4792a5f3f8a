extension Scheduler {
    func makeScorer() -> HostScorer {
        refreshScale()
        return HostScorer(state, table: table, settings: settings)
    }

    // MARK: - Shapes

    /// The shape of a request, made when it is the first of its kind.
    func shape(of request: WorkloadRequest) -> Shape {
        var key = ShapeKey(
            cpu: request.cpuMilli, memory: request.memoryMiB, devices: request.devices, hosts: request.hosts,
            isPooled: request.remote.isAllowed)
        for term in request.affinity where term.isHard {
            let number = state.termNumber(term)
            if term.direction == .apart {
                key.apart.append(number)
            } else {
                key.near.append(number)
                if term.workloads.matches(request.labels) { key.selfNear.append(number) }
            }
        }
        key.wishes = request.affinity.filter { !$0.isHard }
        if state.affinity.isUsed {
            let number = state.labelSets.number(of: request.labels)
            key.repellers = state.affinity.terms(matching: request.labels, number: number)
                .filter { state.affinity.isHeld($0) }
        }
        return shape(for: key)
    }

    func shape(for key: ShapeKey) -> Shape {
        if let known = shapes[key] {
            known.extend(state)
            return known
        }
        if shapes.count >= max(4096, settings.indexedShapes * 4) { forgetShapes() }
        let shape = Shape(key: key)
        shape.wishTerms = key.wishes.map { state.termNumber($0) }
        shape.extend(state)
        shapes[key] = shape
        return shape
    }

    /// Forgets shapes without an index, so that a stream of ever new ones does not fill the memory.
    private func forgetShapes() { shapes = shapes.filter { $0.value.tree != nil } }

    // MARK: - Index

    /// The best host for a shape, the first in the stable order among equals.
    func first(for shape: Shape) -> Int? {
        if let scope { return scope.first(for: shape, scorer: makeScorer(), state: state) }
        if settings.policy == .random { return randomHost(for: shape) }
        guard settings.usesIndex else { return scan(for: shape) }
        bringUpToDate(shape)
        return shape.tree?.first()
    }

    /// The same as `first(for:)`, by looking at every host.
    func scan(for shape: Shape) -> Int? {
        let scorer = makeScorer()
        let probe = Probe(shape)
        let hasTerms = shape.hasTerms
        var best: Int?
        var bestScore: Int16 = 0
        for host in 0..<state.hostSlots {
            let score = scorer.score(host, probe, shape, hasTerms: hasTerms)
            if score > bestScore {
                best = host
                bestScore = score
            }
        }
        return best
    }

    private func randomHost(for shape: Shape) -> Int? {
        let scorer = makeScorer()
        let probe = Probe(shape)
        let hasTerms = shape.hasTerms
        let feasible = (0..<state.hostSlots).filter { scorer.score($0, probe, shape, hasTerms: hasTerms) > 0 }
        return feasible.randomElement(using: &dice)
    }

    /// Computes the scores that are old: of hosts that changed, or all.
    func bringUpToDate(_ shape: Shape) {
        clock += 1
        shape.lastUse = clock
        shape.extend(state)
        refreshScale()
        let isOld =
            shape.tree == nil || shape.generation != generation || shape.seenChanges < state.changeBase
            || shape.seenTransitions < state.affinity.transitionBase
            || (shape.tree?.count ?? 0) < state.hostSlots
        let transitions = shape.hasTerms ? state.affinity.transitionEnd : shape.seenTransitions
        if isOld || (shape.seenTransitions < transitions && needsAllHosts(shape)) {
            build(shape)
        } else if shape.seenChanges < state.changeEnd || shape.seenTransitions < transitions {
            readChanges(shape)
        }
        shape.seenChanges = state.changeEnd
        shape.seenTransitions = state.affinity.transitionEnd
        if state.changes.count > 1 << 16 { trimChanges() }
    }

    private func build(_ shape: Shape) {
        if shape.tree == nil { enroll(shape) }
        if let old = shape.tree, old.count < state.hostSlots { shape.dropTree() }
        // Some room, so that a fleet that grows host by host does not rebuild each time.
        let tree = shape.tree ?? ScoreTree(count: max(64, state.hostSlots + state.hostSlots / 8))
        shape.tree = tree
        shape.generation = generation
        let scorer = makeScorer()
        let probe = Probe(shape)
        let hasTerms = shape.hasTerms
        for host in 0..<state.hostSlots {
            tree.write(scorer.score(host, probe, shape, hasTerms: hasTerms), at: host)
        }
        tree.summarize()
    }

    private func readChanges(_ shape: Shape) {
        guard let tree = shape.tree else { return }
        let scorer = makeScorer()
        let probe = Probe(shape)
        let hasTerms = shape.hasTerms
        let lastChange = state.hosts.lastChange
        state.changes.withUnsafeBufferPointer { changes in
            for position in shape.seenChanges..<state.changeEnd {
                let host = Int(changes[position - state.changeBase])
                // A later entry of the same host covers this one.
                guard lastChange[host] == position else { continue }
                tree.set(scorer.score(host, probe, shape, hasTerms: hasTerms), at: host)
            }
        }
        guard hasTerms else { return }
        for transition in transitions(for: shape) {
            let level = state.affinity.terms.keys[Int(transition.term)].level
            for host in state.hosts(in: transition.domain, at: level) {
                tree.set(scorer.score(Int(host), probe, shape, hasTerms: true), at: Int(host))
            }
        }
    }

    private func transitions(for shape: Shape) -> [AffinityCounts.Transition] {
        let key = shape.key
        let terms = Set(key.near + key.apart + key.repellers + shape.wishTerms)
        return state.affinity.transitions[(shape.seenTransitions - state.affinity.transitionBase)...]
            .filter { terms.contains($0.term) && $0.domain >= 0 }
    }

    /// Whether the first workload of a kind came or the last one left, which matters to those who want to be near it.
    private func needsAllHosts(_ shape: Shape) -> Bool {
        state.affinity.transitions[(shape.seenTransitions - state.affinity.transitionBase)...]
            .contains { $0.domain < 0 && shape.key.selfNear.contains($0.term) }
    }

    /// Gives a shape an index, taking that of the one that was not asked for the longest where there are too many.
    private func enroll(_ shape: Shape) {
        if indexed.count >= max(settings.indexedShapes, 1),
            let oldest = indexed.indices.min(by: { indexed[$0].lastUse < indexed[$1].lastUse })
        {
            indexed[oldest].dropTree()
            indexed.remove(at: oldest)
        }
        indexed.append(shape)
    }

    /// Brings a few other indexes up to date, so that none lags far and no decision pays for many changes.
    func settle() {
        guard settings.usesIndex, !indexed.isEmpty, settings.policy != .random else { return }
        for _ in 0..<max(1, indexed.count / 32) {
            turn = turn + 1 < indexed.count ? turn + 1 : 0
            let shape = indexed[turn]
            // One that needs all hosts waits until somebody asks for it.
            guard shape.generation == generation, shape.seenChanges < state.changeEnd else { continue }
            let lastUse = shape.lastUse
            bringUpToDate(shape)
            shape.lastUse = lastUse
        }
    }

    private func trimChanges() {
        for shape in indexed where shape.seenChanges < state.changeEnd && shape.generation == generation {
            guard !shape.hasTerms else {
                // What it would have to look at may be every host; that waits until somebody asks for it.
                shape.generation = -1
                continue
            }
            shape.extend(state)
            readChanges(shape)
        }
        state.forgetChanges()
        for shape in indexed where shape.generation == generation {
            shape.seenChanges = state.changeBase
            shape.seenTransitions = state.affinity.transitionBase
        }
    }

    // MARK: - What all scores depend on

    private func refreshScale() {
        if tableModels != state.models.count { rebuildTable(tableTypical) }
        guard settings.bestFitScale == nil, scaleGeneration != state.scaleGeneration else { return }
        scaleGeneration = state.scaleGeneration
        generation += 1
    }

    /// Takes what is popular now, when it differs from what scores were computed with by more than the tolerance.
    func refreshPopularity(tolerance: Double) {
        let typical = popularity.typical(covering: settings.typicalCoverage, atMost: 64)
        var old: [Popularity.Size: Double] = [:]
        for entry in tableTypical { old[entry.size] = entry.share }
        var drift = 0.0
        for entry in typical { drift += abs(entry.share - (old.removeValue(forKey: entry.size) ?? 0)) }
        for entry in tableTypical { drift += old[entry.size] ?? 0 }
        guard drift / 2 > tolerance else { return }
        rebuildTable(typical)
    }

    func rebuildTable(_ typical: [Popularity.Typical]) {
        tableTypical = typical
        tableModels = state.models.count
        table = FragmentationTable(typical: typical, models: state.models.keys)
        generation += 1
    }
}

extension HostScorer {
    /// The idle compute of a host that typical requests cannot use, in thousandths of a device times `one`.
    func fragmentation(_ host: Int) -> Int64 {
        let cpu = hosts.cpuFree[host]
        return sum(host, cpuRank: table.cpuRank(cpu)) - usable(host, cpu: cpu, instead: -1, 0, 0)
    }
}
