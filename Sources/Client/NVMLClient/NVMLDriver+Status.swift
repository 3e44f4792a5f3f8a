public import CNVML
internal import WireProtocol

extension NVMLDriver {
    // MARK: - Memory and load

    /// The corresponding C function is `nvmlDeviceGetMemoryInfo`; the total is the vGPU's own.
    public static func deviceGetMemoryInfo(
        _ device: nvmlDevice_t?, _ memory: UnsafeMutablePointer<nvmlMemory_t>?
    ) -> nvmlReturn_t {
        answer(memory, device) { status in
            let total = status.device.totalByteCount
            let used = min(status.usedByteCount, total)
            return nvmlMemory_t(total: total, free: total &- used, used: used)
        }
    }

    /// The corresponding C function is `nvmlDeviceGetMemoryInfo_v2`.
    public static func deviceGetMemoryInfoV2(
        _ device: nvmlDevice_t?, _ memory: UnsafeMutablePointer<nvmlMemory_v2_t>?
    ) -> nvmlReturn_t {
        guard let memory else { return NVML_ERROR_INVALID_ARGUMENT }
        let version = UInt32(MemoryLayout<nvmlMemory_v2_t>.size) | 2 << 24
        guard memory.pointee.version == version else { return NVML_ERROR_ARGUMENT_VERSION_MISMATCH }
        return answer(memory, device) { status in
            let total = status.device.totalByteCount
            let used = min(status.usedByteCount, total)
            return nvmlMemory_v2_t(version: version, total: total, reserved: 0, free: total &- used, used: used)
        }
    }

    /// The corresponding C function is `nvmlDeviceGetBAR1MemoryInfo`.
    public static func deviceGetBAR1MemoryInfo(
        _ device: nvmlDevice_t?, _ memory: UnsafeMutablePointer<nvmlBAR1Memory_t>?
    ) -> nvmlReturn_t { refuse(device) }

    /// The corresponding C function is `nvmlDeviceGetUtilizationRates`. Nobody measures how long the memory is busy.
    public static func deviceGetUtilizationRates(
        _ device: nvmlDevice_t?, _ utilization: UnsafeMutablePointer<nvmlUtilization_t>?
    ) -> nvmlReturn_t {
        answer(utilization, device) { status in
            nvmlUtilization_t(gpu: min(status.utilizationPercent, 100), memory: 0)
        }
    }

    /// The corresponding C function is `nvmlDeviceGetEncoderUtilization`.
    public static func deviceGetEncoderUtilization(
        _ device: nvmlDevice_t?, _ utilization: UnsafeMutablePointer<UInt32>?, _ period: UnsafeMutablePointer<UInt32>?
    ) -> nvmlReturn_t { refuse(device) }

    /// The corresponding C function is `nvmlDeviceGetDecoderUtilization`.
    public static func deviceGetDecoderUtilization(
        _ device: nvmlDevice_t?, _ utilization: UnsafeMutablePointer<UInt32>?, _ period: UnsafeMutablePointer<UInt32>?
    ) -> nvmlReturn_t { refuse(device) }

    // MARK: - What the hardware would measure

    /// The corresponding C function is `nvmlDeviceGetTemperature`.
    public static func deviceGetTemperature(
        _ device: nvmlDevice_t?, _ sensor: nvmlTemperatureSensors_t, _ degrees: UnsafeMutablePointer<UInt32>?
    ) -> nvmlReturn_t { refuse(device) }

    /// The corresponding C function is `nvmlDeviceGetPowerUsage`.
    public static func deviceGetPowerUsage(
        _ device: nvmlDevice_t?, _ milliwatts: UnsafeMutablePointer<UInt32>?
    ) -> nvmlReturn_t { refuse(device) }

    /// The corresponding C function is `nvmlDeviceGetEnforcedPowerLimit`.
    public static func deviceGetEnforcedPowerLimit(
        _ device: nvmlDevice_t?, _ milliwatts: UnsafeMutablePointer<UInt32>?
    ) -> nvmlReturn_t { refuse(device) }

