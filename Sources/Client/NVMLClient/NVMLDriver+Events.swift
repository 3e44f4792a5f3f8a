public import CNVML
internal import CPosix
internal import Primitives

/// Which devices a set listens to. The only event is that a device is lost, told once for each.
private struct EventSet {
    var isUsed = false
    var devices: [Int] = []
    var reported: [Int] = []
}

extension NVMLDriver {
    // SAFETY: only touched under `eventLock`.
    nonisolated(unsafe) private static var eventSets: [EventSet] = []
    private static let eventLock = Lock()
    private static let eventSetCountMax = 1024
    /// Sets have made-up addresses as handles, as devices have.
    private static let eventSetBase: UInt = 0x524F_8000_0000
    /// `nvmlEventTypeXidCriticalError`, and the error for a device that has fallen off the bus.
    private static let criticalError: UInt64 = 8
    private static let fallenOffTheBus: UInt64 = 79
    private static let pollMilliseconds: UInt64 = 100

    private static func place(of set: nvmlEventSet_t?) throws(NVMLFailure) -> Int {
        let offset = UInt(bitPattern: set) &- eventSetBase
        guard set != nil, offset % 16 == 0, offset / 16 < UInt(eventSets.count), eventSets[Int(offset / 16)].isUsed
        else {
            throw .invalidArgument
        }
        return Int(offset / 16)
    }

    /// The corresponding C function is `nvmlDeviceGetSupportedEventTypes`.
    public static func deviceGetSupportedEventTypes(
        _ device: nvmlDevice_t?, _ types: UnsafeMutablePointer<UInt64>?
    ) -> nvmlReturn_t { answerAlways(types, device, criticalError) }

    /// The corresponding C function is `nvmlEventSetCreate`.
    public static func eventSetCreate(_ set: UnsafeMutablePointer<nvmlEventSet_t?>?) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            _ = try MonitorTable.shared.deviceCount()
            guard let set else { throw .invalidArgument }
            eventLock.acquire()
            defer { eventLock.release() }
            var place = 0
            while place < eventSets.count, eventSets[place].isUsed { place &+= 1 }
            guard place < eventSetCountMax else { throw NVMLFailure(code: NVML_ERROR_INSUFFICIENT_RESOURCES) }
            if place == eventSets.count { eventSets.append(EventSet()) }
            eventSets[place] = EventSet(isUsed: true)
            set.pointee = nvmlEventSet_t(bitPattern: eventSetBase &+ UInt(place) &* 16)
        }
    }

    /// The corresponding C function is `nvmlEventSetFree`.
    public static func eventSetFree(_ set: nvmlEventSet_t?) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            _ = try MonitorTable.shared.deviceCount()
            eventLock.acquire()
            defer { eventLock.release() }
            eventSets[try place(of: set)] = EventSet()
        }
    }

    /// The corresponding C function is `nvmlDeviceRegisterEvents`.
    public static func deviceRegisterEvents(
        _ device: nvmlDevice_t?, _ types: UInt64, _ set: nvmlEventSet_t?
    ) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            let index = try index(of: device)
            eventLock.acquire()
            defer { eventLock.release() }
            let place = try place(of: set)
            guard types & ~criticalError == 0 else { throw .notSupported }
            if types != 0, !eventSets[place].devices.contains(index) { eventSets[place].devices.append(index) }
        }
    }

    /// The corresponding C function is `nvmlEventSetWait_v2`.
    public static func eventSetWaitV2(
        _ set: nvmlEventSet_t?, _ data: UnsafeMutablePointer<nvmlEventData_t>?, _ timeoutMilliseconds: UInt32
    ) -> nvmlReturn_t {
        perform { () throws(NVMLFailure) in
            guard let data else { throw .invalidArgument }
            let deadline = posix_monotonic_nanoseconds() &+ UInt64(timeoutMilliseconds) &* 1_000_000
            while true {
                _ = try MonitorTable.shared.deviceCount()
                if let lost = try takeLost(set) {
                    data.pointee = nvmlEventData_t(
                        device: handle(of: lost), eventType: criticalError, eventData: fallenOffTheBus,
                        gpuInstanceId: UInt32.max, computeInstanceId: UInt32.max)
                    return
                }
                let now = posix_monotonic_nanoseconds()
                guard now < deadline else { throw NVMLFailure(code: NVML_ERROR_TIMEOUT) }
                posix_sleep_nanoseconds(min(deadline &- now, pollMilliseconds &* 1_000_000))
            }
        }
    }

    /// The corresponding C function is `nvmlEventSetWait`.
    public static func eventSetWait(
        _ set: nvmlEventSet_t?, _ data: UnsafeMutablePointer<nvmlEventData_t>?, _ timeoutMilliseconds: UInt32
    ) -> nvmlReturn_t { eventSetWaitV2(set, data, timeoutMilliseconds) }

    /// A device of the set that was lost since the last look.
    private static func takeLost(_ set: nvmlEventSet_t?) throws(NVMLFailure) -> Int? {
        let watched: [Int]
        do {
            eventLock.acquire()
            defer { eventLock.release() }
            let place = try place(of: set)
            watched = eventSets[place].devices.filter { !eventSets[place].reported.contains($0) }
        }
        for device in watched {
            do throws(NVMLFailure) {
                _ = try MonitorTable.shared.status(of: device)
            } catch {
                guard error.code == NVML_ERROR_GPU_IS_LOST else { continue }
                eventLock.acquire()
                defer { eventLock.release() }
                let place = try place(of: set)
                guard !eventSets[place].reported.contains(device) else { continue }
                eventSets[place].reported.append(device)
                return device
            }
        }
        return nil
    }
}
