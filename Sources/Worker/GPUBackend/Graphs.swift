// Graphs. The worker tells a recorder the nodes in an order in which each comes after what it waits for, and has each
// node's command submit its work to the recorder's stream, as to any other stream. A backend with graphs of its own
// lets that stream capture: `beginNode` then sets what the next work depends on.

/// Takes a graph's nodes. Used by one thread, from its making to ``finish(replacing:)``.
public protocol BackendGraphRecorder: AnyObject {
    /// What is submitted here becomes part of the present node: launches, copies and fills on the device, host
    /// functions, copies to and from host memory, recorded and awaited events. `copyToDevice`, `copyFromDevice`,
    /// `synchronize` and `isIdle` are never called.
    var stream: any BackendStream { get }

    /// Begins the next node, which waits for earlier ones by their numbers, counted from 0. A node may get no work.
    func beginNode(after dependencies: [Int]) throws(BackendError)

    /// Names the values that conditional nodes go by, in this graph or in bodies of it. Called once, before the first
    /// node, and only for the outermost graph. Throws `NOT_SUPPORTED`.
    func declare(_ values: [ConditionalValue]) throws(BackendError)

    /// Makes the present node run other graphs by a declared value. Answers a recorder for each of them; they are
    /// complete before this one gets its next node, and are finished with the outermost graph.
    func addConditional(_ conditional: ConditionalNode, bodyCount: Int) throws(BackendError)
        -> [any BackendGraphRecorder]

    /// Ends the recording. `old` is a graph of the same shape with other arguments, which the new one may reuse; it is
    /// not launched any more. Only called for the outermost graph.
    func finish(replacing old: (any BackendGraph)?) throws(BackendError) -> any BackendGraph
}

/// A value that conditional nodes go by.
public struct ConditionalValue: Sendable, Equatable {
    /// Where the client put it: four bytes of device memory. The address is the handle that the program gives to its
    /// kernels, which set the value by `cudaGraphSetConditional`.
    public var address: UInt64
    /// What it is at the beginning of each run; nil for what it was.
    public var defaultValue: UInt32?

    public init(address: UInt64, defaultValue: UInt32?) {
        self.address = address
        self.defaultValue = defaultValue
    }
}

/// A node that runs its bodies by a value.
public struct ConditionalNode: Sendable, Equatable {
    public enum Kind: UInt32, Sendable {
        /// Body 0 if the value is not 0, else body 1 if there is one.
        case choice = 0
        /// Body 0 for as long as the value is not 0.
        case loop = 1
        /// The body whose number the value is, if there is one.
        case selection = 2
    }

    /// The value's address.
    public var address: UInt64
    public var kind: Kind

    public init(address: UInt64, kind: Kind) {
        self.address = address
        self.kind = kind
    }
}

/// A `CUgraphExec`.
public protocol BackendGraph: AnyObject, Sendable {
    /// Runs the graph after the stream's earlier work. Throws what makes a launch impossible.
    func launch(on stream: any BackendStream) throws(BackendError)

    /// Gives the graph up; launches that were made still run.
    func destroy()
}

extension BackendContext {
    /// Begins a graph. Called by a lane. A backend without graphs throws `NOT_SUPPORTED`.
    public func makeGraphRecorder() throws(BackendError) -> any BackendGraphRecorder {
        throw BackendError(BackendStatus.notSupported, "this device has no graphs")
    }
}

extension BackendStream {
    /// Hands a box's bytes to the client's memory in stream order, through ``BackendHost/copyToHost``.
    public func copyToHost(_ box: MemoryBox, token: UInt64) throws(BackendError) {
        throw BackendError(BackendStatus.notSupported, "this device has no copies to a client's memory in stream order")
    }

    /// Fills a box with bytes of the client's memory in stream order, through ``BackendHost/copyFromHost``.
    public func copyFromHost(_ box: MemoryBox, token: UInt64) throws(BackendError) {
        throw BackendError(BackendStatus.notSupported, "this device has no copies of a client's memory in stream order")
    }
}

extension BackendHost {
    /// Has the client take `byteCount` bytes, which `send` is called for with one piece after the other, and waits
    /// until it has them, or for the end of the session. Called by the thread that executes a stream's work.
    public func copyToHost(
        token: UInt64, byteCount: UInt64, _ pieces: (_ send: (UnsafeRawBufferPointer) -> Bool) -> Void
    ) {}

    /// Asks the client for `byteCount` bytes and waits for them; nil when the client is gone or has others. Called by
    /// the thread that executes a stream's work.
    public func copyFromHost(token: UInt64, byteCount: UInt64) -> [UInt8]? { nil }
}