    /// The corresponding C function is `nvmlDeviceGetPowerManagementLimit`.
    public static func deviceGetPowerManagementLimit(
        _ device: nvmlDevice_t?, _ milliwatts: UnsafeMutablePointer<UInt32>?
    ) -> nvmlReturn_t { refuse(device) }

    /// The corresponding C function is `nvmlDeviceGetPerformanceState`: a vGPU never slows down to save power.
    public static func deviceGetPerformanceState(
        _ device: nvmlDevice_t?, _ state: UnsafeMutablePointer<nvmlPstates_t>?
    ) -> nvmlReturn_t { answerAlways(state, device, NVML_PSTATE_0) }

    /// The corresponding C function is `nvmlDeviceGetClockInfo`, in MHz.
    public static func deviceGetClockInfo(
        _ device: nvmlDevice_t?, _ type: nvmlClockType_t, _ clock: UnsafeMutablePointer<UInt32>?
    ) -> nvmlReturn_t {
        answer(clock, device) { status throws(NVMLFailure) in
            let number = type == NVML_CLOCK_MEM ? DeviceAttribute.memoryClockRate : DeviceAttribute.clockRate
            return UInt32(try attribute(number, status) / 1000)
        }
    }

    /// The corresponding C function is `nvmlDeviceGetMaxClockInfo`, in MHz.
    public static func deviceGetMaxClockInfo(
        _ device: nvmlDevice_t?, _ type: nvmlClockType_t, _ clock: UnsafeMutablePointer<UInt32>?
    ) -> nvmlReturn_t { deviceGetClockInfo(device, type, clock) }

    /// The corresponding C function is `nvmlDeviceGetCurrPcieLinkGeneration`: there is no PCIe link.
    public static func deviceGetCurrPcieLinkGeneration(
        _ device: nvmlDevice_t?, _ generation: UnsafeMutablePointer<UInt32>?
    ) -> nvmlReturn_t { refuse(device) }

    /// The corresponding C function is `nvmlDeviceGetCurrPcieLinkWidth`: there is no PCIe link.
    public static func deviceGetCurrPcieLinkWidth(
        _ device: nvmlDevice_t?, _ width: UnsafeMutablePointer<UInt32>?
    ) -> nvmlReturn_t { refuse(device) }

    // MARK: - Architecture

