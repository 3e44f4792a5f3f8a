public import CNVML
internal import WireProtocol

// Clocks, states and what else a vGPU has one of, that never changes.
extension NVMLDriver {
    /// The corresponding C function is `nvmlDeviceGetClock`, in MHz. All clocks are the one that there is.
    public static func deviceGetClock(
        _ device: nvmlDevice_t?, _ type: nvmlClockType_t, _ id: nvmlClockId_t, _ clock: UnsafeMutablePointer<UInt32>?
    ) -> nvmlReturn_t {
        guard id.rawValue < NVML_CLOCK_ID_COUNT.rawValue else { return NVML_ERROR_INVALID_ARGUMENT }
        return deviceGetClockInfo(device, type, clock)
    }

    /// The corresponding C function is `nvmlDeviceGetMaxCustomerBoostClock`, in MHz.
    public static func deviceGetMaxCustomerBoostClock(
        _ device: nvmlDevice_t?, _ type: nvmlClockType_t, _ clock: UnsafeMutablePointer<UInt32>?
    ) -> nvmlReturn_t { deviceGetClockInfo(device, type, clock) }

    /// The corresponding C function is `nvmlDeviceGetSupportedMemoryClocks`: one.
    public static func deviceGetSupportedMemoryClocks(
        _ device: nvmlDevice_t?, _ count: UnsafeMutablePointer<UInt32>?, _ clocks: UnsafeMutablePointer<UInt32>?
    ) -> nvmlReturn_t { only(NVML_CLOCK_MEM, device, count, clocks) }

    /// The corresponding C function is `nvmlDeviceGetSupportedGraphicsClocks`: one, with the one memory clock.
    public static func deviceGetSupportedGraphicsClocks(
        _ device: nvmlDevice_t?, _ memoryClock: UInt32, _ count: UnsafeMutablePointer<UInt32>?,
        _ clocks: UnsafeMutablePointer<UInt32>?
    ) -> nvmlReturn_t {
        var own: UInt32 = 0
        let status = deviceGetClockInfo(device, NVML_CLOCK_MEM, &own)
        guard status == NVML_SUCCESS else { return status }
        guard memoryClock == own else { return NVML_ERROR_NOT_FOUND }
        return only(NVML_CLOCK_GRAPHICS, device, count, clocks)
    }

    private static func only(
        _ type: nvmlClockType_t, _ device: nvmlDevice_t?, _ count: UnsafeMutablePointer<UInt32>?,
        _ clocks: UnsafeMutablePointer<UInt32>?
    ) -> nvmlReturn_t {
        var clock: UInt32 = 0
        let status = deviceGetClockInfo(device, type, &clock)
        guard status == NVML_SUCCESS else { return status }
        guard let count else { return NVML_ERROR_INVALID_ARGUMENT }
        let room = count.pointee
        count.pointee = 1
        guard room > 0 else { return NVML_ERROR_INSUFFICIENT_SIZE }
        guard let clocks else { return NVML_ERROR_INVALID_ARGUMENT }
        clocks.pointee = clock
        return NVML_SUCCESS
    }

    /// The corresponding C function is `nvmlDeviceGetCurrentClocksEventReasons`: nothing slows the clocks.
    public static func deviceGetCurrentClocksEventReasons(
        _ device: nvmlDevice_t?, _ reasons: UnsafeMutablePointer<UInt64>?
    ) -> nvmlReturn_t { answerAlways(reasons, device, 0) }

    /// The corresponding C function is `nvmlDeviceGetCurrentClocksThrottleReasons`.
    public static func deviceGetCurrentClocksThrottleReasons(
        _ device: nvmlDevice_t?, _ reasons: UnsafeMutablePointer<UInt64>?
    ) -> nvmlReturn_t { answerAlways(reasons, device, 0) }

    /// The corresponding C function is `nvmlDeviceGetSupportedClocksEventReasons`.
    public static func deviceGetSupportedClocksEventReasons(
        _ device: nvmlDevice_t?, _ reasons: UnsafeMutablePointer<UInt64>?
    ) -> nvmlReturn_t { answerAlways(reasons, device, 0) }

