/// The hosts of one domain while a gang is placed in it, with their scores for the shapes of its members.
final class TopologyScope {
    /// In the order of their slots.
    let hosts: [Int32]
    private var trees: [ObjectIdentifier: (tree: ScoreTree, seen: Int)] = [:]

    init(hosts: [Int32]) { self.hosts = hosts }

    deinit { for entry in trees.values { entry.tree.free() } }

    /// The best host of the domain for a shape.
    func first(for shape: Shape, scorer: HostScorer, state: FleetState) -> Int? {
        let probe = Probe(shape)
        let hasTerms = shape.hasTerms
        let name = ObjectIdentifier(shape)
        let known = trees[name]
        let tree = known?.tree ?? ScoreTree(count: hosts.count)
        // Affinity changes scores of hosts that did not change; gangs with such terms look at the whole domain.
        if let known, !hasTerms {
            for position in max(known.seen, state.changeBase)..<max(known.seen, state.changeEnd) {
                let host = state.changes[position - state.changeBase]
                guard let at = place(of: host) else { continue }
                tree.set(scorer.score(Int(host), probe, shape, hasTerms: false), at: at)
            }
        } else {
            for (at, host) in hosts.enumerated() {
                tree.write(scorer.score(Int(host), probe, shape, hasTerms: hasTerms), at: at)
            }
            tree.summarize()
        }
        trees[name] = (tree, state.changeEnd)
        return tree.first().map { Int(hosts[$0]) }
    }

    private func place(of host: Int32) -> Int? {
        var low = 0
        var high = hosts.count
        while low < high {
            let middle = (low + high) / 2
            if hosts[middle] < host { low = middle + 1 } else { high = middle }
        }
        return low < hosts.count && hosts[low] == host ? low : nil
    }
}
