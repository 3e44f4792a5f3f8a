/// How the software GPU presents itself.
public struct SoftwareOptions: Sendable {
    public var name = "Roost Software GPU"
    /// The 16 bytes of the device's UUID, the first one highest.
    public var uuidHigh: UInt64 = 0x726F_6F73_7400_4000
    public var uuidLow: UInt64 = 0x8000_0000_0000_0001
    public var totalByteCount: UInt64 = 4 << 30
    /// Threads that run blocks of a kernel; with 1, kernels are deterministic.
    public var threadCount = 1
    /// 75 to 130: ten times the major number plus the minor one.
    public var computeCapability = 80
    /// Tells several devices of one machine apart in their PCI addresses.
    public var ordinal = 0

    public init() {}
}
