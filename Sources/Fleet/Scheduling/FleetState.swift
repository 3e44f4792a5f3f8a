/// Hosts, devices and what is placed on them, in flat columns that change in time proportional to one host's devices.
///
/// Every host whose state changes gets an entry in a log, by which score indexes bring themselves up to date.
final class FleetState {
    /// A workload that has a place.
    struct PlacedWorkload {
        var request: WorkloadRequest
        var assignment: Assignment
        var firstAllotment: Int32
        var labels: Int32
        var gang: Int32
    }

    /// A model of devices, as requests tell them apart.
    struct Model: Hashable {
        var vendor: String
        var name: String
        var milliTFLOPS: Int
    }

    var hosts = HostColumns()
    var devices = DeviceColumns()
    var allotments = Column<AllotmentRecord>(
        filling: AllotmentRecord(
            workload: -1, host: -1, device: -1, milli: 0, vram: 0, cpu: 0, memory: 0, next: -1, previous: -1,
            nextOfWorkload: -1))
    /// Slots in use, the free ones among them included.
    var hostSlots = 0
    var deviceSlots = 0
    var allotmentSlots = 0
    var freeHosts: [Int32] = []
    var freeDevices: [Int: [Int32]] = [:]
    var freeAllotment: Int32 = -1
    var descriptions: [HostDescription?] = []
    var hostNumbers: [String: Int32] = [:]

    var workloads: [PlacedWorkload?] = []
    /// What preemption reads of workloads: 1 when evictable, the priority, and the gang or -1.
    var workloadDepartures = Column<Departure>(filling: .byItself)
    var workloadPriorities = Column<Int32>(filling: 0)
    var workloadGangs = Column<Int32>(filling: -1)
    var freeWorkloads: [Int32] = []
    var workloadNumbers: [String: Int32] = [:]
    var gangs = Interner<String>()
    var gangMembers: [[Int32]] = []

    var models = Interner<Model>()
    var labelSets = Interner<[String: String]>()
    var racks = Interner<TopologyPath>()
    var zones = Interner<String>()
    /// Hosts by rack and by zone, in the order of their slots.
    var rackHosts: [[Int32]] = []
    var zoneHosts: [[Int32]] = []
    var affinity = AffinityCounts()

    /// Hosts in the order of their changes; `changeBase` is the position of the first.
    var changes: [Int32] = []
    var changeBase = 0
    /// Counts changes of any kind, for caches of negative answers.
    var revision = 0
    /// The largest host's CPU and devices, which scores are scaled by. Only grows.
    var largestCPUMilli: Int32 = 1
    var largestComputeMilli: Int32 = 1
    /// Counts changes of the two scales.
    var scaleGeneration = 0

    deinit {
        hosts.free()
        devices.free()
        allotments.free()
        workloadDepartures.free()
        workloadPriorities.free()
        workloadGangs.free()
    }

    var changeEnd: Int { changeBase + changes.count }

    /// Writes down that a host is different now.
    @inline(__always)
    func touch(_ host: Int32) {
        hosts.lastChange[host] = changeBase + changes.count
        changes.append(host)
        revision &+= 1
    }

    /// Forgets the log; whoever has not read it must look at every host again.
    func forgetChanges() {
        changeBase = changeEnd
        changes.removeAll(keepingCapacity: true)
        affinity.forgetTransitions()
    }

    func domain(of host: Int32, at level: TopologyLevel) -> Int32 {
        switch level {
        case .host: host
        case .rack: hosts.rack[host]
        case .zone: hosts.zone[host]
        }
    }

    /// The hosts of a domain, in the order of their slots.
    func hosts(in domain: Int32, at level: TopologyLevel) -> [Int32] {
        switch level {
        case .host: [domain]
        case .rack: rackHosts[Int(domain)]
        case .zone: zoneHosts[Int(domain)]
        }
    }

    func domainCount(at level: TopologyLevel) -> Int {
        switch level {
        case .host: hostSlots
        case .rack: rackHosts.count
        case .zone: zoneHosts.count
        }
    }

    func name(of host: Int32) -> String { descriptions[Int(host)]?.name ?? "" }

    func deviceID(_ device: Int32) -> String {
        let host = devices.host[device]
        let ordinal = Int(device - hosts.firstDevice[host])
        return descriptions[Int(host)]?.devices[ordinal].id ?? ""
    }
}
