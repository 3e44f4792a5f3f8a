public import CCUDA
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

/// What the program has said about managed memory, for when it asks. Of all hints only prefetching moves anything.
private enum ManagedHints {
    enum Kind {
        case readMostly
        case preferredLocation
        /// For one location each.
        case accessedBy
        case lastPrefetch
    }

    struct Hint {
        var address: UInt64
        var byteCount: UInt64
        var kind: Kind
        /// `CUmemLocationType`, 0 when the hint was taken back.
        var type: UInt32
        var id: Int32

        var end: UInt64 { address &+ byteCount }
    }

    // SAFETY: only touched under `lock`.
    nonisolated(unsafe) private static var hints: [Hint] = []
    private static let lock = Lock()
    private static let countMax = 4096

    static func add(_ hint: Hint) {
        lock.acquire()
        defer { lock.release() }
        hints.removeAll {
            $0.kind == hint.kind && $0.address >= hint.address && $0.end <= hint.end
                && (hint.kind != .accessedBy || $0.id == hint.id)
        }
        if hints.count >= countMax { hints.removeFirst() }
        hints.append(hint)
    }

    /// What holds for all of a range, or nil.
    static func value(_ kind: Kind, _ address: UInt64, _ byteCount: UInt64, id: Int32? = nil) -> Hint? {
        lock.acquire()
        defer { lock.release() }
        for hint in hints.reversed()
        where hint.kind == kind && hint.address < address &+ byteCount && address < hint.end
            && (id == nil || hint.id == id)
        {
            let isWhole = hint.address <= address && hint.end >= address &+ byteCount
            return isWhole && hint.type != 0 ? hint : nil
        }
        return nil
    }
}

extension CUDADriver {
    // MARK: - Hints

    /// The corresponding C function is `cuMemPrefetchAsync`.
    public static func memPrefetchAsync(
        _ address: CUdeviceptr, _ byteCount: Int, _ device: CUdevice, _ stream: CUstream?
    ) -> CUresult {
        prefetch(address, byteCount, location(of: device), stream)
    }

    /// The corresponding C function is `cuMemPrefetchAsync_v2`.
    public static func memPrefetchAsyncV2(
        _ address: CUdeviceptr, _ byteCount: Int, _ location: CUmemLocation, _ flags: UInt32, _ stream: CUstream?
    ) -> CUresult {
        guard flags == 0 else { return CUDA_ERROR_INVALID_VALUE }
        return prefetch(address, byteCount, location, stream)
    }

    /// A device's ordinal, or `CU_DEVICE_CPU`, as a location.
    private static func location(of device: CUdevice) -> CUmemLocation {
        var location = CUmemLocation()
        location.type = device == -1 ? CU_MEM_LOCATION_TYPE_HOST : CU_MEM_LOCATION_TYPE_DEVICE
        location.id = device == -1 ? 0 : device
        return location
    }

    private static func isPlace(_ location: CUmemLocation) -> Bool {
        if location.type == CU_MEM_LOCATION_TYPE_DEVICE {
            return location.id >= 0 && Int(location.id) < Session.devices.count
        }
        return location.type == CU_MEM_LOCATION_TYPE_HOST || location.type == CU_MEM_LOCATION_TYPE_HOST_NUMA
            || location.type == CU_MEM_LOCATION_TYPE_HOST_NUMA_CURRENT
    }

    private static func prefetch(
        _ address: UInt64, _ byteCount: Int, _ location: CUmemLocation, _ stream: CUstream?
    ) -> CUresult {
        withContext { target in
            guard let id = streamID(stream) else { return CUDA_ERROR_INVALID_HANDLE }
            ThreadState.mine?.pointee.route = nil
            guard isPlace(location) else { return CUDA_ERROR_INVALID_DEVICE }
            let status = note(address, byteCount, .lastPrefetch, location)
            guard status == CUDA_SUCCESS, ManagedRegions.areAny else { return status }
            if location.type == CU_MEM_LOCATION_TYPE_DEVICE {
                Mirrors.sendChanges(target, stream: id, writes: .nothing)
            } else {
                ManagedRegions.want(address, byteCount)
                Mirrors.bringWanted(target)
            }
            return CUDA_SUCCESS
        }
    }

    /// Hints are only valid for managed memory.
    private static func note(
        _ address: UInt64, _ byteCount: Int, _ kind: ManagedHints.Kind, _ location: CUmemLocation
    ) -> CUresult {
        guard byteCount > 0, isManaged(address, byteCount: UInt64(byteCount)) else { return CUDA_ERROR_INVALID_VALUE }
        ManagedHints.add(
            ManagedHints.Hint(
                address: address, byteCount: UInt64(byteCount), kind: kind, type: location.type.rawValue,
                id: location.id))
        return CUDA_SUCCESS
    }

    /// The corresponding C function is `cuMemAdvise`.
    public static func memAdvise(
        _ address: CUdeviceptr, _ byteCount: Int, _ advice: CUmem_advise, _ device: CUdevice
    ) -> CUresult {
        memAdviseV2(address, byteCount, advice, location(of: device))
    }

