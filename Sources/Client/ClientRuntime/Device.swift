internal import CPosix
public import WireProtocol

/// One vGPU, as the process sees it.
public final class Device {
    /// The CUDA ordinal.
    public let ordinal: Int32
    /// The place among all vGPUs of the process, whatever `CUDA_VISIBLE_DEVICES` hides; NVML counts so too.
    public let index: Int32
    public let worker: Worker
    /// What commands call the device: its place in this process, by which the worker finds its arena.
    public var wireIndex: UInt32 { UInt32(bitPattern: index) }
    public let snapshot: DeviceSnapshot
    public let memory: DeviceMemory
    /// Whether the arena is reserved, so that host-visible memory can be mapped in it.
    public let hasArena: Bool
    private let attributes: UnsafeMutablePointer<Int32>
    private static let attributeCount = 512

    init(ordinal: Int32, index: Int32, worker: Worker, snapshot: DeviceSnapshot) {
        self.ordinal = ordinal
        self.index = index
        self.worker = worker
        self.snapshot = snapshot
        attributes = UnsafeMutablePointer<Int32>.allocate(capacity: Device.attributeCount)
        attributes.initialize(repeating: Int32.min, count: Device.attributeCount)
        for entry in snapshot.attributes where entry.attribute >= 0 && entry.attribute < Device.attributeCount {
            attributes[Int(entry.attribute)] = entry.value
        }
        let base = DeviceArena.base(ordinal: UInt32(bitPattern: index))
        let start = UnsafeMutableRawPointer(bitPattern: UInt(base))
        hasArena =
            posix_map_anonymous(start, Int(DeviceArena.byteCount), Int32(POSIX_PROTECT_NONE)) != nil
        if !hasArena { ClientLog.problem("the device's address range is taken; host-visible memory fails") }
        memory = DeviceMemory(
            base: base, wireIndex: UInt32(bitPattern: index), totalByteCount: snapshot.totalByteCount)
    }

    /// The value of a `CUdevice_attribute`, or nil when the worker did not say.
    public func attribute(_ number: Int32) -> Int32? {
        guard number >= 0, number < Device.attributeCount, attributes[Int(number)] != Int32.min else { return nil }
        return attributes[Int(number)]
    }

    /// Replaces the worker's word where the client answers for itself.
    public func setAttribute(_ number: Int32, _ value: Int32) {
        guard number >= 0, number < Device.attributeCount else { return }
        attributes[Int(number)] = value
    }
}