    /// The corresponding C function is `nvmlDeviceGetCudaComputeCapability`.
    public static func deviceGetCudaComputeCapability(
        _ device: nvmlDevice_t?, _ major: UnsafeMutablePointer<Int32>?, _ minor: UnsafeMutablePointer<Int32>?
    ) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            let status = try status(of: device)
            guard let major, let minor else { throw .invalidArgument }
            major.pointee = try attribute(DeviceAttribute.capabilityMajor, status)
            minor.pointee = try attribute(DeviceAttribute.capabilityMinor, status)
        }
    }

    /// The corresponding C function is `nvmlDeviceGetArchitecture`.
    public static func deviceGetArchitecture(
        _ device: nvmlDevice_t?, _ architecture: UnsafeMutablePointer<nvmlDeviceArchitecture_t>?
    ) -> nvmlReturn_t {
        answer(architecture, device) { status throws(NVMLFailure) in
            let minor = try attribute(DeviceAttribute.capabilityMinor, status)
            return switch try attribute(DeviceAttribute.capabilityMajor, status) {
            case 7: UInt32(minor >= 5 ? NVML_DEVICE_ARCH_TURING : NVML_DEVICE_ARCH_VOLTA)
            case 8: UInt32(minor == 9 ? NVML_DEVICE_ARCH_ADA : NVML_DEVICE_ARCH_AMPERE)
            case 9: UInt32(NVML_DEVICE_ARCH_HOPPER)
            case 10...12: UInt32(NVML_DEVICE_ARCH_BLACKWELL)
            default: UInt32.max
            }
        }
    }

    /// The corresponding C function is `nvmlDeviceGetNumGpuCores`.
    public static func deviceGetNumGpuCores(
        _ device: nvmlDevice_t?, _ count: UnsafeMutablePointer<UInt32>?
    ) -> nvmlReturn_t {
        answer(count, device) { status throws(NVMLFailure) in
            let major = try attribute(DeviceAttribute.capabilityMajor, status)
            let minor = try attribute(DeviceAttribute.capabilityMinor, status)
            let perMultiprocessor: UInt32 = major == 7 || (major == 8 && minor == 0) ? 64 : 128
            return UInt32(try attribute(DeviceAttribute.multiprocessorCount, status)) &* perMultiprocessor
        }
    }

    /// The corresponding C function is `nvmlDeviceGetBrand`.
    public static func deviceGetBrand(
        _ device: nvmlDevice_t?, _ brand: UnsafeMutablePointer<nvmlBrandType_t>?
    ) -> nvmlReturn_t { answerAlways(brand, device, NVML_BRAND_UNKNOWN) }

    // MARK: - Modes

    /// The corresponding C function is `nvmlDeviceGetPersistenceMode`: a worker stays when its last client leaves.
    public static func deviceGetPersistenceMode(
        _ device: nvmlDevice_t?, _ mode: UnsafeMutablePointer<nvmlEnableState_t>?
    ) -> nvmlReturn_t { answerAlways(mode, device, NVML_FEATURE_ENABLED) }

    /// The corresponding C function is `nvmlDeviceGetDisplayMode`.
    public static func deviceGetDisplayMode(
        _ device: nvmlDevice_t?, _ mode: UnsafeMutablePointer<nvmlEnableState_t>?
    ) -> nvmlReturn_t { answerAlways(mode, device, NVML_FEATURE_DISABLED) }

    /// The corresponding C function is `nvmlDeviceGetDisplayActive`.
    public static func deviceGetDisplayActive(
        _ device: nvmlDevice_t?, _ mode: UnsafeMutablePointer<nvmlEnableState_t>?
    ) -> nvmlReturn_t { answerAlways(mode, device, NVML_FEATURE_DISABLED) }

    /// The corresponding C function is `nvmlDeviceGetComputeMode`.
    public static func deviceGetComputeMode(
        _ device: nvmlDevice_t?, _ mode: UnsafeMutablePointer<nvmlComputeMode_t>?
    ) -> nvmlReturn_t { answerAlways(mode, device, NVML_COMPUTEMODE_DEFAULT) }

    /// The corresponding C function is `nvmlDeviceGetMultiGpuBoard`.
    public static func deviceGetMultiGpuBoard(
        _ device: nvmlDevice_t?, _ isMultiple: UnsafeMutablePointer<UInt32>?
    ) -> nvmlReturn_t { answerAlways(isMultiple, device, 0) }

    /// The corresponding C function is `nvmlDeviceGetMigMode`: a vGPU can't be split again.
    public static func deviceGetMigMode(
        _ device: nvmlDevice_t?, _ current: UnsafeMutablePointer<UInt32>?, _ pending: UnsafeMutablePointer<UInt32>?
    ) -> nvmlReturn_t { refuse(device) }

    /// The corresponding C function is `nvmlDeviceIsMigDeviceHandle`.
    public static func deviceIsMigDeviceHandle(
        _ device: nvmlDevice_t?, _ isInstance: UnsafeMutablePointer<UInt32>?
    ) -> nvmlReturn_t { answerAlways(isInstance, device, 0) }

    /// The value of a `CUdevice_attribute`; never negative.
    static func attribute(_ number: Int32, _ status: VGPUStatus) throws(NVMLFailure) -> Int32 {
        for entry in status.device.attributes where entry.attribute == number && entry.value >= 0 {
            return entry.value
        }
        throw .notSupported
    }
}

/// Numbers of `CUdevice_attribute`, as in `cuda.h`.
enum DeviceAttribute {
    static let clockRate: Int32 = 13
    static let multiprocessorCount: Int32 = 16
    static let memoryClockRate: Int32 = 36
    static let memoryBusWidth: Int32 = 37
    static let capabilityMajor: Int32 = 75
    static let capabilityMinor: Int32 = 76
}