    /// The corresponding C function is `cuMemAdvise_v2`.
    public static func memAdviseV2(
        _ address: CUdeviceptr, _ byteCount: Int, _ advice: CUmem_advise, _ location: CUmemLocation
    ) -> CUresult {
        withContext { _ in
            var kept = location
            let kind: ManagedHints.Kind
            switch advice {
            case CU_MEM_ADVISE_SET_READ_MOSTLY, CU_MEM_ADVISE_UNSET_READ_MOSTLY:
                kind = .readMostly
                kept = self.location(of: -1)
            case CU_MEM_ADVISE_SET_PREFERRED_LOCATION, CU_MEM_ADVISE_UNSET_PREFERRED_LOCATION:
                kind = .preferredLocation
            case CU_MEM_ADVISE_SET_ACCESSED_BY, CU_MEM_ADVISE_UNSET_ACCESSED_BY: kind = .accessedBy
            default: return CUDA_ERROR_INVALID_VALUE
            }
            if advice == CU_MEM_ADVISE_SET_PREFERRED_LOCATION || kind == .accessedBy {
                guard isPlace(location) else { return CUDA_ERROR_INVALID_DEVICE }
            }
            // The values that take a hint back are the even ones.
            if advice.rawValue & 1 == 0 { kept.type = CU_MEM_LOCATION_TYPE_INVALID }
            return note(address, byteCount, kind, kept)
        }
    }

    // MARK: - Lists of hints

    private static func prefetch(
        _ addresses: UnsafeMutablePointer<CUdeviceptr>?, _ byteCounts: UnsafeMutablePointer<Int>?, _ count: Int,
        _ locations: (list: UnsafeMutablePointer<CUmemLocation>?, firsts: UnsafeMutablePointer<Int>?, count: Int),
        _ flags: UInt64, _ stream: CUstream?
    ) -> CUresult {
        guard let addresses, let byteCounts, let list = locations.list, let firsts = locations.firsts, count > 0,
            locations.count > 0, locations.count <= count, flags == 0, firsts[0] == 0
        else { return CUDA_ERROR_INVALID_VALUE }
        var place = 0
        for index in 0..<count {
            while place &+ 1 < locations.count, firsts[place &+ 1] <= index { place &+= 1 }
            let status = prefetch(addresses[index], byteCounts[index], list[place], stream)
            guard status == CUDA_SUCCESS else { return status }
        }
        return CUDA_SUCCESS
    }

    /// The corresponding C function is `cuMemPrefetchBatchAsync`.
    public static func memPrefetchBatchAsync(
        _ addresses: UnsafeMutablePointer<CUdeviceptr>?, _ byteCounts: UnsafeMutablePointer<Int>?, _ count: Int,
        _ locations: UnsafeMutablePointer<CUmemLocation>?, _ firsts: UnsafeMutablePointer<Int>?, _ locationCount: Int,
        _ flags: UInt64, _ stream: CUstream?
    ) -> CUresult {
        prefetch(addresses, byteCounts, count, (locations, firsts, locationCount), flags, stream)
    }

