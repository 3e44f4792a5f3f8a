internal import CCUDA
internal import ClientRuntime

/// Processors of a device as `CUdevResource` carries them: a range, which the structure's private bytes hold, so that
/// pieces of a split are known to be apart.
struct ProcessorRange {
    var device: CUdevice
    var first: UInt32
    var count: UInt32

    private static let magic: UInt64 = 0x524F_4F53_5453_4D31
    private static let magicOffset = 8
    private static let deviceOffset = 16
    private static let firstOffset = 20

    init(device: CUdevice, first: UInt32, count: UInt32) {
        self.device = device
        self.first = first
        self.count = count
    }

    /// Reads a resource; nil when this library did not make it.
    init?(_ resource: CUdevResource) {
        guard resource.type == CU_DEV_RESOURCE_TYPE_SM else { return nil }
        var copy = resource
        let (mark, device, first) = withUnsafeBytes(of: &copy) { bytes in
            (
                bytes.loadUnaligned(fromByteOffset: ProcessorRange.magicOffset, as: UInt64.self),
                bytes.loadUnaligned(fromByteOffset: ProcessorRange.deviceOffset, as: Int32.self),
                bytes.loadUnaligned(fromByteOffset: ProcessorRange.firstOffset, as: UInt32.self)
            )
        }
        guard mark == ProcessorRange.magic else { return nil }
        self.init(device: device, first: first, count: resource.sm.smCount)
    }

    /// The resource that stands for the range; of no type when the range is empty.
    func resource(_ granularity: ProcessorGranularity) -> CUdevResource {
        var resource = CUdevResource()
        guard count > 0 else { return resource }
        resource.type = CU_DEV_RESOURCE_TYPE_SM
        resource.sm.smCount = count
        resource.sm.minSmPartitionSize = granularity.least
        resource.sm.smCoscheduledAlignment = granularity.step
        withUnsafeMutableBytes(of: &resource) { bytes in
            bytes.storeBytes(of: ProcessorRange.magic, toByteOffset: ProcessorRange.magicOffset, as: UInt64.self)
            bytes.storeBytes(of: device, toByteOffset: ProcessorRange.deviceOffset, as: Int32.self)
            bytes.storeBytes(of: first, toByteOffset: ProcessorRange.firstOffset, as: UInt32.self)
        }
        return resource
    }

    /// Takes processors off the front; nil when there are not so many.
    mutating func take(_ wanted: UInt32) -> ProcessorRange? {
        guard wanted <= count else { return nil }
        let taken = ProcessorRange(device: device, first: first, count: wanted)
        first &+= wanted
        count &-= wanted
        return taken
    }

    func overlaps(_ other: ProcessorRange) -> Bool {
        device == other.device && first < other.first &+ other.count && other.first < first &+ count
    }
}

/// How finely a device's processors can be divided, as CUDA's documentation says by compute capability.
struct ProcessorGranularity {
    var least: UInt32
    var step: UInt32

    init(major: Int32, ignoresCoscheduling: Bool = false) {
        switch major {
        case ..<7: (least, step) = (1, 1)
        case 7: (least, step) = (2, 2)
        case 8: (least, step) = (4, 2)
        default: (least, step) = ignoresCoscheduling ? (2, 2) : (8, 8)
        }
    }

    /// The smallest allowed number that is not below `count`.
    func rounded(_ count: UInt32) -> UInt32 {
        let wanted = max(least, count)
        let (sum, overflow) = wanted.addingReportingOverflow(step &- 1)
        return overflow ? UInt32.max : sum / step * step
    }
}
