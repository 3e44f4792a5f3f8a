/// What both sides enforce before they believe a length.
public enum WireLimits {
    /// The version of the framing; a worker refuses any other.
    public static let protocolVersion: UInt32 = 1
    /// The largest body of a frame, in bytes.
    public static let frameByteCountMax = 1 << 20
    /// The largest packed parameter block of a launch, in bytes (CUDA 12.1 and later).
    public static let launchParameterByteCountMax = 32_764
    /// The largest bulk transfer, in bytes.
    public static let bulkByteCountMax: UInt64 = 1 << 40
    /// Images below this size are sent at once, others when a worker does not know their hash.
    public static let hashedImageByteCountMin = 4096
    /// The longest token, process name and message, in bytes.
    public static let tokenByteCountMax = 4096
    public static let processNameByteCountMax = 256
    public static let messageByteCountMax = 64 << 10
    public static let streamMemoryOperationByteCount = 24
    public static let streamMemoryOperationCountMax = 256
}

/// Stream ids that no client allocates.
public enum StreamID {
    public static let legacyDefault: UInt64 = 0
    public static let legacy: UInt64 = 1
    public static let perThread: UInt64 = 2
    /// In `memoryFree`: after all work of the context.
    public static let all: UInt64 = .max
}