    /// The corresponding C function is `cuMemDiscardBatchAsync`. Discarded bytes may have any value; they keep theirs.
    public static func memDiscardBatchAsync(
        _ addresses: UnsafeMutablePointer<CUdeviceptr>?, _ byteCounts: UnsafeMutablePointer<Int>?, _ count: Int,
        _ flags: UInt64, _ stream: CUstream?
    ) -> CUresult {
        guard let addresses, let byteCounts, count > 0, flags == 0 else { return CUDA_ERROR_INVALID_VALUE }
        return withContext { _ in
            guard streamID(stream) != nil else { return CUDA_ERROR_INVALID_HANDLE }
            ThreadState.mine?.pointee.route = nil
            for index in 0..<count {
                guard byteCounts[index] > 0, isManaged(addresses[index], byteCount: UInt64(byteCounts[index])) else {
                    return CUDA_ERROR_INVALID_VALUE
                }
            }
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuMemDiscardAndPrefetchBatchAsync`.
    public static func memDiscardAndPrefetchBatchAsync(
        _ addresses: UnsafeMutablePointer<CUdeviceptr>?, _ byteCounts: UnsafeMutablePointer<Int>?, _ count: Int,
        _ locations: UnsafeMutablePointer<CUmemLocation>?, _ firsts: UnsafeMutablePointer<Int>?, _ locationCount: Int,
        _ flags: UInt64, _ stream: CUstream?
    ) -> CUresult {
        prefetch(addresses, byteCounts, count, (locations, firsts, locationCount), flags, stream)
    }

    // MARK: - Questions

    /// The corresponding C function is `cuMemRangeGetAttribute`.
    public static func memRangeGetAttribute(
        _ result: UnsafeMutableRawPointer?, _ resultByteCount: Int, _ attribute: CUmem_range_attribute,
        _ address: CUdeviceptr, _ byteCount: Int
    ) -> CUresult {
        guard let result, resultByteCount >= 4, resultByteCount & 3 == 0, byteCount > 0 else {
            return CUDA_ERROR_INVALID_VALUE
        }
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard isManaged(address, byteCount: UInt64(byteCount)) else { return CUDA_ERROR_INVALID_VALUE }
        if attribute == CU_MEM_RANGE_ATTRIBUTE_ACCESSED_BY {
            storeAccessors(of: address, UInt64(byteCount), result, resultByteCount / 4)
            return CUDA_SUCCESS
        }
        guard resultByteCount == 4 else { return CUDA_ERROR_INVALID_VALUE }
        func hint(_ kind: ManagedHints.Kind) -> ManagedHints.Hint? {
            ManagedHints.value(kind, address, UInt64(byteCount))
        }
        func ordinal(_ hint: ManagedHints.Hint?) -> Int32 {
            guard let hint else { return invalidDevice }
            return hint.type == CU_MEM_LOCATION_TYPE_DEVICE.rawValue ? hint.id : -1
        }
        let value: Int32
        switch attribute {
        case CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY: value = hint(.readMostly) == nil ? 0 : 1
        case CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION: value = ordinal(hint(.preferredLocation))
        case CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION: value = ordinal(hint(.lastPrefetch))
        case CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION_TYPE:
            value = Int32(bitPattern: hint(.preferredLocation)?.type ?? 0)
        case CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION_ID: value = hint(.preferredLocation)?.id ?? 0
        case CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION_TYPE:
            value = Int32(bitPattern: hint(.lastPrefetch)?.type ?? 0)
        case CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION_ID: value = hint(.lastPrefetch)?.id ?? 0
        default: return CUDA_ERROR_INVALID_VALUE
        }
        result.storeBytes(of: value, as: Int32.self)
        return CUDA_SUCCESS
    }

    /// `CU_DEVICE_INVALID`.
    private static let invalidDevice: Int32 = -2

    private static func storeAccessors(
        of address: UInt64, _ byteCount: UInt64, _ result: UnsafeMutableRawPointer, _ count: Int
    ) {
        var next = 0
        for device in Session.devices where next < count {
            guard ManagedHints.value(.accessedBy, address, byteCount, id: device.ordinal) != nil else { continue }
            result.storeBytes(of: device.ordinal, toByteOffset: next &* 4, as: Int32.self)
            next &+= 1
        }
        for index in next..<max(next, count) {
            result.storeBytes(of: invalidDevice, toByteOffset: index &* 4, as: Int32.self)
        }
    }

    /// The corresponding C function is `cuMemRangeGetAttributes`.
    public static func memRangeGetAttributes(
        _ results: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, _ byteCounts: UnsafeMutablePointer<Int>?,
        _ attributes: UnsafeMutablePointer<CUmem_range_attribute>?, _ count: Int, _ address: CUdeviceptr,
        _ byteCount: Int
    ) -> CUresult {
        guard let results, let byteCounts, let attributes, count > 0 else { return CUDA_ERROR_INVALID_VALUE }
        for index in 0..<count {
            let status = memRangeGetAttribute(
                results[index], byteCounts[index], attributes[index], address, byteCount)
            guard status == CUDA_SUCCESS else { return status }
        }
        return CUDA_SUCCESS
    }

    // MARK: - Atomic operations over a link, which no vGPU has

    private static func noAtomics(
        _ capabilities: UnsafeMutablePointer<UInt32>?, _ operations: UnsafePointer<CUatomicOperation>?, _ count: UInt32
    ) -> CUresult {
        guard let capabilities, let operations, count > 0 else { return CUDA_ERROR_INVALID_VALUE }
        for index in 0..<Int(count) {
            guard operations[index].rawValue <= CU_ATOMIC_OPERATION_MAX.rawValue else {
                return CUDA_ERROR_INVALID_VALUE
            }
            capabilities[index] = 0
        }
        return CUDA_SUCCESS
    }

    /// The corresponding C function is `cuDeviceGetHostAtomicCapabilities`.
    public static func deviceGetHostAtomicCapabilities(
        _ capabilities: UnsafeMutablePointer<UInt32>?, _ operations: UnsafePointer<CUatomicOperation>?,
        _ count: UInt32, _ device: CUdevice
    ) -> CUresult {
        withDevice(device) { _ in noAtomics(capabilities, operations, count) }
    }

    /// The corresponding C function is `cuDeviceGetP2PAtomicCapabilities`.
    public static func deviceGetP2PAtomicCapabilities(
        _ capabilities: UnsafeMutablePointer<UInt32>?, _ operations: UnsafePointer<CUatomicOperation>?,
        _ count: UInt32, _ source: CUdevice, _ destination: CUdevice
    ) -> CUresult {
        guard source != destination else { return CUDA_ERROR_INVALID_DEVICE }
        return withDevice(source) { _ in withDevice(destination) { _ in noAtomics(capabilities, operations, count) } }
    }
}
