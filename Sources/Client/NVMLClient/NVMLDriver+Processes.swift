public import CNVML
internal import WireProtocol

extension NVMLDriver {
    /// What the structures have where a device has no instances.
    private static let noInstance = UInt32.max

    /// A process and the bytes of all its sessions.
    struct Usage {
        var processID: UInt32
        var byteCount: UInt64
    }

    /// The corresponding C function is `nvmlDeviceGetComputeRunningProcesses_v3`.
    public static func deviceGetComputeRunningProcessesV3(
        _ device: nvmlDevice_t?, _ count: UnsafeMutablePointer<UInt32>?,
        _ processes: UnsafeMutablePointer<nvmlProcessInfo_t>?
    ) -> nvmlReturn_t {
        list(device, count, processes) { usage in
            nvmlProcessInfo_t(
                pid: usage.processID, usedGpuMemory: usage.byteCount, gpuInstanceId: noInstance,
                computeInstanceId: noInstance)
        }
    }

    /// The corresponding C function is `nvmlDeviceGetComputeRunningProcesses_v2`.
    public static func deviceGetComputeRunningProcessesV2(
        _ device: nvmlDevice_t?, _ count: UnsafeMutablePointer<UInt32>?,
        _ processes: UnsafeMutablePointer<nvmlProcessInfo_v2_t>?
    ) -> nvmlReturn_t { deviceGetComputeRunningProcessesV3(device, count, processes) }

    /// The corresponding C function is `nvmlDeviceGetComputeRunningProcesses`.
    public static func deviceGetComputeRunningProcesses(
        _ device: nvmlDevice_t?, _ count: UnsafeMutablePointer<UInt32>?,
        _ processes: UnsafeMutablePointer<nvmlProcessInfo_v1_t>?
    ) -> nvmlReturn_t {
        list(device, count, processes) { usage in
            nvmlProcessInfo_v1_t(pid: usage.processID, usedGpuMemory: usage.byteCount)
        }
    }

    /// The corresponding C function is `nvmlDeviceGetGraphicsRunningProcesses_v3`.
    public static func deviceGetGraphicsRunningProcessesV3(
        _ device: nvmlDevice_t?, _ count: UnsafeMutablePointer<UInt32>?,
        _ processes: UnsafeMutablePointer<nvmlProcessInfo_t>?
    ) -> nvmlReturn_t { answerAlways(count, device, 0) }

    /// The corresponding C function is `nvmlDeviceGetGraphicsRunningProcesses_v2`.
    public static func deviceGetGraphicsRunningProcessesV2(
        _ device: nvmlDevice_t?, _ count: UnsafeMutablePointer<UInt32>?,
        _ processes: UnsafeMutablePointer<nvmlProcessInfo_v2_t>?
    ) -> nvmlReturn_t { answerAlways(count, device, 0) }

    /// The corresponding C function is `nvmlDeviceGetGraphicsRunningProcesses`.
    public static func deviceGetGraphicsRunningProcesses(
        _ device: nvmlDevice_t?, _ count: UnsafeMutablePointer<UInt32>?,
        _ processes: UnsafeMutablePointer<nvmlProcessInfo_v1_t>?
    ) -> nvmlReturn_t { answerAlways(count, device, 0) }

    /// The corresponding C function is `nvmlDeviceGetMPSComputeRunningProcesses_v3`.
    public static func deviceGetMPSComputeRunningProcessesV3(
        _ device: nvmlDevice_t?, _ count: UnsafeMutablePointer<UInt32>?,
        _ processes: UnsafeMutablePointer<nvmlProcessInfo_t>?
    ) -> nvmlReturn_t { answerAlways(count, device, 0) }

    /// The corresponding C function is `nvmlDeviceGetMPSComputeRunningProcesses_v2`.
    public static func deviceGetMPSComputeRunningProcessesV2(
        _ device: nvmlDevice_t?, _ count: UnsafeMutablePointer<UInt32>?,
        _ processes: UnsafeMutablePointer<nvmlProcessInfo_v2_t>?
    ) -> nvmlReturn_t { answerAlways(count, device, 0) }

    /// The corresponding C function is `nvmlDeviceGetMPSComputeRunningProcesses`.
    public static func deviceGetMPSComputeRunningProcesses(
        _ device: nvmlDevice_t?, _ count: UnsafeMutablePointer<UInt32>?,
        _ processes: UnsafeMutablePointer<nvmlProcessInfo_v1_t>?
    ) -> nvmlReturn_t { answerAlways(count, device, 0) }

    /// Fills the caller's array if it is long enough; says in any case how long it must be.
    private static func list<Entry>(
        _ device: nvmlDevice_t?, _ count: UnsafeMutablePointer<UInt32>?, _ entries: UnsafeMutablePointer<Entry>?,
        _ entry: (Usage) -> Entry
    ) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            let usages = merged(try status(of: device).processes)
            guard let count else { throw .invalidArgument }
            let room = Int(count.pointee)
            count.pointee = UInt32(truncatingIfNeeded: usages.count)
            if usages.isEmpty { return }
            guard room >= usages.count else { throw .insufficientSize }
            guard let entries else { throw .invalidArgument }
            for (index, usage) in usages.enumerated() { (entries + index).initialize(to: entry(usage)) }
        }
    }

    /// A process may have several sessions: one entry for each process, in the worker's order.
    static func merged(_ processes: [VGPUStatus.Process]) -> [Usage] {
        var usages: [Usage] = []
        for process in processes {
            if let index = usages.firstIndex(where: { $0.processID == process.processID }) {
                usages[index].byteCount &+= process.usedByteCount
            } else {
                usages.append(Usage(processID: process.processID, byteCount: process.usedByteCount))
            }
        }
        return usages
    }
}
