import CCUDA
import CCUDAFunctions
import CUDABinding
public import GPUBackend

extension DeviceProperties {
    /// Beyond the newest attribute that a header names; a driver refuses those it does not know.
    private static let attributeEnd: UInt32 = 160

    /// All that a driver says about a device.
    init(_ driver: CUDALibrary, _ device: CUdevice, _ options: CUDAOptions) throws(CUDAFailure) {
        var text = [CChar](repeating: 0, count: 256)
        try driver.cuDeviceGetName(&text, Int32(text.count), device)
        let name = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        var byteCount = 0
        try driver.cuDeviceTotalMem_v2(&byteCount, device)
        var attributes: [(attribute: Int32, value: Int32)] = []
        if let read = driver.functions.cuDeviceGetAttribute {
            for number in 1..<DeviceProperties.attributeEnd {
                var value: Int32 = 0
                guard read(&value, CUdevice_attribute(rawValue: number), device) == CUDA_SUCCESS else { continue }
                attributes.append((Int32(number), value))
            }
        }
        let own = try DeviceProperties.uuid(driver, device)
        let uuid = options.uuid ?? own
        self.init(
            name: options.name ?? name, uuidHigh: uuid.high, uuidLow: uuid.low,
            totalByteCount: UInt64(byteCount), isSoftware: false, attributes: attributes)
    }

    /// The value of a `CUdevice_attribute`; 0 where the driver does not know it.
    func attribute(_ number: Int32) -> Int32 { attributes.first { $0.attribute == number }?.value ?? 0 }

    private static func uuid(
        _ driver: CUDALibrary, _ device: CUdevice
    ) throws(CUDAFailure) -> (high: UInt64, low: UInt64) {
        var uuid = CUuuid()
        if driver.functions.cuDeviceGetUuid_v2 != nil {
            try driver.cuDeviceGetUuid_v2(&uuid, device)
        } else {
            try driver.cuDeviceGetUuid(&uuid, device)
        }
        return withUnsafeBytes(of: uuid) { bytes in
            (
                UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
                UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            )
        }
    }
}

/// A device that a driver lists, for those who only look.
public struct CUDADeviceSummary: Sendable, Equatable {
    public var ordinal: Int32
    public var name: String
    public var uuidHigh: UInt64
    public var uuidLow: UInt64
    public var totalByteCount: UInt64
    public var multiprocessorCount: Int32
    public var computeCapability: Int32

    /// The devices of a driver. Throws with a sentence when there is no driver or it does not work.
    public static func list(driverPath: String) throws(BackendError) -> [CUDADeviceSummary] {
        let driver: CUDALibrary
        do throws(CUDALibraryFailure) {
            driver = try CUDALibrary(path: driverPath)
        } catch {
            throw BackendError(BackendStatus.deviceUnavailable, error.message)
        }
        return try translating { () throws(CUDAFailure) in
            try driver.cuInit(0)
            var count: Int32 = 0
            try driver.cuDeviceGetCount(&count)
            var list: [CUDADeviceSummary] = []
            for ordinal in 0..<max(0, count) {
                var device: CUdevice = 0
                try driver.cuDeviceGet(&device, ordinal)
                let properties = try DeviceProperties(driver, device, CUDAOptions(driverPath: driverPath))
                list.append(CUDADeviceSummary(ordinal: ordinal, properties))
            }
            return list
        }
    }

    /// The summary on one line, as the node's agent reads it.
    public var line: String {
        let uuid = CUDADeviceSummary.hexadecimal(uuidHigh) + CUDADeviceSummary.hexadecimal(uuidLow)
        return "\(ordinal) \(uuid) \(totalByteCount) \(multiprocessorCount) \(computeCapability) \(name)"
    }

    private static func hexadecimal(_ word: UInt64) -> String {
        let digits = String(word, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    private init(ordinal: Int32, _ properties: DeviceProperties) {
        self.ordinal = ordinal
        name = properties.name
        uuidHigh = properties.uuidHigh
        uuidLow = properties.uuidLow
        totalByteCount = properties.totalByteCount
        multiprocessorCount = properties.attribute(16)
        computeCapability = properties.attribute(75) * 10 + properties.attribute(76)
    }
}
