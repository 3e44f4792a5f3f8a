/// What a range of an arena is used for.
public enum BlockState: UInt8, Sendable {
    case free
    case used
    /// Freed, but perhaps still used by work that runs.
    case resting
}

/// One range of an arena.
public struct Block {
    public var address: UInt64 = 0
    /// Bytes, a multiple of the arena's alignment.
    public var byteCount: UInt64 = 0
    /// Bytes that the caller asked for.
    public var requestedByteCount: UInt64 = 0
    public var state = BlockState.free
    /// Free for the owner's use.
    public var kind: UInt8 = 0
    public var flags: UInt32 = 0
    /// Never the same for two allocations of a process.
    public var serial: UInt64 = 0
    /// The context that owns it, and one more pointer for the owner's use.
    public var context: UnsafeMutablePointer<ContextState>?
    public var object: UnsafeMutableRawPointer?

    var left: Int32 = -1
    var right: Int32 = -1
    var priority: UInt32 = 0
    /// Neighbours in a list of free blocks, or in the queue of resting ones.
    var next: Int32 = -1
    var previous: Int32 = -1
}

/// Blocks ordered by address: a treap whose nodes live in one growing table.
struct BlockMap: ~Copyable {
    private(set) var nodes: UnsafeMutablePointer<Block>
    private var capacity: Int32
    private var usedCount: Int32 = 0
    private var recycled: Int32 = -1
    private var root: Int32 = -1
    private var randomState: UInt32 = 0x9E37_79B9

    init(capacity: Int32 = 256) {
        self.capacity = capacity
        nodes = UnsafeMutablePointer<Block>.allocate(capacity: Int(capacity))
    }

    deinit { nodes.deallocate() }

    /// A fresh node's index, not yet in the map.
    mutating func makeNode() -> Int32 {
        if recycled >= 0 {
            let index = recycled
            recycled = nodes[Int(index)].next
            nodes[Int(index)] = Block()
            return index
        }
        if usedCount == capacity { grow() }
        let index = usedCount
        usedCount &+= 1
        (nodes + Int(index)).initialize(to: Block())
        return index
    }

    private mutating func grow() {
        let larger = UnsafeMutablePointer<Block>.allocate(capacity: Int(capacity) &* 2)
        larger.moveInitialize(from: nodes, count: Int(usedCount))
        nodes.deallocate()
        nodes = larger
        capacity = capacity &* 2
    }

    mutating func recycle(_ index: Int32) {
        nodes[Int(index)].next = recycled
        recycled = index
    }

    /// Adds a node under its address.
    mutating func insert(_ index: Int32) {
        randomState ^= randomState << 13
        randomState ^= randomState >> 17
        randomState ^= randomState << 5
        nodes[Int(index)].priority = randomState
        nodes[Int(index)].left = -1
        nodes[Int(index)].right = -1
        root = inserting(index, into: root)
    }

    private func inserting(_ index: Int32, into tree: Int32) -> Int32 {
        guard tree >= 0 else { return index }
        let node = nodes + Int(tree)
        if nodes[Int(index)].address < node.pointee.address {
            let child = inserting(index, into: node.pointee.left)
            node.pointee.left = child
            guard nodes[Int(child)].priority > node.pointee.priority else { return tree }
            node.pointee.left = nodes[Int(child)].right
            nodes[Int(child)].right = tree
            return child
        }
        let child = inserting(index, into: node.pointee.right)
        node.pointee.right = child
        guard nodes[Int(child)].priority > node.pointee.priority else { return tree }
        node.pointee.right = nodes[Int(child)].left
        nodes[Int(child)].left = tree
        return child
    }

    /// Removes the node with exactly this address.
    mutating func remove(address: UInt64) {
        root = removing(address, from: root)
    }

    private func removing(_ address: UInt64, from tree: Int32) -> Int32 {
        guard tree >= 0 else { return -1 }
        let node = nodes + Int(tree)
        if address < node.pointee.address {
            node.pointee.left = removing(address, from: node.pointee.left)
            return tree
        }
        if address > node.pointee.address {
            node.pointee.right = removing(address, from: node.pointee.right)
            return tree
        }
        return merging(node.pointee.left, node.pointee.right)
    }

    private func merging(_ low: Int32, _ high: Int32) -> Int32 {
        guard low >= 0 else { return high }
        guard high >= 0 else { return low }
        if nodes[Int(low)].priority > nodes[Int(high)].priority {
            nodes[Int(low)].right = merging(nodes[Int(low)].right, high)
            return low
        }
        nodes[Int(high)].left = merging(low, nodes[Int(high)].left)
        return high
    }

    /// The node with the highest address at or below `address`, or -1.
    func floor(_ address: UInt64) -> Int32 {
        var best: Int32 = -1
        var index = root
        while index >= 0 {
            let node = nodes + Int(index)
            if node.pointee.address <= address {
                best = index
                index = node.pointee.right
            } else {
                index = node.pointee.left
            }
        }
        return best
    }
}
