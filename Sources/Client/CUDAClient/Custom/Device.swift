public import CCUDA
internal import CPosix
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

extension CUDADriver {
    /// Answers for what this client does itself, whatever the worker's device could do.
    static func prepareAttributes(_ device: Device) {
        let overrides: [(CUdevice_attribute, Int32)] = [
            (CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING, 1),
            (CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY, device.hasArena ? 1 : 0),
            (CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY, device.hasArena ? 1 : 0),
            (CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS, 0),
            (CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS, 0),
            (CU_DEVICE_ATTRIBUTE_CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM, 0),
            (CU_DEVICE_ATTRIBUTE_HOST_REGISTER_SUPPORTED, 1),
            (CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED, 1),
            (CU_DEVICE_ATTRIBUTE_MEMPOOL_SUPPORTED_HANDLE_TYPES, 0),
            (CU_DEVICE_ATTRIBUTE_CAN_FLUSH_REMOTE_WRITES, 0), (CU_DEVICE_ATTRIBUTE_SPARSE_CUDA_ARRAY_SUPPORTED, 0),
            (CU_DEVICE_ATTRIBUTE_DEFERRED_MAPPING_CUDA_ARRAY_SUPPORTED, 0),
            (CU_DEVICE_ATTRIBUTE_MULTICAST_SUPPORTED, 0), (CU_DEVICE_ATTRIBUTE_DMA_BUF_SUPPORTED, 0),
            (CU_DEVICE_ATTRIBUTE_GPU_DIRECT_RDMA_SUPPORTED, 0), (CU_DEVICE_ATTRIBUTE_IPC_EVENT_SUPPORTED, 0),
            (CU_DEVICE_ATTRIBUTE_STREAM_PRIORITIES_SUPPORTED, 1),
            (CU_DEVICE_ATTRIBUTE_CLUSTER_LAUNCH, 0),
            // Every worker calls its device the first; a program tells them apart by the bus, as NVML does.
            (CU_DEVICE_ATTRIBUTE_PCI_BUS_ID, device.index &+ 1),
        ]
        for (attribute, value) in overrides { device.setAttribute(Int32(bitPattern: attribute.rawValue), value) }
    }

