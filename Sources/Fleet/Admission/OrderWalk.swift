/// Takes requests out of the queues one after the other, each time the one that goes next, as if each before it had
/// been placed.
///
/// Each node above others keeps a heap of those below. What goes next is on top of all heaps on the way down, and only
/// those keys change when it is taken, so a step costs the depth times the logarithm of the width. All that a step
/// looks at stands in plain values side by side: a step takes well under a microsecond.
struct OrderWalk {
    /// What is compared, in this order.
    private struct Key {
        var priority: Int64
        var isOverdue: Bool
        var isWithinGuarantee: Bool
        var saturation: Double
        var past: Double
        var arrival: Int64
        /// The request; -1 where none is left.
        var place: Int

        static let none = Key(
            priority: 0, isOverdue: false, isWithinGuarantee: false, saturation: 0, past: 0, arrival: 0, place: -1)
    }

    private let state: AdmissionState
    private let now: Int64
    private let terms: [NodeTerms]
    private let isShared: SharedResources
    private let isKeptBounded: Bool
    /// The queues that this walk takes from; in a second walk, those that rest.
    private var queues: [[Int]]
    private var cursors: [Int]
    private var keys: [Key]
    /// The heaps of all nodes, one behind the other; each node's terms say where its own begins.
    private var heaps: [Int]
    private var heapCounts: [Int]
    /// What is used once all that were taken are placed.
    private var used: [NodeUse]
    /// Requests that have waited too long for a node's quota to be passed; -1 where there is none.
    private var holders: [Int]
    private var resting: [[Int]]
    private var isTakingResting = false
    private var outside: [Int] = []
    private var refused: [Int] = []
    private(set) var order = QueueOrder()

    init(_ state: AdmissionState, at now: Int64) {
        self.state = state
        self.now = now
        let nodes = state.tree.nodes
        isShared = SharedResources(of: state.capacity)
        isKeptBounded = state.policy.keepsWithinGuarantee
        queues = state.queues
        cursors = Array(repeating: 0, count: nodes.count)
        keys = Array(repeating: .none, count: nodes.count)
        var terms: [NodeTerms] = []
        var heapStart = 0
        for node in nodes {
            terms.append(NodeTerms(node, heapStart: heapStart))
            heapStart += node.children.count
        }
        self.terms = terms
        heaps = Array(repeating: 0, count: heapStart)
        heapCounts = Array(repeating: 0, count: nodes.count)
        used = nodes.map { NodeUse(requests: $0.requests, limits: $0.limits, kept: $0.kept) }
        holders = Array(repeating: -1, count: nodes.count)
        resting = Array(repeating: [], count: nodes.count)
    }

    /// Orders all that waits, or as much as is needed to find `limit` that are ready.
    mutating func run(limit: Int) {
        order.entries.reserveCapacity(min(state.waitingCount, limit))
        var found = 0
        fillHeaps()
        while found < limit, let (place, leaf) = top() { found += take(place, at: leaf) ? 1 : 0 }
        guard found < limit || limit == .max else {
            order.isComplete = order.entries.count == state.waitingCount
            return
        }
        isTakingResting = true
        queues = resting
        cursors = Array(repeating: 0, count: cursors.count)
        fillHeaps()
        while let (place, leaf) = top() { _ = take(place, at: leaf) }
        for place in outside + refused { appendOutside(place) }
    }

    private func top() -> (place: Int, leaf: Int)? {
        var node = ProjectTree.root
        while heapCounts[node] > 0 { node = heaps[terms[node].heapStart] }
        guard node != ProjectTree.root, keys[node].place >= 0 else { return nil }
        return (keys[node].place, node)
    }

    /// Takes the request on top; returns whether it is ready.
    private mutating func take(_ place: Int, at leaf: Int) -> Bool {
        let standing = standing(of: place, at: leaf)
        if isTakingPart(standing) { book(state.asks[place], at: leaf) }
        append(place, standing, saturation: keys[leaf].saturation)
        cursors[leaf] += 1
        refresh(from: leaf)
        return standing == .ready
    }

    private func isTakingPart(_ standing: Standing) -> Bool {
        switch standing {
        case .ready, .resting: true
        default: false
        }
    }

    private mutating func append(_ place: Int, _ standing: Standing, saturation: Double?) {
        let ask = state.asks[place]
        order.entries.append(
            QueueEntry(
                id: state.waiting[place].request.id, project: state.waiting[place].request.project,
                position: order.entries.count + 1, standing: standing, requests: ask.requests,
                isOverdue: ask.isOverdue, saturation: saturation))
        if isTakingPart(standing) { order.demand += ask.requests }
    }

    private mutating func appendOutside(_ place: Int) {
        if let refusal = state.waiting[place].refusal {
            append(place, .overQuota(refusal), saturation: nil)
            return
        }
        switch state.waiting[place].request.readiness?.state(at: now) {
        case .forming(let missing, let until): append(place, .forming(missing: missing, until: until), saturation: nil)
        case .timedOut(let missing): append(place, .timedOut(missing: missing), saturation: nil)
        case .ready, nil: append(place, .ready, saturation: nil)
        }
    }

    // MARK: Quotas

