/// One node of a graph on the wire: an encoded command and the nodes before it that it waits for.
public struct GraphPlanNode: Sendable {
    /// A command's id; `noop` for a node that only joins others.
    public var command: UInt16
    public var isEnabled: Bool
    /// Indices of earlier nodes of the same graph.
    public var dependencies: [UInt32]
    public var payload: [UInt8]

    public init(command: UInt16, isEnabled: Bool = true, dependencies: [UInt32], payload: [UInt8]) {
        self.command = command
        self.isEnabled = isEnabled
        self.dependencies = dependencies
        self.payload = payload
    }

    /// Whether two nodes do the same, wherever they stand.
    public func isSameWork(as other: GraphPlanNode) -> Bool {
        command == other.command && isEnabled == other.isEnabled && payload == other.payload
    }
}

/// A value that device memory gets before a graph runs.
public struct GraphPlanDefault: Sendable {
    public var address: UInt64
    public var value: UInt32

    public init(address: UInt64, value: UInt32) {
        self.address = address
        self.value = value
    }
}

/// An executable graph on the wire, the bulk bytes of `graphInstantiate`: graph 0, and the bodies of conditional nodes,
/// each used once, by a graph before it.
public struct GraphPlan: Sendable {
    public var defaults: [GraphPlanDefault] = []
    public var graphs: [[GraphPlanNode]] = []

    public static let byteCountMax = 256 << 20
    public static let graphCountMax = 4096
    public static let nodeCountMax = 1 << 20

    public init() {}

    public func encode(into bytes: inout [UInt8]) {
        bytes.appendInteger(UInt32(truncatingIfNeeded: defaults.count))
        bytes.appendInteger(UInt32(truncatingIfNeeded: graphs.count))
        for value in defaults {
            bytes.appendInteger(value.address)
            bytes.appendInteger(value.value)
        }
        for nodes in graphs {
            bytes.appendInteger(UInt32(truncatingIfNeeded: nodes.count))
            for node in nodes {
                bytes.appendInteger(node.command)
                bytes.appendInteger(UInt16(node.isEnabled ? 0 : 1))
                bytes.appendInteger(UInt32(truncatingIfNeeded: node.dependencies.count))
                for dependency in node.dependencies { bytes.appendInteger(dependency) }
                bytes.appendBytes(node.payload)
            }
        }
    }

    /// Reads a plan. Every dependency names an earlier node, so that no circle can be told.
    public init(from reader: inout WireReader) throws(WireError) {
        let defaultCount = Int(try reader.read(UInt32.self))
        let graphCount = Int(try reader.read(UInt32.self))
        guard defaultCount <= GraphPlan.graphCountMax, graphCount > 0, graphCount <= GraphPlan.graphCountMax else {
            throw .oversized
        }
        for _ in 0..<defaultCount {
            defaults.append(GraphPlanDefault(address: try reader.read(), value: try reader.read()))
        }
        var rest = GraphPlan.nodeCountMax
        for _ in 0..<graphCount {
            let count = Int(try reader.read(UInt32.self))
            guard count <= rest else { throw .oversized }
            rest &-= count
            var nodes: [GraphPlanNode] = []
            for index in 0..<count { nodes.append(try GraphPlan.node(index, from: &reader)) }
            graphs.append(nodes)
        }
        guard reader.remainingByteCount == 0 else { throw .trailingBytes }
    }

    private static func node(_ index: Int, from reader: inout WireReader) throws(WireError) -> GraphPlanNode {
        let command: UInt16 = try reader.read()
        let flags: UInt16 = try reader.read()
        let count = Int(try reader.read(UInt32.self))
        guard flags <= 1 else { throw .badValue }
        guard count <= index else { throw .oversized }
        var dependencies: [UInt32] = []
        for _ in 0..<count {
            let dependency: UInt32 = try reader.read()
            guard Int(dependency) < index else { throw .badValue }
            dependencies.append(dependency)
        }
        let payload = [UInt8](try reader.readBytes())
        return GraphPlanNode(command: command, isEnabled: flags == 0, dependencies: dependencies, payload: payload)
    }
}

/// Nodes that replace others of an executable graph, the bulk bytes of `graphUpdate`.
public struct GraphPatch: Sendable {
    public struct Entry: Sendable {
        public var graph: UInt32
        public var index: UInt32
        public var command: UInt16
        public var isEnabled: Bool
        public var payload: [UInt8]

        public init(graph: UInt32, index: UInt32, _ node: GraphPlanNode) {
            self.graph = graph
            self.index = index
            command = node.command
            isEnabled = node.isEnabled
            payload = node.payload
        }
    }

    public var entries: [Entry] = []

    public init() {}

    public func encode(into bytes: inout [UInt8]) {
        bytes.appendInteger(UInt32(truncatingIfNeeded: entries.count))
        for entry in entries {
            bytes.appendInteger(entry.graph)
            bytes.appendInteger(entry.index)
            bytes.appendInteger(entry.command)
            bytes.appendInteger(UInt16(entry.isEnabled ? 0 : 1))
            bytes.appendBytes(entry.payload)
        }
    }

    public init(from reader: inout WireReader) throws(WireError) {
        let count = Int(try reader.read(UInt32.self))
        guard count <= GraphPlan.nodeCountMax else { throw .oversized }
        for _ in 0..<count {
            let graph: UInt32 = try reader.read()
            let index: UInt32 = try reader.read()
            let command: UInt16 = try reader.read()
            let flags: UInt16 = try reader.read()
            guard flags <= 1 else { throw .badValue }
            let payload = [UInt8](try reader.readBytes())
            let node = GraphPlanNode(command: command, isEnabled: flags == 0, dependencies: [], payload: payload)
            entries.append(Entry(graph: graph, index: index, node))
        }
        guard reader.remainingByteCount == 0 else { throw .trailingBytes }
    }
}
