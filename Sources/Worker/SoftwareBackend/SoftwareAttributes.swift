// The answers to `cuDeviceGetAttribute`. Numbers are those of `CUdevice_attribute`; what is not listed is 0.

/// The attributes of a software GPU.
enum SoftwareAttributes {
    static let multiprocessorCount: Int32 = 16
    static let sharedByteCount: Int32 = 48 << 10
    static let sharedOptInByteCount: Int32 = 99 << 10
    static let sharedPerMultiprocessor: Int32 = 100 << 10
    static let reservedSharedByteCount: Int32 = 1 << 10
    static let registerCount: Int32 = 65_536
    static let threadsPerBlock: Int32 = 1024
    static let threadsPerMultiprocessor: Int32 = 2048
    static let blocksPerMultiprocessor: Int32 = 32
    static let gridLimit: (x: UInt32, y: UInt32, z: UInt32) = (2_147_483_647, 65_535, 65_535)
    static let blockLimit: (x: UInt32, y: UInt32, z: UInt32) = (1024, 1024, 64)

    /// The highest attribute of the newest driver that the table knows.
    private static let last: Int32 = 143

    static func table(_ options: SoftwareOptions) -> [(attribute: Int32, value: Int32)] {
        var values = [Int32](repeating: 0, count: Int(last) + 1)
        for (attribute, value) in limits + textures + abilities { values[attribute] = value }
        values[33] = Int32(truncatingIfNeeded: 1 + options.ordinal)
        values[75] = Int32(truncatingIfNeeded: options.computeCapability / 10)
        values[76] = Int32(truncatingIfNeeded: options.computeCapability % 10)
        // Tensor maps begin with 9.0, as programs expect.
        values[127] = options.computeCapability >= 90 ? 1 : 0
        return (1...last).map { ($0, values[Int($0)]) }
    }

    private static let limits: [(Int, Int32)] = [
        (1, threadsPerBlock), (2, 1024), (3, 1024), (4, 64),
        (5, 2_147_483_647), (6, 65_535), (7, 65_535),
        (8, sharedByteCount),
        (9, 65_536),  // constant memory
        (10, 32),  // warp size
        (11, 2_147_483_647),  // pitch
        (12, registerCount),
        (13, 1_000_000),  // clock rate in kHz
        (16, multiprocessorCount),
        (36, 1_000_000),  // memory clock rate in kHz
        (37, 128),  // bus width in bits
        (38, 4 << 20),  // L2 cache in bytes
        (39, threadsPerMultiprocessor),
        (40, 1),  // copy engines
        (81, sharedPerMultiprocessor),
        (82, registerCount),
        (87, 2),  // single to double performance
        (97, sharedOptInByteCount),
        (106, blocksPerMultiprocessor),
        (111, reservedSharedByteCount),
        (126, 1),  // memory synchronization domains
        (131, -1),  // NUMA node of the device: none
        (134, -1),  // NUMA node of the host: unknown
    ]

    private static let textures: [(Int, Int32)] = [
        (14, 512), (30, 512), (51, 32),
        (21, 131_072), (22, 131_072), (23, 65_536), (24, 16_384), (25, 16_384), (26, 16_384),
        (27, 32_768), (28, 32_768), (29, 2048), (42, 32_768), (43, 2048), (45, 32_768), (46, 32_768),
        (47, 8192), (48, 8192), (49, 32_768), (52, 32_768), (53, 32_768), (54, 2046),
        (55, 32_768), (56, 131_072), (57, 65_536), (58, 16_384), (59, 16_384), (60, 16_384),
        (61, 32_768), (62, 2048), (63, 32_768), (64, 32_768), (65, 2048), (66, 32_768), (67, 32_768), (68, 2046),
        (69, 268_435_456), (70, 131_072), (71, 65_000), (72, 2_097_120), (73, 32_768), (74, 32_768), (77, 32_768),
    ]

    private static let abilities: [(Int, Int32)] = [
        (15, 1),  // copies and kernels overlap
        (19, 1),  // maps host memory
        (31, 1),  // concurrent kernels
        (41, 1),  // unified addressing
        (78, 1),  // stream priorities
        (79, 1), (80, 1),  // L1 caches global and local memory
        (83, 1),  // managed memory
        (90, 1),  // compute preemption
        (92, 1), (93, 1), (94, 1), (122, 1), (123, 1),  // stream memory operations, of 64 bits, with NOR
        (95, 1),  // cooperative launch
        (99, 1),  // registers host memory
        (102, 1),  // virtual memory management
        (103, 1),  // physical objects shared by file descriptors
        (115, 1),  // memory pools
    ]
}