    private mutating func standing(of place: Int, at leaf: Int) -> Standing {
        let ask = state.asks[place]
        var node = leaf
        while node != ProjectTree.root {
            if holders[node] >= 0 {
                return .behind(
                    state.waiting[holders[node]].request.id, project: state.tree.nodes[node].project.name)
            }
            if !admits(ask, at: node), let refusal = refusal(of: state.waiting[place].booking, at: node) {
                if ask.isOverdue, !refusal.isPermanent { holders[node] = place }
                return .overQuota(refusal)
            }
            node = terms[node].parent
        }
        guard ask.notBefore > now else { return .ready }
        return .resting(until: ask.notBefore, failures: state.waiting[place].failures)
    }

    /// Whether a request is within a node's caps for sure.
    private func admits(_ ask: Ask, at node: Int) -> Bool {
        if ask.isKept && isKeptBounded { return false }
        guard terms[node].isCapped else { return true }
        return (used[node].requests + ask.requests).fits(in: terms[node].requestCap)
            && (used[node].limits + ask.limits).fits(in: terms[node].limitCap)
    }

    private func refusal(of booking: Booking, at node: Int) -> QuotaRefusal? {
        let (node, use) = (state.tree.nodes[node], used[node])
        if let broken = node.broken(by: booking, usedRequests: use.requests, usedLimits: use.limits) { return broken }
        guard booking.isKept, isKeptBounded else { return nil }
        return node.brokenGuarantee(
            by: booking, usedKept: use.kept, root: state.tree.nodes[ProjectTree.root].guaranteed)
    }

    private mutating func book(_ ask: Ask, at leaf: Int) {
        var node = leaf
        while true {
            used[node].requests += ask.requests
            used[node].limits += ask.limits
            if ask.isKept { used[node].kept += ask.requests }
            if node == ProjectTree.root { return }
            node = terms[node].parent
        }
    }

    // MARK: Heaps

    private mutating func fillHeaps() {
        for node in keys.indices.reversed() {
            if state.tree.nodes[node].home == node { skip(at: node) }
            let start = terms[node].heapStart
            var count = 0
            for child in state.tree.nodes[node].children where keys[child].place >= 0 {
                heaps[start + count] = child
                count += 1
            }
            heapCounts[node] = count
            for at in stride(from: count / 2 - 1, through: 0, by: -1) { siftDown(node, from: at) }
            keys[node] = key(of: node)
        }
    }

    /// Moves a queue's cursor to the next request that takes part in this walk.
    private mutating func skip(at leaf: Int) {
        guard !isTakingResting else { return }
        while cursors[leaf] < queues[leaf].count {
            let place = queues[leaf][cursors[leaf]]
            if state.asks[place].isRefused {
                refused.append(place)
            } else if state.asks[place].isGang, let readiness = state.waiting[place].request.readiness,
                readiness.state(at: now) != .ready
            {
                outside.append(place)
            } else if state.asks[place].notBefore > now, !state.asks[place].isOverdue {
                resting[leaf].append(place)
            } else {
                return
            }
            cursors[leaf] += 1
        }
    }

    private func key(of node: Int) -> Key {
        let place: Int
        if heapCounts[node] > 0 {
            place = keys[heaps[terms[node].heapStart]].place
        } else {
            guard cursors[node] < queues[node].count else { return .none }
            place = queues[node][cursors[node]]
        }
        guard place >= 0 else { return .none }
        let ask = state.asks[place]
        return Key(
            priority: ask.priority, isOverdue: ask.isOverdue,
            isWithinGuarantee: terms[node].hasGuarantee
                && terms[node].isWithinGuarantee(using: used[node].requests, asking: ask.requests),
            saturation: terms[node].saturation(using: used[node].requests, isShared), past: terms[node].past,
            arrival: ask.arrival, place: place)
    }

    /// A queue has moved on: its key, and those of all above, are computed again and find their places.
    private mutating func refresh(from leaf: Int) {
        skip(at: leaf)
        keys[leaf] = key(of: leaf)
        var node = leaf
        while node != ProjectTree.root {
            let parent = terms[node].parent
            if keys[node].place < 0, heapCounts[parent] > 0 {
                heapCounts[parent] -= 1
                let start = terms[parent].heapStart
                heaps[start] = heaps[start + heapCounts[parent]]
            }
            siftDown(parent, from: 0)
            keys[parent] = key(of: parent)
            node = parent
        }
    }

    private mutating func siftDown(_ node: Int, from first: Int) {
        let (start, count) = (terms[node].heapStart, heapCounts[node])
        var at = first
        while true {
            var best = at
            for child in 2 * at + 1...2 * at + 2 where child < count {
                if goesBefore(heaps[start + child], heaps[start + best]) { best = child }
            }
            if best == at { return }
            heaps.swapAt(start + at, start + best)
            at = best
        }
    }

    private func goesBefore(_ left: Int, _ right: Int) -> Bool {
        let (one, other) = (keys[left], keys[right])
        if one.place < 0 || other.place < 0 { return one.place >= 0 }
        if one.priority != other.priority { return one.priority > other.priority }
        if one.isOverdue || other.isOverdue { return isOlder(one, other) }
        if one.isWithinGuarantee != other.isWithinGuarantee { return one.isWithinGuarantee }
        if one.saturation != other.saturation { return one.saturation < other.saturation }
        if one.past != other.past { return one.past < other.past }
        return isOlder(one, other)
    }

    private func isOlder(_ one: Key, _ other: Key) -> Bool {
        if one.isOverdue != other.isOverdue { return one.isOverdue }
        if one.arrival != other.arrival { return one.arrival < other.arrival }
        return state.waiting[one.place].request.id < state.waiting[other.place].request.id
    }
}
