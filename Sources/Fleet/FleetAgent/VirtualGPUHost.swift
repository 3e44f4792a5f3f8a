public import FleetModel

/// What makes vGPUs on a machine. The seam between the agent and the node's daemon.
public protocol VirtualGPUHost: Sendable {
    /// The machine's processors, in thousandths.
    var milliProcessors: Int64 { get }
    /// The machine's memory.
    var memory: MemoryQuantity { get }
    /// The devices as they are now.
    func devices() -> [DeviceReport]
    /// Starts a vGPU's workers.
    ///
    /// - Parameters:
    ///   - vgpu: What is wanted.
    ///   - address: Where they listen for other machines.
    ///   - onEvent: Told what comes of it: at most one `serves`, then exactly one `ended`.
    func start(
        _ vgpu: Resource<VirtualGPUSpec>, address: String, onEvent: @escaping @Sendable (VirtualGPUEvent) -> Void
    ) -> any HeldVirtualGPU
}

/// A vGPU that was started.
public protocol HeldVirtualGPU: Sendable {
    /// Runs a program beside it; the vGPU ends with the program.
    func run(_ command: [String], environment: [String: String], directory: String?, logFile: String)
    /// Ends it, with its program.
    func stop()
}

/// What becomes of a vGPU.
public enum VirtualGPUEvent: Sendable, Hashable {
    /// Its workers serve.
    case serves(GrantedVGPU)
    /// Nothing of it is left.
    case ended(exitStatus: Int64?, message: String?)
}

/// How to reach a vGPU that serves.
public struct GrantedVGPU: Sendable, Hashable {
    /// Where other machines connect, one endpoint for each device.
    public var endpoints: [String]
    /// Where programs of the machine itself connect.
    public var localEndpoints: [String]
    /// What programs see.
    public var uuids: [String]
    /// The secret that opens the workers.
    public var token: String
    /// Whether programs must hand over PTX.
    public var isSoftware: Bool

    /// Describes a way.
    public init(endpoints: [String], localEndpoints: [String], uuids: [String], token: String, isSoftware: Bool) {
        self.endpoints = endpoints
        self.localEndpoints = localEndpoints
        self.uuids = uuids
        self.token = token
        self.isSoftware = isSoftware
    }
}
