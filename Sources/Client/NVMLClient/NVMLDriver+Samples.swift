public import CNVML
internal import CPosix
internal import WireProtocol

// What changes over time.
extension NVMLDriver {
    /// Microseconds since 1970.
    private static var timeStamp: UInt64 { posix_wall_nanoseconds() / 1000 }

    /// The corresponding C function is `nvmlDeviceGetSamples`: the newest sample of the load.
    public static func deviceGetSamples(
        _ device: nvmlDevice_t?, _ type: nvmlSamplingType_t, _ lastSeen: UInt64,
        _ valueType: UnsafeMutablePointer<nvmlValueType_t>?, _ count: UnsafeMutablePointer<UInt32>?,
        _ samples: UnsafeMutablePointer<nvmlSample_t>?
    ) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            let status = try status(of: device)
            guard type == NVML_GPU_UTILIZATION_SAMPLES else { throw .notSupported }
            guard let valueType, let count else { throw .invalidArgument }
            valueType.pointee = NVML_VALUE_TYPE_UNSIGNED_INT
            let now = timeStamp
            guard now > lastSeen else { throw .notFound }
            let room = count.pointee
            count.pointee = 1
            guard let samples else { return }
            guard room > 0 else { throw .insufficientSize }
            var sample = nvmlSample_t()
            sample.timeStamp = now
            sample.sampleValue.uiVal = min(status.utilizationPercent, 100)
            samples.pointee = sample
        }
    }

    /// The only process of a vGPU, with the vGPU's load. The load of one among several is measured by nobody.
    private static func onlyProcess(
        _ status: VGPUStatus
    ) throws(NVMLFailure) -> (processID: UInt32, percent: UInt32)? {
        var processID: UInt32?
        for process in status.processes {
            guard processID == nil || processID == process.processID else { throw .notSupported }
            processID = process.processID
        }
        return processID.map { ($0, min(status.utilizationPercent, 100)) }
    }

    /// The corresponding C function is `nvmlDeviceGetProcessUtilization`.
    public static func deviceGetProcessUtilization(
        _ device: nvmlDevice_t?, _ samples: UnsafeMutablePointer<nvmlProcessUtilizationSample_t>?,
        _ count: UnsafeMutablePointer<UInt32>?, _ lastSeen: UInt64
    ) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            let only = try onlyProcess(try status(of: device))
            guard let count else { throw .invalidArgument }
            let room = count.pointee
            let now = timeStamp
            count.pointee = only == nil ? 0 : 1
            guard let only, now > lastSeen else { throw .notFound }
            guard let samples, room > 0 else { throw .insufficientSize }
            samples.pointee = nvmlProcessUtilizationSample_t(
                pid: only.processID, timeStamp: now, smUtil: only.percent, memUtil: 0, encUtil: 0, decUtil: 0)
        }
    }

    /// The corresponding C function is `nvmlDeviceGetProcessesUtilizationInfo`.
    public static func deviceGetProcessesUtilizationInfo(
        _ device: nvmlDevice_t?, _ request: UnsafeMutablePointer<nvmlProcessesUtilizationInfo_t>?
    ) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            _ = try index(of: device)
            guard let request else { throw .invalidArgument }
            try StructureVersion.check(request.pointee.version, nvmlProcessesUtilizationInfo_t.self, 1)
            let only = try onlyProcess(try status(of: device))
            let room = request.pointee.processSamplesCount
            let now = timeStamp
            request.pointee.processSamplesCount = only == nil ? 0 : 1
            guard let only, now > request.pointee.lastSeenTimeStamp else { throw .notFound }
            guard let entries = request.pointee.procUtilArray, room > 0 else { throw .insufficientSize }
            entries.pointee = nvmlProcessUtilizationInfo_v1_t(
                timeStamp: now, pid: only.processID, smUtil: only.percent, memUtil: 0, encUtil: 0, decUtil: 0,
                jpgUtil: 0, ofaUtil: 0)
        }
    }

    /// The corresponding C function is `nvmlDeviceGetRunningProcessDetailList`; mode 0 is compute.
    public static func deviceGetRunningProcessDetailList(
        _ device: nvmlDevice_t?, _ list: UnsafeMutablePointer<nvmlProcessDetailList_t>?
    ) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            _ = try index(of: device)
            guard let list else { throw .invalidArgument }
            try StructureVersion.check(list.pointee.version, nvmlProcessDetailList_t.self, 1)
            guard list.pointee.mode <= 2 else { throw .invalidArgument }
            let usages = list.pointee.mode == 0 ? merged(try status(of: device).processes) : []
            let room = Int(list.pointee.numProcArrayEntries)
            list.pointee.numProcArrayEntries = UInt32(truncatingIfNeeded: usages.count)
            if usages.isEmpty { return }
            guard room >= usages.count, let entries = list.pointee.procArray else { throw .insufficientSize }
            for (place, usage) in usages.enumerated() {
                (entries + place).initialize(
                    to: nvmlProcessDetail_v1_t(
                        pid: usage.processID, usedGpuMemory: usage.byteCount, gpuInstanceId: UInt32.max,
                        computeInstanceId: UInt32.max, usedGpuCcProtectedMemory: 0))
            }
        }
    }

    /// The corresponding C function is `nvmlDeviceGetFieldValues`: each field has a result of its own.
    public static func deviceGetFieldValues(
        _ device: nvmlDevice_t?, _ count: Int32, _ values: UnsafeMutablePointer<nvmlFieldValue_t>?
    ) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            let status = try status(of: device)
            guard let values, count > 0 else { throw .invalidArgument }
            for place in 0..<Int(count) { fill(values + place, status) }
        }
    }

    private static func fill(_ field: UnsafeMutablePointer<nvmlFieldValue_t>, _ status: VGPUStatus) {
        field.pointee.timestamp = Int64(clamping: timeStamp)
        field.pointee.latencyUsec = 0
        field.pointee.valueType = NVML_VALUE_TYPE_UNSIGNED_INT
        field.pointee.value.ullVal = 0
        switch Int32(bitPattern: field.pointee.fieldId) {
        case NVML_FI_DEV_NVLINK_LINK_COUNT, NVML_FI_DEV_C2C_LINK_COUNT:
            field.pointee.nvmlReturn = NVML_SUCCESS
        default:
            field.pointee.nvmlReturn = NVML_ERROR_NOT_SUPPORTED
        }
    }
}
