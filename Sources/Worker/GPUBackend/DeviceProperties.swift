/// What a backend says about one of its devices; it never changes while the worker runs.
public struct DeviceProperties: Sendable {
    public var name: String
    /// The 16 bytes of `CUuuid`, the first one highest.
    public var uuidHigh: UInt64
    public var uuidLow: UInt64
    /// Bytes that the device has; the worker's own limit may be lower.
    public var totalByteCount: UInt64
    /// Whether kernels need PTX because no GPU runs them.
    public var isSoftware: Bool
    /// `CUdevice_attribute` and its value, ascending.
    public var attributes: [(attribute: Int32, value: Int32)]

    public init(
        name: String, uuidHigh: UInt64, uuidLow: UInt64, totalByteCount: UInt64, isSoftware: Bool,
        attributes: [(attribute: Int32, value: Int32)]
    ) {
        self.name = name
        self.uuidHigh = uuidHigh
        self.uuidLow = uuidLow
        self.totalByteCount = totalByteCount
        self.isSoftware = isSoftware
        self.attributes = attributes
    }
}
