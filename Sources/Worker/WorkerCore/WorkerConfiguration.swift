public import Transport

/// What a worker is told when it starts.
public struct WorkerConfiguration: Sendable {
    /// The vGPU's memory in bytes.
    public var vramByteCount: UInt64 = 4 << 30
    /// The share of the device's compute, in percent; reported, not enforced.
    public var computePercent: UInt32 = 100
    /// What clients must present; nil lets everybody in.
    public var token: [UInt8]?
    /// The hash of the API description that clients must have been built from.
    public var descriptionHash: UInt64
    /// Where module images are kept by their hash; nil for nowhere.
    public var imageCache: ImageCacheSetting?
    /// Where other workers reach this one, beside the places where it listens.
    public var peerEndpoints: [Endpoint] = []
    /// What clients that come with TLS are shown; only needed to listen for those.
    public var identity: TLSIdentity?
    public var limits = WorkerLimits()

    public init(descriptionHash: UInt64) {
        self.descriptionHash = descriptionHash
    }
}

/// What one client, or all together, may have of each thing.
public struct WorkerLimits: Sendable {
    /// Each takes 1 TiB of the worker's 128 TiB of addresses for a device's arena.
    public var sessionCount = 100
    /// Connections of one session that carry commands.
    public var laneCountPerSession = 1024
    /// Connections that have not finished their greeting.
    public var greetingCount = 64
    public var monitorCount = 64
    /// Contexts, streams, events, modules or functions of one session, each.
    public var handleCount = 1 << 20
    public var contextCount = 64
    /// Devices, each with an arena and a thread, of one session and of all sessions together.
    public var deviceCountPerSession = 16
    public var deviceCount = 110
    /// Allocations of one session.
    public var allocationCount = 1 << 20
    /// Reservations, physical objects or mappings of one session, each. Linux gives a process 65,530 mappings.
    public var mappingCount = 24_576
    /// Copies to the host that a session may have without fetching them, and their bytes.
    public var downloadCount = 4096
    public var downloadByteCount: UInt64 = 256 << 20
    /// Bytes of host memory that a session may have mapped for the device.
    public var hostMemoryByteCount: UInt64 = 16 << 30
    /// Bytes of the images that load at once in a session.
    public var imageByteCount: UInt64 = 1 << 30
    /// Bytes of the plans of a session's executable graphs.
    public var graphByteCount: UInt64 = 2 << 30
    /// Device `printf` output that waits for a reply, in bytes; what comes later is dropped, as on a device.
    public var printfByteCount = 1 << 20
    /// How long a lane waits for another one, in nanoseconds.
    public var laneWaitNanoseconds: UInt64 = 300_000_000_000

    public init() {}
}
