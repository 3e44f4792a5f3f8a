/// What decisions read of hosts, one column for each field.
struct HostColumns {
    var cpuFree = Column<Int32>(filling: 0)
    var memoryFree = Column<Int32>(filling: 0)
    var cpuCapacity = Column<Int32>(filling: 0)
    var memoryCapacity = Column<Int32>(filling: 0)
    var firstDevice = Column<Int32>(filling: 0)
    var deviceCount = Column<Int32>(filling: 0)
    /// 1 when new work may go there.
    var isOpen = Column<UInt8>(filling: 0)
    var labels = Column<Int32>(filling: 0)
    var rack = Column<Int32>(filling: 0)
    var zone = Column<Int32>(filling: 0)
    /// The first of the list of allotments on the host, -1 for none.
    var firstAllotment = Column<Int32>(filling: -1)
    /// Where the host's newest entry in the log of changes stands.
    var lastChange = Column<Int>(filling: -1)
    /// Workloads by the size that they asked for, `DemandClass.count` for each host.
    var classCounts = Column<UInt16>(filling: 0)

    mutating func reserve(_ count: Int) {
        cpuFree.reserve(count)
        memoryFree.reserve(count)
        cpuCapacity.reserve(count)
        memoryCapacity.reserve(count)
        firstDevice.reserve(count)
        deviceCount.reserve(count)
        isOpen.reserve(count)
        labels.reserve(count)
        rack.reserve(count)
        zone.reserve(count)
        firstAllotment.reserve(count)
        lastChange.reserve(count)
        classCounts.reserve(count * DemandClass.count)
    }

    func free() {
        for column in [cpuFree, memoryFree, cpuCapacity, memoryCapacity, firstDevice, deviceCount] { column.free() }
        for column in [labels, rack, zone, firstAllotment] { column.free() }
        isOpen.free()
        lastChange.free()
        classCounts.free()
    }
}

/// What decisions read of devices, one column for each field. The devices of a host stand next to each other.
struct DeviceColumns {
    var milliFree = Column<Int32>(filling: 0)
    var vramFree = Column<Int32>(filling: 0)
    var milliCapacity = Column<Int32>(filling: 0)
    var vramCapacity = Column<Int32>(filling: 0)
    /// The memory that is really there: no limit may exceed it.
    var vramPhysical = Column<Int32>(filling: 0)
    var model = Column<Int32>(filling: 0)
    var labels = Column<Int32>(filling: 0)
    var host = Column<Int32>(filling: 0)
    var userCount = Column<Int32>(filling: 0)
    var status = Column<DeviceStatus>(filling: DeviceStatus())

    mutating func reserve(_ count: Int) {
        milliFree.reserve(count)
        vramFree.reserve(count)
        milliCapacity.reserve(count)
        vramCapacity.reserve(count)
        vramPhysical.reserve(count)
        model.reserve(count)
        labels.reserve(count)
        host.reserve(count)
        userCount.reserve(count)
        status.reserve(count)
    }

    func free() {
        for column in [milliFree, vramFree, milliCapacity, vramCapacity, vramPhysical, model, labels, host, userCount] {
            column.free()
        }
        status.free()
    }
}

/// Health, supported modes and the mode in use of one device.
struct DeviceStatus: BitwiseCopyable {
    /// Bit 0: healthy. Bits 1 to 7: the supported modes by their raw values.
    var abilities: UInt8 = 0
    /// The raw value of the isolation mode in use; 0 while nobody uses the device.
    var mode: UInt8 = 0

    var isHealthy: Bool { abilities & 1 != 0 }

    @inline(__always)
    func accepts(_ wanted: UInt8) -> Bool {
        abilities & 1 != 0 && abilities & (1 << wanted) != 0 && (mode == 0 || mode == wanted)
    }
}

/// Part of a device, or of a host's CPU and memory, that one workload holds; linked with the others of its host.
struct AllotmentRecord: BitwiseCopyable {
    var workload: Int32
    var host: Int32
    /// The device, or -1 for CPU and memory.
    var device: Int32
    var milli: Int32
    var vram: Int32
    var cpu: Int32
    var memory: Int32
    var next: Int32
    var previous: Int32
    var nextOfWorkload: Int32
}

/// The classes by which GPU clustering keeps workloads of one size together.
enum DemandClass {
    static let count = 6

    /// Shares of one device are one class, then one for each common number of whole devices.
    static func index(of devices: DeviceDemand) -> Int? {
        guard devices.count > 0 else { return nil }
        if devices.count == 1, case .milli(let milli) = devices.compute, milli < 1000 { return 0 }
        switch devices.count {
        case 1: return 1
        case 2: return 2
        case 4: return 3
        case 8: return 4
        default: return 5
        }
    }
}
