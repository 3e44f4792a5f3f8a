internal import CCUDA
internal import ClientRuntime

/// A stream as captures know it: the per-thread default stream is another one in each thread and context.
struct CaptureStream: Equatable {
    let id: UInt64
    let owner: UInt
    let context: UInt

    init(_ id: UInt64, _ thread: UnsafeMutablePointer<ThreadState>, _ context: UnsafeMutablePointer<ContextState>) {
        self.id = id
        owner = id == 2 ? UInt(bitPattern: thread) : 0
        self.context = id <= 2 ? UInt(bitPattern: context) : 0
    }
}

/// One stream in a capture.
final class CapturedStream {
    let stream: CaptureStream
    /// Whether it waits for the legacy default stream.
    let isBlocking: Bool
    /// What the stream's next node will depend on.
    var frontier: [GraphEdge]
    /// What `cuStreamGetCaptureInfo` has shown.
    private var nodes: UnsafeMutablePointer<CUgraphNode?>?
    private var data: UnsafeMutablePointer<CUgraphEdgeData>?

    init(_ stream: CaptureStream, isBlocking: Bool, frontier: [GraphEdge]) {
        self.stream = stream
        self.isBlocking = isBlocking
        self.frontier = frontier
    }

    deinit {
        nodes?.deallocate()
        data?.deallocate()
    }

    /// The frontier as arrays, good until the next time.
    func shown() -> (nodes: UnsafePointer<CUgraphNode?>, data: UnsafePointer<CUgraphEdgeData>) {
        nodes?.deallocate()
        data?.deallocate()
        let count = max(1, frontier.count)
        let handles = UnsafeMutablePointer<CUgraphNode?>.allocate(capacity: count)
        let edges = UnsafeMutablePointer<CUgraphEdgeData>.allocate(capacity: count)
        handles.initialize(repeating: nil, count: count)
        edges.initialize(repeating: CUgraphEdgeData(), count: count)
        for (index, edge) in frontier.enumerated() {
            handles[index] = edge.from.handle
            edges[index] = edge.data
        }
        nodes = handles
        data = edges
        return (UnsafePointer(handles), UnsafePointer(edges))
    }

    /// Adds dependencies that are not there yet.
    func join(_ edges: [GraphEdge]) {
        for edge in edges where !frontier.contains(where: { $0.from === edge.from }) { frontier.append(edge) }
    }
}

/// What streams are told between `cuStreamBeginCapture` and `cuStreamEndCapture`.
final class CaptureSession {
    let id: UInt64
    let graph: Graph
    let mode: UInt32
    let thread: UnsafeMutablePointer<ThreadState>
    let context: UnsafeMutablePointer<ContextState>
    let origin: CaptureStream
    /// Whether the graph was made for this capture.
    let ownsGraph: Bool
    var streams: [CapturedStream] = []
    var isInvalidated = false

    init(
        id: UInt64, graph: Graph, mode: UInt32, _ target: CallTarget, origin: CaptureStream, ownsGraph: Bool
    ) {
        self.id = id
        self.graph = graph
        self.mode = mode
        thread = target.thread
        context = target.context
        self.origin = origin
        self.ownsGraph = ownsGraph
    }

    func stream(_ stream: CaptureStream) -> CapturedStream? {
        for captured in streams where captured.stream == stream { return captured }
        return nil
    }

    /// Whether all that other streams did is waited for by the origin.
    var isJoined: Bool {
        guard let end = stream(origin) else { return false }
        for other in streams where other !== end && !graph.allReach(other.frontier, end.frontier) { return false }
        return true
    }
}

/// What a captured event recorded.
struct CapturedEvent {
    let id: UInt64
    /// Nil once the capture has ended.
    var session: CaptureSession?
    var edges: [GraphEdge]

    /// In the flags of an event's handle: it was last recorded in a captured stream.
    static let flag: UInt32 = 1 << 31
}
