/// Takes requests out of the queues one after the other, each time the one that goes next, as if each before it had
/// been placed.
///
/// Each node above others keeps a heap of those below. What goes next is on top of all heaps on the way down, and only
/// those keys change when it is taken, so a step costs the depth times the logarithm of the width.
struct OrderWalk {
    /// What is compared, in this order.
    private struct Key {
        var priority: Int64
        var isOverdue: Bool
        var isWithinGuarantee: Bool
        var saturation: Double
        var past: Double
        var arrival: Int64
        var place: Int
    }

    private let state: AdmissionState
    private let now: Int64
    private let rootGuarantee: ResourceVector
    /// The queues that this walk takes from; in a second walk, those that rest.
    private var queues: [[Int]]
    private var cursors: [Int]
    private var keys: [Key?]
    private var heaps: [[Int]]
    /// What is used once all that were taken are placed.
    private var requests: [ResourceVector]
    private var limits: [ResourceVector]
    private var kept: [ResourceVector]
    /// Requests that have waited too long for a node's quota to be passed.
    private var holders: [Int?]
    private var resting: [[Int]]
    private var isTakingResting = false
    private var outside: [Int] = []
    private var refused: [Int] = []
    private(set) var order = QueueOrder()

    init(_ state: AdmissionState, at now: Int64) {
        self.state = state
        self.now = now
        let nodes = state.tree.nodes
        rootGuarantee = nodes[ProjectTree.root].guaranteed
        queues = state.queues
        cursors = Array(repeating: 0, count: nodes.count)
        keys = Array(repeating: nil, count: nodes.count)
        heaps = Array(repeating: [], count: nodes.count)
        requests = nodes.map(\.requests)
        limits = nodes.map(\.limits)
        kept = nodes.map(\.kept)
        holders = Array(repeating: nil, count: nodes.count)
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

    private mutating func top() -> (place: Int, leaf: Int)? {
        var node = ProjectTree.root
        while let first = heaps[node].first { node = first }
        guard let key = keys[node], node != ProjectTree.root else { return nil }
        return (key.place, node)
    }

    /// Takes the request on top; returns whether it is ready.
    private mutating func take(_ place: Int, at leaf: Int) -> Bool {
        let standing = standing(of: place, at: leaf)
        if isTakingPart(standing) { book(state.waiting[place].booking, at: leaf) }
        append(place, standing, saturation: keys[leaf]?.saturation)
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
        let waiting = state.waiting[place]
        order.entries.append(
            QueueEntry(
                id: waiting.request.id, project: waiting.request.project, position: order.entries.count + 1,
                standing: standing, requests: waiting.booking.requests, isOverdue: waiting.isOverdue,
                saturation: saturation))
        if isTakingPart(standing) { order.demand += waiting.booking.requests }
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
        let waiting = state.waiting[place]
        var node = leaf
        while node != ProjectTree.root {
            if let holder = holders[node] {
                return .behind(state.waiting[holder].request.id, project: state.tree.nodes[node].project.name)
            }
            if let refusal = refusal(of: waiting.booking, at: node) {
                if waiting.isOverdue, !refusal.isPermanent { holders[node] = place }
                return .overQuota(refusal)
            }
            node = state.tree.nodes[node].parent
        }
        return waiting.notBefore > now ? .resting(until: waiting.notBefore, failures: waiting.failures) : .ready
    }

    private func refusal(of booking: Booking, at node: Int) -> QuotaRefusal? {
        let isKept = booking.isKept && state.policy.keepsWithinGuarantee
        if !state.tree.nodes[node].admits(booking, usedRequests: requests[node], usedLimits: limits[node]) {
            return state.tree.nodes[node].broken(
                by: booking, usedRequests: requests[node], usedLimits: limits[node])
        }
        guard isKept else { return nil }
        return state.tree.nodes[node].brokenGuarantee(by: booking, usedKept: kept[node], root: rootGuarantee)
    }

    private mutating func book(_ booking: Booking, at leaf: Int) {
        var node = leaf
        while true {
            requests[node] += booking.requests
            limits[node] += booking.limits
            if booking.isKept { kept[node] += booking.requests }
            if node == ProjectTree.root { return }
            node = state.tree.nodes[node].parent
        }
    }

    // MARK: Heaps

    private mutating func fillHeaps() {
        for node in keys.indices.reversed() {
            if state.tree.nodes[node].home == node { skip(at: node) }
            let active = state.tree.nodes[node].children.filter { keys[$0] != nil }
            heaps[node] = active
            for start in stride(from: active.count / 2 - 1, through: 0, by: -1) { siftDown(node, from: start) }
            keys[node] = key(of: node)
        }
    }

    /// Moves a queue's cursor to the next request that takes part in this walk.
    private mutating func skip(at leaf: Int) {
        guard !isTakingResting else { return }
        while cursors[leaf] < queues[leaf].count {
            let place = queues[leaf][cursors[leaf]]
            let isResting = state.waiting[place].notBefore > now && !state.waiting[place].isOverdue
            if state.waiting[place].refusal != nil {
                refused.append(place)
            } else if let readiness = state.waiting[place].request.readiness, readiness.state(at: now) != .ready {
                outside.append(place)
            } else if isResting {
                resting[leaf].append(place)
            } else {
                return
            }
            cursors[leaf] += 1
        }
    }

    private func key(of node: Int) -> Key? {
        let place: Int
        if let first = heaps[node].first {
            guard let head = keys[first] else { return nil }
            place = head.place
        } else {
            guard cursors[node] < queues[node].count else { return nil }
            place = queues[node][cursors[node]]
        }
        let asked = state.waiting[place].booking.requests
        return Key(
            priority: state.waiting[place].priority(state.policy), isOverdue: state.waiting[place].isOverdue,
            isWithinGuarantee: state.tree.isWithinGuarantee(node, using: requests[node], asking: asked),
            saturation: state.tree.saturation(node, using: requests[node], of: state.capacity),
            past: state.tree.nodes[node].past, arrival: state.waiting[place].request.arrival, place: place)
    }

    /// A queue has moved on: its key, and those of all above, are computed again and find their places.
    private mutating func refresh(from leaf: Int) {
        skip(at: leaf)
        keys[leaf] = key(of: leaf)
        var node = leaf
        while node != ProjectTree.root {
            let parent = state.tree.nodes[node].parent
            if keys[node] == nil, let last = heaps[parent].popLast(), last != node { heaps[parent][0] = last }
            siftDown(parent, from: 0)
            keys[parent] = key(of: parent)
            node = parent
        }
    }

    private mutating func siftDown(_ node: Int, from start: Int) {
        let count = heaps[node].count
        var at = start
        while true {
            var best = at
            for child in [2 * at + 1, 2 * at + 2] where child < count {
                if goesBefore(heaps[node][child], heaps[node][best]) { best = child }
            }
            if best == at { return }
            heaps[node].swapAt(at, best)
            at = best
        }
    }

    private func goesBefore(_ left: Int, _ right: Int) -> Bool {
        guard let one = keys[left], let other = keys[right] else { return keys[left] != nil }
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
