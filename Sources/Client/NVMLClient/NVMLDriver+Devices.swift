public import CNVML
internal import WireProtocol

extension NVMLDriver {
    /// Devices have made-up addresses as handles: nobody may read behind them.
    private static let handleBase: UInt = 0x524F_0000
    private static let handleStep: UInt = 16

    static func handle(of index: Int) -> nvmlDevice_t? {
        nvmlDevice_t(bitPattern: handleBase &+ UInt(truncatingIfNeeded: index) &* handleStep)
    }

    /// The number of the device behind a handle.
    static func index(of device: nvmlDevice_t?) throws(NVMLFailure) -> Int {
        let count = try MonitorTable.shared.deviceCount()
        let offset = UInt(bitPattern: device) &- handleBase
        guard device != nil, offset % handleStep == 0, offset / handleStep < UInt(count) else { throw .invalidArgument }
        return Int(offset / handleStep)
    }

    static func status(of device: nvmlDevice_t?) throws(NVMLFailure) -> VGPUStatus {
        try MonitorTable.shared.status(of: try index(of: device))
    }

    /// The PCI bus on which the CUDA client sees the device with this number.
    static func bus(of index: Int) -> UInt32 { UInt32(truncatingIfNeeded: index) &+ 1 }

    /// Answers `target` from a device's status.
    static func answer<Value>(
        _ target: UnsafeMutablePointer<Value>?, _ device: nvmlDevice_t?,
        _ body: (VGPUStatus) throws(NVMLFailure) -> Value
    ) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            let status = try status(of: device)
            guard let target else { throw .invalidArgument }
            target.pointee = try body(status)
        }
    }

    /// Answers `target` with the same for every device that exists.
    static func answerAlways<Value>(
        _ target: UnsafeMutablePointer<Value>?, _ device: nvmlDevice_t?, _ value: Value
    ) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            _ = try index(of: device)
            guard let target else { throw .invalidArgument }
            target.pointee = value
        }
    }

    /// Answers that a vGPU has no such thing.
    static func refuse(_ device: nvmlDevice_t?) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            _ = try index(of: device)
            throw .notSupported
        }
    }

    // MARK: - Finding devices

    /// The corresponding C function is `nvmlDeviceGetCount`.
    public static func deviceGetCount(_ count: UnsafeMutablePointer<UInt32>?) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            let found = try MonitorTable.shared.deviceCount()
            guard let count else { throw .invalidArgument }
            count.pointee = UInt32(truncatingIfNeeded: found)
        }
    }

    /// The corresponding C function is `nvmlDeviceGetCount_v2`.
    public static func deviceGetCountV2(_ count: UnsafeMutablePointer<UInt32>?) -> nvmlReturn_t {
        deviceGetCount(count)
    }

    /// The corresponding C function is `nvmlDeviceGetHandleByIndex`.
    public static func deviceGetHandleByIndex(
        _ index: UInt32, _ device: UnsafeMutablePointer<nvmlDevice_t?>?
    ) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            let count = try MonitorTable.shared.deviceCount()
            guard let device, Int(index) < count else { throw .invalidArgument }
            device.pointee = handle(of: Int(index))
        }
    }

    /// The corresponding C function is `nvmlDeviceGetHandleByIndex_v2`.
    public static func deviceGetHandleByIndexV2(
        _ index: UInt32, _ device: UnsafeMutablePointer<nvmlDevice_t?>?
    ) -> nvmlReturn_t { deviceGetHandleByIndex(index, device) }

    /// The corresponding C function is `nvmlDeviceGetHandleByUUID`.
    public static func deviceGetHandleByUUID(
        _ uuid: UnsafePointer<CChar>?, _ device: UnsafeMutablePointer<nvmlDevice_t?>?
    ) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            let count = try MonitorTable.shared.deviceCount()
            guard let uuid, let device else { throw .invalidArgument }
            for index in 0..<count {
                guard let status = try? MonitorTable.shared.status(of: index) else { continue }
                let text = HexadecimalText.uuid(high: status.device.uuidHigh, low: status.device.uuidLow)
                guard isEqual(uuid, text) else { continue }
                device.pointee = handle(of: index)
                return
            }
            throw .notFound
        }
    }

    /// The corresponding C function is `nvmlDeviceGetHandleByPciBusId`.
    public static func deviceGetHandleByPciBusId(
        _ busID: UnsafePointer<CChar>?, _ device: UnsafeMutablePointer<nvmlDevice_t?>?
    ) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            let count = try MonitorTable.shared.deviceCount()
            guard let busID, let device else { throw .invalidArgument }
            guard let bus = HexadecimalText.bus(busID), bus > 0, bus <= UInt32(count) else { throw .notFound }
            device.pointee = handle(of: Int(bus) &- 1)
        }
    }

    /// The corresponding C function is `nvmlDeviceGetHandleByPciBusId_v2`.
    public static func deviceGetHandleByPciBusIdV2(
        _ busID: UnsafePointer<CChar>?, _ device: UnsafeMutablePointer<nvmlDevice_t?>?
    ) -> nvmlReturn_t { deviceGetHandleByPciBusId(busID, device) }

    // MARK: - Who a device is

    /// The corresponding C function is `nvmlDeviceGetName`.
    public static func deviceGetName(
        _ device: nvmlDevice_t?, _ name: UnsafeMutablePointer<CChar>?, _ length: UInt32
    ) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            try TextBuffer(name, length).set(try status(of: device).device.name)
        }
    }

    /// The corresponding C function is `nvmlDeviceGetUUID`.
    public static func deviceGetUUID(
        _ device: nvmlDevice_t?, _ uuid: UnsafeMutablePointer<CChar>?, _ length: UInt32
    ) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            let found = try status(of: device).device
            try TextBuffer(uuid, length).set(HexadecimalText.uuid(high: found.uuidHigh, low: found.uuidLow))
        }
    }

    /// The corresponding C function is `nvmlDeviceGetSerial`.
    public static func deviceGetSerial(
        _ device: nvmlDevice_t?, _ serial: UnsafeMutablePointer<CChar>?, _ length: UInt32
    ) -> nvmlReturn_t { refuse(device) }

    /// The corresponding C function is `nvmlDeviceGetIndex`.
    public static func deviceGetIndex(
        _ device: nvmlDevice_t?, _ index: UnsafeMutablePointer<UInt32>?
    ) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            let found = try NVMLDriver.index(of: device)
            guard let index else { throw .invalidArgument }
            index.pointee = UInt32(truncatingIfNeeded: found)
        }
    }

    /// The corresponding C function is `nvmlDeviceGetMinorNumber`.
    public static func deviceGetMinorNumber(
        _ device: nvmlDevice_t?, _ minorNumber: UnsafeMutablePointer<UInt32>?
    ) -> nvmlReturn_t { deviceGetIndex(device, minorNumber) }

    /// The corresponding C function is `nvmlDeviceGetPciInfo_v3`.
    public static func deviceGetPciInfoV3(
        _ device: nvmlDevice_t?, _ place: UnsafeMutablePointer<nvmlPciInfo_t>?
    ) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            let bus = bus(of: try index(of: device))
            guard let place else { throw .invalidArgument }
            var found = nvmlPciInfo_t()
            found.bus = bus
            // NVIDIA's number as a vendor, without a model: the device is none of theirs.
            found.pciDeviceId = 0x10DE
            withUnsafeMutableBytes(of: &found.busIdLegacy) {
                $0.copyBytes(from: HexadecimalText.busID(domainDigitCount: 4, bus: bus))
            }
            withUnsafeMutableBytes(of: &found.busId) {
                $0.copyBytes(from: HexadecimalText.busID(domainDigitCount: 8, bus: bus))
            }
            place.pointee = found
        }
    }

    /// The corresponding C function is `nvmlDeviceGetPciInfo_v2`.
    public static func deviceGetPciInfoV2(
        _ device: nvmlDevice_t?, _ place: UnsafeMutablePointer<nvmlPciInfo_t>?
    ) -> nvmlReturn_t { deviceGetPciInfoWithoutBusID(device, place) }

    /// The corresponding C function is `nvmlDeviceGetPciInfo`.
    public static func deviceGetPciInfo(
        _ device: nvmlDevice_t?, _ place: UnsafeMutablePointer<nvmlPciInfo_t>?
    ) -> nvmlReturn_t { deviceGetPciInfoWithoutBusID(device, place) }

    /// The structure of the first two versions ends before `busId`: nothing may be written there.
    private static func deviceGetPciInfoWithoutBusID(
        _ device: nvmlDevice_t?, _ place: UnsafeMutablePointer<nvmlPciInfo_t>?
    ) -> nvmlReturn_t {
        guard let place else { return NVML_ERROR_INVALID_ARGUMENT }
        var found = nvmlPciInfo_t()
        let result = deviceGetPciInfoV3(device, &found)
        guard result == NVML_SUCCESS else { return result }
        let byteCount = MemoryLayout<nvmlPciInfo_t>.size &- MemoryLayout.size(ofValue: found.busId)
        withUnsafeBytes(of: &found) { bytes in
            UnsafeMutableRawBufferPointer(start: place, count: byteCount)
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<byteCount]))
        }
        return NVML_SUCCESS
    }

    private static func isEqual(_ text: UnsafePointer<CChar>, _ bytes: [UInt8]) -> Bool {
        for (index, byte) in bytes.enumerated() where UInt8(bitPattern: text[index]) != byte { return false }
        return text[bytes.count] == 0
    }
}