    /// The corresponding C function is `nvmlDeviceGetSupportedClocksThrottleReasons`.
    public static func deviceGetSupportedClocksThrottleReasons(
        _ device: nvmlDevice_t?, _ reasons: UnsafeMutablePointer<UInt64>?
    ) -> nvmlReturn_t { answerAlways(reasons, device, 0) }

    /// The corresponding C function is `nvmlDeviceGetPowerState`.
    public static func deviceGetPowerState(
        _ device: nvmlDevice_t?, _ state: UnsafeMutablePointer<nvmlPstates_t>?
    ) -> nvmlReturn_t { deviceGetPerformanceState(device, state) }

    /// The corresponding C function is `nvmlDeviceGetSupportedPerformanceStates`; the size is in bytes.
    public static func deviceGetSupportedPerformanceStates(
        _ device: nvmlDevice_t?, _ states: UnsafeMutablePointer<nvmlPstates_t>?, _ byteCount: UInt32
    ) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            _ = try index(of: device)
            let room = Int(byteCount) / MemoryLayout<nvmlPstates_t>.stride
            guard let states else { throw .invalidArgument }
            guard room > 0 else { throw .insufficientSize }
            for place in 0..<min(room, 16) { states[place] = place == 0 ? NVML_PSTATE_0 : NVML_PSTATE_UNKNOWN }
        }
    }

    /// The corresponding C function is `nvmlDeviceGetNumFans`.
    public static func deviceGetNumFans(
        _ device: nvmlDevice_t?, _ count: UnsafeMutablePointer<UInt32>?
    ) -> nvmlReturn_t { answerAlways(count, device, 0) }

    /// The corresponding C function is `nvmlDeviceGetMemoryBusWidth`, in bits.
    public static func deviceGetMemoryBusWidth(
        _ device: nvmlDevice_t?, _ width: UnsafeMutablePointer<UInt32>?
    ) -> nvmlReturn_t {
        answer(width, device) { status throws(NVMLFailure) in
            UInt32(try attribute(DeviceAttribute.memoryBusWidth, status))
        }
    }

    /// The corresponding C function is `nvmlDeviceGetBusType`.
    public static func deviceGetBusType(
        _ device: nvmlDevice_t?, _ type: UnsafeMutablePointer<nvmlBusType_t>?
    ) -> nvmlReturn_t { answerAlways(type, device, UInt32(NVML_BUS_TYPE_UNKNOWN)) }

    /// The corresponding C function is `nvmlDeviceGetAPIRestriction`: nobody may change a vGPU's clocks.
    public static func deviceGetAPIRestriction(
        _ device: nvmlDevice_t?, _ api: nvmlRestrictedAPI_t, _ isRestricted: UnsafeMutablePointer<nvmlEnableState_t>?
    ) -> nvmlReturn_t { answerAlways(isRestricted, device, NVML_FEATURE_ENABLED) }

    /// The corresponding C function is `nvmlDeviceGetAccountingMode`.
    public static func deviceGetAccountingMode(
        _ device: nvmlDevice_t?, _ mode: UnsafeMutablePointer<nvmlEnableState_t>?
    ) -> nvmlReturn_t { answerAlways(mode, device, NVML_FEATURE_DISABLED) }

    /// The corresponding C function is `nvmlDeviceGetVirtualizationMode`: to the program it is a GPU like any other.
    public static func deviceGetVirtualizationMode(
        _ device: nvmlDevice_t?, _ mode: UnsafeMutablePointer<nvmlGpuVirtualizationMode_t>?
    ) -> nvmlReturn_t { answerAlways(mode, device, NVML_GPU_VIRTUALIZATION_MODE_NONE) }

    /// The corresponding C function is `nvmlDeviceGetMaxMigDeviceCount`.
    public static func deviceGetMaxMigDeviceCount(
        _ device: nvmlDevice_t?, _ count: UnsafeMutablePointer<UInt32>?
    ) -> nvmlReturn_t { answerAlways(count, device, 0) }

    /// The corresponding C function is `nvmlDeviceGetMigDeviceHandleByIndex`.
    public static func deviceGetMigDeviceHandleByIndex(
        _ device: nvmlDevice_t?, _ place: UInt32, _ instance: UnsafeMutablePointer<nvmlDevice_t?>?
    ) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            _ = try index(of: device)
            guard instance != nil else { throw .invalidArgument }
            throw .notFound
        }
    }

    /// The corresponding C function is `nvmlGpmQueryDeviceSupport`: there are no such counters.
    public static func gpmQueryDeviceSupport(
        _ device: nvmlDevice_t?, _ support: UnsafeMutablePointer<nvmlGpmSupport_t>?
    ) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            _ = try index(of: device)
            guard let support else { throw .invalidArgument }
            // The version of this structure is a plain number.
            guard support.pointee.version == 1 else { throw NVMLFailure(code: NVML_ERROR_ARGUMENT_VERSION_MISMATCH) }
            support.pointee.isSupportedDevice = 0
        }
    }

    /// The corresponding C function is `nvmlDeviceGetCapabilities`: none of those that have a bit.
    public static func deviceGetCapabilities(
        _ device: nvmlDevice_t?, _ capabilities: UnsafeMutablePointer<nvmlDeviceCapabilities_t>?
    ) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            _ = try index(of: device)
            guard let capabilities else { throw .invalidArgument }
            try StructureVersion.check(capabilities.pointee.version, nvmlDeviceCapabilities_t.self, 1)
            capabilities.pointee.capMask = 0
        }
    }

    // MARK: - System

    /// The corresponding C function is `nvmlSystemGetDriverBranch`.
    public static func systemGetDriverBranch(
        _ branch: UnsafeMutablePointer<nvmlSystemDriverBranchInfo_t>?, _ length: UInt32
    ) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            _ = try MonitorTable.shared.deviceCount()
            guard let branch else { throw .invalidArgument }
            try StructureVersion.check(branch.pointee.version, nvmlSystemDriverBranchInfo_t.self, 1)
            try withUnsafeMutableBytes(of: &branch.pointee.branch) { bytes throws(NVMLFailure) in
                let room = UInt32(truncatingIfNeeded: min(bytes.count, Int(length)))
                try TextBuffer(bytes.baseAddress?.assumingMemoryBound(to: CChar.self), room).set("r580_00")
            }
        }
    }

    /// The corresponding C function is `nvmlUnitGetCount`: no racks.
    public static func unitGetCount(_ count: UnsafeMutablePointer<UInt32>?) -> nvmlReturn_t { none(count) }

    /// The corresponding C function is `nvmlUnitGetHandleByIndex`.
    public static func unitGetHandleByIndex(
        _ index: UInt32, _ unit: UnsafeMutablePointer<nvmlUnit_t?>?
    ) -> nvmlReturn_t { outOfRange() }

    /// The corresponding C function is `nvmlGetExcludedDeviceCount`.
    public static func getExcludedDeviceCount(_ count: UnsafeMutablePointer<UInt32>?) -> nvmlReturn_t { none(count) }

    /// The corresponding C function is `nvmlGetExcludedDeviceInfoByIndex`.
    public static func getExcludedDeviceInfoByIndex(
        _ index: UInt32, _ device: UnsafeMutablePointer<nvmlExcludedDeviceInfo_t>?
    ) -> nvmlReturn_t { outOfRange() }

    private static func none(_ count: UnsafeMutablePointer<UInt32>?) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            _ = try MonitorTable.shared.deviceCount()
            guard let count else { throw .invalidArgument }
            count.pointee = 0
        }
    }

    private static func outOfRange() -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            _ = try MonitorTable.shared.deviceCount()
            throw .invalidArgument
        }
    }

    /// The corresponding C function is `nvmlInternalGetExportTable`, which NVIDIA's own tools ask for more.
    public static func internalGetExportTable(
        _ table: UnsafeMutablePointer<UnsafeRawPointer?>?, _ id: UnsafeRawPointer?
    ) -> nvmlReturn_t {
        table?.pointee = nil
        return NVML_ERROR_FUNCTION_NOT_FOUND
    }
}