    /// The corresponding C function is `cuDeviceGet`.
    public static func deviceGet(_ device: UnsafeMutablePointer<CUdevice>?, _ ordinal: Int32) -> CUresult {
        guard let device else { return CUDA_ERROR_INVALID_VALUE }
        return withDevice(ordinal) { found in
            device.pointee = found.ordinal
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuDeviceGetCount`.
    public static func deviceGetCount(_ count: UnsafeMutablePointer<Int32>?) -> CUresult {
        guard let count else { return CUDA_ERROR_INVALID_VALUE }
        guard Session.isReady else { return CUresult(status: Session.status) }
        count.pointee = Int32(truncatingIfNeeded: Session.devices.count)
        return CUDA_SUCCESS
    }

    /// The corresponding C function is `cuDeviceGetName`.
    public static func deviceGetName(_ name: UnsafeMutablePointer<CChar>?, _ length: Int32, _ device: CUdevice)
        -> CUresult
    {
        guard let name, length > 0 else { return CUDA_ERROR_INVALID_VALUE }
        return withDevice(device) { found in
            copy(found.snapshot.name, into: name, Int(length))
            return CUDA_SUCCESS
        }
    }

    /// Copies bytes as a C string, cut to fit.
    private static func copy(_ bytes: [UInt8], into target: UnsafeMutablePointer<CChar>, _ capacity: Int) {
        let count = min(bytes.count, capacity &- 1)
        for index in 0..<count { target[index] = CChar(bitPattern: bytes[index]) }
        target[count] = 0
    }

    /// The corresponding C function is `cuDeviceGetUuid_v2`.
    public static func deviceGetUuid(_ uuid: UnsafeMutablePointer<CUuuid>?, _ device: CUdevice) -> CUresult {
        guard let uuid else { return CUDA_ERROR_INVALID_VALUE }
        return withDevice(device) { found in
            let bytes = UnsafeMutableRawPointer(uuid)
            bytes.storeBytes(of: found.snapshot.uuidHigh.bigEndian, as: UInt64.self)
            bytes.storeBytes(of: found.snapshot.uuidLow.bigEndian, toByteOffset: 8, as: UInt64.self)
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuDeviceTotalMem_v2`.
    public static func deviceTotalMemV2(_ bytes: UnsafeMutablePointer<Int>?, _ device: CUdevice) -> CUresult {
        guard let bytes else { return CUDA_ERROR_INVALID_VALUE }
        return withDevice(device) { found in
            bytes.pointee = Int(truncatingIfNeeded: found.snapshot.totalByteCount)
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuDeviceGetAttribute`. What the worker does not tell is 0.
    public static func deviceGetAttribute(
        _ value: UnsafeMutablePointer<Int32>?, _ attribute: CUdevice_attribute, _ device: CUdevice
    ) -> CUresult {
        guard let value else { return CUDA_ERROR_INVALID_VALUE }
        guard attribute.rawValue > 0, attribute.rawValue < CU_DEVICE_ATTRIBUTE_MAX.rawValue else {
            return CUDA_ERROR_INVALID_VALUE
        }
        return withDevice(device) { found in
            value.pointee = found.attribute(Int32(bitPattern: attribute.rawValue)) ?? 0
            return CUDA_SUCCESS
        }
    }

    /// The value of an attribute, or 0.
    static func attribute(_ attribute: CUdevice_attribute, of device: Device) -> Int32 {
        device.attribute(Int32(bitPattern: attribute.rawValue)) ?? 0
    }

    /// The corresponding C function is `cuDeviceGetExecAffinitySupport`.
    public static func deviceGetExecAffinitySupport(
        _ value: UnsafeMutablePointer<Int32>?, _ type: CUexecAffinityType, _ device: CUdevice
    ) -> CUresult {
        guard let value else { return CUDA_ERROR_INVALID_VALUE }
        return withDevice(device) { _ in
            value.pointee = 0
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuDeviceComputeCapability`.
    public static func deviceComputeCapability(
        _ major: UnsafeMutablePointer<Int32>?, _ minor: UnsafeMutablePointer<Int32>?, _ device: CUdevice
    ) -> CUresult {
        guard let major, let minor else { return CUDA_ERROR_INVALID_VALUE }
        return withDevice(device) { found in
            major.pointee = attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, of: found)
            minor.pointee = attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, of: found)
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuDeviceGetProperties`.
    public static func deviceGetProperties(
        _ properties: UnsafeMutablePointer<CUdevprop>?, _ device: CUdevice
    ) -> CUresult {
        guard let properties else { return CUDA_ERROR_INVALID_VALUE }
        return withDevice(device) { found in
            var value = CUdevprop()
            value.maxThreadsPerBlock = attribute(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK, of: found)
            value.maxThreadsDim = (
                attribute(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X, of: found),
                attribute(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y, of: found),
                attribute(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z, of: found)
            )
            value.maxGridSize = (
                attribute(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X, of: found),
                attribute(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y, of: found),
                attribute(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z, of: found)
            )
            value.sharedMemPerBlock = attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK, of: found)
            value.totalConstantMemory = attribute(CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY, of: found)
            value.SIMDWidth = attribute(CU_DEVICE_ATTRIBUTE_WARP_SIZE, of: found)
            value.memPitch = attribute(CU_DEVICE_ATTRIBUTE_MAX_PITCH, of: found)
            value.regsPerBlock = attribute(CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK, of: found)
            value.clockRate = attribute(CU_DEVICE_ATTRIBUTE_CLOCK_RATE, of: found)
            value.textureAlign = attribute(CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT, of: found)
            properties.pointee = value
            return CUDA_SUCCESS
        }
    }

    // MARK: - PCI

    /// "dddd:bb:dd.0" as bytes.
    private static func busID(of device: Device) -> [UInt8] {
        let digits = [UInt8]("0123456789ABCDEF".utf8)
        func hexadecimal(_ value: Int32, _ count: Int) -> [UInt8] {
            (0..<count).reversed().map { digits[Int((UInt32(bitPattern: value) >> UInt32(4 &* $0)) & 15)] }
        }
        return hexadecimal(attribute(CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID, of: device), 4) + [UInt8(ascii: ":")]
            + hexadecimal(attribute(CU_DEVICE_ATTRIBUTE_PCI_BUS_ID, of: device), 2) + [UInt8(ascii: ":")]
            + hexadecimal(attribute(CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID, of: device), 2)
            + [UInt8(ascii: "."), UInt8(ascii: "0")]
    }

    /// The corresponding C function is `cuDeviceGetPCIBusId`.
    public static func deviceGetPCIBusId(
        _ text: UnsafeMutablePointer<CChar>?, _ length: Int32, _ device: CUdevice
    ) -> CUresult {
        guard let text, length > 0 else { return CUDA_ERROR_INVALID_VALUE }
        return withDevice(device) { found in
            let bytes = busID(of: found)
            guard Int(length) > bytes.count else { return CUDA_ERROR_INVALID_VALUE }
            copy(bytes, into: text, Int(length))
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuDeviceGetByPCIBusId`.
    public static func deviceGetByPCIBusId(
        _ device: UnsafeMutablePointer<CUdevice>?, _ text: UnsafePointer<CChar>?
    ) -> CUresult {
        guard let device, let text else { return CUDA_ERROR_INVALID_VALUE }
        guard Session.isReady else { return CUresult(status: Session.status) }
        let wanted = hexadecimalFields(UnsafeRawBufferPointer(start: text, count: Environment.length(of: text)))
        guard let wanted else { return CUDA_ERROR_INVALID_VALUE }
        for found in Session.devices
        where attribute(CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID, of: found) == wanted.domain
            && attribute(CU_DEVICE_ATTRIBUTE_PCI_BUS_ID, of: found) == wanted.bus
            && attribute(CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID, of: found) == wanted.device
        {
            device.pointee = found.ordinal
            return CUDA_SUCCESS
        }
        return CUDA_ERROR_INVALID_DEVICE
    }

    /// Reads `[domain:]bus:device[.function]`.
    static func hexadecimalFields(
        _ text: UnsafeRawBufferPointer
    ) -> (domain: Int32, bus: Int32, device: Int32)? {
        var fields: [Int32] = [0]
        var digitCount = 0
        for byte in text {
            if byte == UInt8(ascii: ":") || byte == UInt8(ascii: ".") {
                guard digitCount > 0, fields.count < 4 else { return nil }
                fields.append(0)
                digitCount = 0
                continue
            }
            let digit: Int32
            switch byte {
            case 48...57: digit = Int32(byte) &- 48
            case 65...70: digit = Int32(byte) &- 55
            case 97...102: digit = Int32(byte) &- 87
            default: return nil
            }
            digitCount &+= 1
            guard digitCount <= 8 else { return nil }
            fields[fields.count &- 1] = fields[fields.count &- 1] &<< 4 | digit
        }
        guard digitCount > 0 else { return nil }
        let hasFunction = text.contains(UInt8(ascii: "."))
        let count = hasFunction ? fields.count &- 1 : fields.count
        if count == 3 { return (fields[0], fields[1], fields[2]) }
        return count == 2 ? (0, fields[0], fields[1]) : nil
    }

    // MARK: - Peers

    /// The corresponding C function is `cuDeviceCanAccessPeer`. vGPUs never reach each other's memory.
    public static func deviceCanAccessPeer(
        _ value: UnsafeMutablePointer<Int32>?, _ device: CUdevice, _ peer: CUdevice
    ) -> CUresult {
        guard let value else { return CUDA_ERROR_INVALID_VALUE }
        return withDevice(device) { _ in
            withDevice(peer) { _ in
                value.pointee = 0
                return CUDA_SUCCESS
            }
        }
    }

    /// The corresponding C function is `cuDeviceGetP2PAttribute`.
    public static func deviceGetP2PAttribute(
        _ value: UnsafeMutablePointer<Int32>?, _ attribute: CUdevice_P2PAttribute, _ source: CUdevice,
        _ destination: CUdevice
    ) -> CUresult {
        guard let value, attribute.rawValue >= 1, attribute.rawValue <= 5 else { return CUDA_ERROR_INVALID_VALUE }
        guard source != destination else { return CUDA_ERROR_INVALID_DEVICE }
        return withDevice(source) { _ in
            withDevice(destination) { _ in
                value.pointee = 0
                return CUDA_SUCCESS
            }
        }
    }

    /// The corresponding C function is `cuCtxEnablePeerAccess`.
    public static func ctxEnablePeerAccess(_ peer: CUcontext?, _ flags: UInt32) -> CUresult {
        withContext { target in
            guard let context = contextState(peer), context != target.context else { return CUDA_ERROR_INVALID_CONTEXT }
            guard flags == 0 else { return CUDA_ERROR_INVALID_VALUE }
            return CUDA_ERROR_PEER_ACCESS_UNSUPPORTED
        }
    }

    /// The corresponding C function is `cuCtxDisablePeerAccess`.
    public static func ctxDisablePeerAccess(_ peer: CUcontext?) -> CUresult {
        withContext { _ in
            guard contextState(peer) != nil else { return CUDA_ERROR_INVALID_CONTEXT }
            return CUDA_ERROR_PEER_ACCESS_NOT_ENABLED
        }
    }
}
