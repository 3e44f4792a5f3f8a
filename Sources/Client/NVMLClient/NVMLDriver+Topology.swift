public import CNVML
internal import CPosix
internal import WireProtocol

// Where devices are: beside each other, and beside the CPUs. A vGPU is on no bus of the program's machine, so every
// two of them are as far apart as devices can be.
extension NVMLDriver {
    /// The corresponding C function is `nvmlDeviceGetHandleByUUIDV`.
    public static func deviceGetHandleByUUIDV(
        _ uuid: UnsafePointer<nvmlUUID_t>?, _ device: UnsafeMutablePointer<nvmlDevice_t?>?
    ) -> nvmlReturn_t {
        guard let uuid, device != nil else { return NVML_ERROR_INVALID_ARGUMENT }
        guard uuid.pointee.version == StructureVersion.of(nvmlUUID_t.self, 1) else {
            return NVML_ERROR_ARGUMENT_VERSION_MISMATCH
        }
        return withUnsafeBytes(of: uuid.pointee.value) { bytes in
            guard let start = bytes.baseAddress else { return NVML_ERROR_INVALID_ARGUMENT }
            if uuid.pointee.type == 1 {
                guard bytes.contains(0) else { return NVML_ERROR_INVALID_ARGUMENT }
                return deviceGetHandleByUUID(start.assumingMemoryBound(to: CChar.self), device)
            }
            guard uuid.pointee.type == 2, bytes.count >= 16 else { return NVML_ERROR_INVALID_ARGUMENT }
            let high = UInt64(bigEndian: start.loadUnaligned(as: UInt64.self))
            let low = UInt64(bigEndian: start.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            var text = HexadecimalText.uuid(high: high, low: low)
            text.append(0)
            return text.withUnsafeBufferPointer { text in
                guard let first = text.baseAddress else { return NVML_ERROR_INVALID_ARGUMENT }
                return first.withMemoryRebound(to: CChar.self, capacity: text.count) {
                    deviceGetHandleByUUID($0, device)
                }
            }
        }
    }

    /// The corresponding C function is `nvmlDeviceGetHandleBySerial`: vGPUs have none.
    public static func deviceGetHandleBySerial(
        _ serial: UnsafePointer<CChar>?, _ device: UnsafeMutablePointer<nvmlDevice_t?>?
    ) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            _ = try MonitorTable.shared.deviceCount()
            guard serial != nil, device != nil else { throw .invalidArgument }
            throw .notFound
        }
    }

    /// The corresponding C function is `nvmlDeviceGetPciInfoExt`.
    public static func deviceGetPciInfoExt(
        _ device: nvmlDevice_t?, _ pci: UnsafeMutablePointer<nvmlPciInfoExt_t>?
    ) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            let index = try index(of: device)
            guard let pci else { throw .invalidArgument }
            try StructureVersion.check(pci.pointee.version, nvmlPciInfoExt_t.self, 1)
            var value = nvmlPciInfoExt_t()
            value.version = pci.pointee.version
            value.bus = bus(of: index)
            // A 3D controller of a display class, as data centre devices are.
            value.baseClass = 3
            value.subClass = 2
            let text = HexadecimalText.busID(domainDigitCount: 8, bus: bus(of: index))
            withUnsafeMutableBytes(of: &value.busId) { bytes in
                for place in 0..<min(text.count, bytes.count &- 1) { bytes[place] = text[place] }
            }
            pci.pointee = value
        }
    }

    // MARK: - Between devices

    /// Answers about two devices.
    private static func compare<Value>(
        _ target: UnsafeMutablePointer<Value>?, _ one: nvmlDevice_t?, _ other: nvmlDevice_t?,
        _ body: (_ areSame: Bool) throws(NVMLFailure) -> Value
    ) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            let areSame = try index(of: one) == index(of: other)
            guard let target else { throw .invalidArgument }
            target.pointee = try body(areSame)
        }
    }

    /// The corresponding C function is `nvmlDeviceGetTopologyCommonAncestor`.
    public static func deviceGetTopologyCommonAncestor(
        _ one: nvmlDevice_t?, _ other: nvmlDevice_t?, _ level: UnsafeMutablePointer<nvmlGpuTopologyLevel_t>?
    ) -> nvmlReturn_t { compare(level, one, other) { $0 ? NVML_TOPOLOGY_INTERNAL : NVML_TOPOLOGY_SYSTEM } }

    /// The corresponding C function is `nvmlDeviceGetP2PStatus`: no kernel reaches another vGPU's memory.
    public static func deviceGetP2PStatus(
        _ one: nvmlDevice_t?, _ other: nvmlDevice_t?, _ ability: nvmlGpuP2PCapsIndex_t,
        _ status: UnsafeMutablePointer<nvmlGpuP2PStatus_t>?
    ) -> nvmlReturn_t {
        compare(status, one, other) { areSame throws(NVMLFailure) in
            guard !areSame, ability.rawValue < NVML_P2P_CAPS_INDEX_UNKNOWN.rawValue else { throw .invalidArgument }
            return NVML_P2P_STATUS_NOT_SUPPORTED
        }
    }

    /// The corresponding C function is `nvmlDeviceOnSameBoard`.
    public static func deviceOnSameBoard(
        _ one: nvmlDevice_t?, _ other: nvmlDevice_t?, _ areOn: UnsafeMutablePointer<Int32>?
    ) -> nvmlReturn_t { compare(areOn, one, other) { $0 ? 1 : 0 } }

    /// The corresponding C function is `nvmlDeviceGetBoardId`: each vGPU is a board.
    public static func deviceGetBoardId(
        _ device: nvmlDevice_t?, _ board: UnsafeMutablePointer<UInt32>?
    ) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            let index = try index(of: device)
            guard let board else { throw .invalidArgument }
            board.pointee = bus(of: index) << 8
        }
    }

    /// The corresponding C function is `nvmlDeviceGetTopologyNearestGpus`.
    public static func deviceGetTopologyNearestGpus(
        _ device: nvmlDevice_t?, _ level: nvmlGpuTopologyLevel_t, _ count: UnsafeMutablePointer<UInt32>?,
        _ devices: UnsafeMutablePointer<nvmlDevice_t?>?
    ) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            let own = try index(of: device)
            let all = try MonitorTable.shared.deviceCount()
            let found = level == NVML_TOPOLOGY_SYSTEM ? (0..<all).filter { $0 != own } : []
            try fill(count, devices, found)
        }
    }

    /// The corresponding C function is `nvmlSystemGetTopologyGpuSet`: every CPU is as near as any.
    public static func systemGetTopologyGpuSet(
        _ cpu: UInt32, _ count: UnsafeMutablePointer<UInt32>?, _ devices: UnsafeMutablePointer<nvmlDevice_t?>?
    ) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            let all = try MonitorTable.shared.deviceCount()
            guard Int64(cpu) < Int64(posix_cpu_count()) else { throw .invalidArgument }
            try fill(count, devices, Array(0..<all))
        }
    }

    /// Fills the caller's array as far as it goes; without one, says how many there are.
    private static func fill(
        _ count: UnsafeMutablePointer<UInt32>?, _ devices: UnsafeMutablePointer<nvmlDevice_t?>?, _ found: [Int]
    ) throws(NVMLFailure) {
        guard let count else { throw .invalidArgument }
        let room = Int(count.pointee)
        count.pointee = UInt32(truncatingIfNeeded: found.count)
        guard let devices, room > 0 else { return }
        for place in 0..<min(room, found.count) { devices[place] = handle(of: found[place]) }
        count.pointee = UInt32(truncatingIfNeeded: min(room, found.count))
    }

    // MARK: - CPUs

    /// The corresponding C function is `nvmlDeviceGetCpuAffinity`: all CPUs.
    public static func deviceGetCpuAffinity(
        _ device: nvmlDevice_t?, _ wordCount: UInt32, _ words: UnsafeMutablePointer<UInt>?
    ) -> nvmlReturn_t { setBits(Int(posix_cpu_count()), device, wordCount, words) }

    /// The corresponding C function is `nvmlDeviceGetCpuAffinityWithinScope`.
    public static func deviceGetCpuAffinityWithinScope(
        _ device: nvmlDevice_t?, _ wordCount: UInt32, _ words: UnsafeMutablePointer<UInt>?, _ scope: nvmlAffinityScope_t
    ) -> nvmlReturn_t {
        guard scope <= 1 else { return NVML_ERROR_INVALID_ARGUMENT }
        return deviceGetCpuAffinity(device, wordCount, words)
    }

    /// The corresponding C function is `nvmlDeviceGetMemoryAffinity`: the first memory node.
    public static func deviceGetMemoryAffinity(
        _ device: nvmlDevice_t?, _ wordCount: UInt32, _ words: UnsafeMutablePointer<UInt>?, _ scope: nvmlAffinityScope_t
    ) -> nvmlReturn_t {
        guard scope <= 1 else { return NVML_ERROR_INVALID_ARGUMENT }
        return setBits(1, device, wordCount, words)
    }

    private static func setBits(
        _ bitCount: Int, _ device: nvmlDevice_t?, _ wordCount: UInt32, _ words: UnsafeMutablePointer<UInt>?
    ) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            _ = try index(of: device)
            guard let words, wordCount > 0 else { throw .invalidArgument }
            for word in 0..<Int(wordCount) {
                let rest = max(0, bitCount &- word &* UInt.bitWidth)
                words[word] = rest >= UInt.bitWidth ? .max : (1 << UInt(rest)) &- 1
            }
        }
    }
}

/// The version fields of NVML's newer structures: the size, and a number above it.
enum StructureVersion {
    static func of<Structure>(_ type: Structure.Type, _ number: UInt32) -> UInt32 {
        UInt32(truncatingIfNeeded: MemoryLayout<Structure>.stride) | number << 24
    }

    static func check<Structure>(_ version: UInt32, _ type: Structure.Type, _ number: UInt32) throws(NVMLFailure) {
        guard version == of(type, number) else { throw NVMLFailure(code: NVML_ERROR_ARGUMENT_VERSION_MISMATCH) }
    }
}
