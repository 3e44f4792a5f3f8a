public import CNVML
internal import CPosix
internal import ClientRuntime
internal import WireProtocol

/// What the functions of `libnvidia-ml.so.1` do: they report vGPUs as their workers see them.
public enum NVMLDriver {
    /// The driver's version, for people; the CUDA version is the one that the CUDA client reports.
    private static let driverVersion: StaticString = "580.65.06"
    private static let libraryVersion: StaticString = "13.580.65.06"
    private static let cudaVersion: Int32 = 13_050

    /// The corresponding C functions are `nvmlInit` and `nvmlInit_v2`.
    public static func initialize() -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in try MonitorTable.shared.initialize() }
    }

    /// The corresponding C function is `nvmlInitWithFlags`.
    public static func initWithFlags(_ flags: UInt32) -> nvmlReturn_t { initialize() }

    /// The corresponding C function is `nvmlShutdown`.
    public static func shutdown() -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in try MonitorTable.shared.shutdown() }
    }

    /// The corresponding C function is `nvmlErrorString`.
    public static func errorString(_ code: nvmlReturn_t) -> UnsafePointer<CChar>? {
        let text: StaticString = NVMLErrorStrings.message(code) ?? "unknown error"
        return UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
    }

    // MARK: - System

    /// The corresponding C function is `nvmlSystemGetDriverVersion`.
    public static func systemGetDriverVersion(
        _ version: UnsafeMutablePointer<CChar>?, _ length: UInt32
    ) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            _ = try MonitorTable.shared.deviceCount()
            try TextBuffer(version, length).set(driverVersion)
        }
    }

    /// The corresponding C function is `nvmlSystemGetNVMLVersion`.
    public static func systemGetNVMLVersion(
        _ version: UnsafeMutablePointer<CChar>?, _ length: UInt32
    ) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in try TextBuffer(version, length).set(libraryVersion) }
    }

    /// The corresponding C function is `nvmlSystemGetCudaDriverVersion`.
    public static func systemGetCudaDriverVersion(_ version: UnsafeMutablePointer<Int32>?) -> nvmlReturn_t {
        guard let version else { return NVML_ERROR_INVALID_ARGUMENT }
        let wanted = Environment.number("ROOST_DRIVER_VERSION", atMost: 99_990) ?? 0
        version.pointee = wanted >= 11_000 ? Int32(truncatingIfNeeded: wanted) : cudaVersion
        return NVML_SUCCESS
    }

    /// The corresponding C function is `nvmlSystemGetCudaDriverVersion_v2`.
    public static func systemGetCudaDriverVersionV2(_ version: UnsafeMutablePointer<Int32>?) -> nvmlReturn_t {
        systemGetCudaDriverVersion(version)
    }

    /// The corresponding C function is `nvmlSystemGetProcessName`.
    public static func systemGetProcessName(
        _ processID: UInt32, _ name: UnsafeMutablePointer<CChar>?, _ length: UInt32
    ) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            let count = try MonitorTable.shared.deviceCount()
            for index in 0..<count {
                guard let status = try? MonitorTable.shared.status(of: index) else { continue }
                for process in status.processes where process.processID == processID {
                    return try TextBuffer(name, length).setCut(process.name)
                }
            }
            throw .notFound
        }
    }
}
