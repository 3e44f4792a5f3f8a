/// A part of one device.
public struct DeviceShare: Sendable, Hashable {
    /// Compute in thousandths of the device.
    public var milliDevices: Int64
    /// Compute in thousandths of a TFLOPS.
    public var milliTeraflops: Int64
    /// Memory in mebibytes.
    public var mebibytes: Int64

    /// Describes a part.
    public init(milliDevices: Int64 = 0, milliTeraflops: Int64 = 0, mebibytes: Int64 = 0) {
        self.milliDevices = milliDevices
        self.milliTeraflops = milliTeraflops
        self.mebibytes = mebibytes
    }
}

/// What a request is made of: replicas, each of which takes the same part of so many devices.
public struct WorkloadShape: Sendable, Hashable {
    /// Devices of each replica.
    public var devices: Int64
    /// Replicas of the whole workload, which bounds are about.
    public var replicas: Int64
    /// The part of each device that is guaranteed.
    public var request: DeviceShare
    /// The part of each device that is used at most.
    public var limit: DeviceShare

    /// Describes a shape; the limit is the request where it is left out.
    public init(devices: Int64 = 1, replicas: Int64 = 1, request: DeviceShare, limit: DeviceShare? = nil) {
        self.devices = devices
        self.replicas = replicas
        self.request = request
        self.limit = limit ?? request
    }

    /// What so many replicas count as. A workload counts once, so only the first of its requests counts it.
    public func requests(replicas: Int64? = nil, countingWorkload: Bool = true) -> ResourceVector {
        total(request, replicas: replicas ?? self.replicas, countingWorkload: countingWorkload)
    }

    /// What the limits of so many replicas add up to.
    public func limits(replicas: Int64? = nil, countingWorkload: Bool = true) -> ResourceVector {
        total(limit, replicas: replicas ?? self.replicas, countingWorkload: countingWorkload)
    }

    private func total(_ share: DeviceShare, replicas: Int64, countingWorkload: Bool) -> ResourceVector {
        let device = ResourceVector(
            milliDevices: share.milliDevices, milliTeraflops: share.milliTeraflops, mebibytes: share.mebibytes,
            vgpus: 1)
        var sum = device.times(devices).times(replicas)
        sum.workloads = countingWorkload ? 1 : 0
        return sum.clamped
    }
}

/// A shape as a user writes it: some of it left out, to be completed by the project's defaults.
public struct WorkloadWish: Sendable, Hashable {
    /// Devices of each replica.
    public var devices: Int64?
    /// Guaranteed and largest compute of each device; a share and a speed are two ways to say one thing.
    public var compute: (request: DeviceShare, limit: DeviceShare)? {
        get { computeRequest.map { ($0, computeLimit ?? $0) } }
        set { (computeRequest, computeLimit) = (newValue?.request, newValue?.limit) }
    }
    /// Guaranteed memory of each device in mebibytes.
    public var memoryRequest: Int64?
    /// The most memory of each device in mebibytes.
    public var memoryLimit: Int64?
    private var computeRequest: DeviceShare?
    private var computeLimit: DeviceShare?

    /// Says nothing.
    public init() {}

    /// This wish, with another one's values where it says nothing.
    public func completed(by other: WorkloadWish) -> WorkloadWish {
        var wish = self
        wish.devices = devices ?? other.devices
        if wish.computeRequest == nil { wish.compute = other.compute }
        if memoryRequest == nil, memoryLimit == nil {
            wish.memoryRequest = other.memoryRequest
            wish.memoryLimit = other.memoryLimit
        }
        return wish
    }

    /// The shape: one whole device's compute, and no memory, where nothing is said.
    public func shape(replicas: Int64) -> WorkloadShape {
        var request = computeRequest ?? DeviceShare(milliDevices: 1000)
        var limit = computeLimit ?? request
        request.mebibytes = memoryRequest ?? memoryLimit ?? 0
        limit.mebibytes = memoryLimit ?? request.mebibytes
        return WorkloadShape(devices: devices ?? 1, replicas: replicas, request: request, limit: limit)
    }
}

/// What a single workload may ask for at most; nil is no bound.
public struct WorkloadBounds: Sendable, Hashable {
    /// Devices of a replica.
    public var devices: Int64?
    /// Compute of a device in thousandths of the device.
    public var milliDevices: Int64?
    /// Compute of a device in thousandths of a TFLOPS.
    public var milliTeraflops: Int64?
    /// Memory of a device in mebibytes.
    public var mebibytes: Int64?
    /// Replicas.
    public var replicas: Int64?

    /// No bounds.
    public init() {}

    /// What a bound is about.
    public enum Subject: String, Sendable, Hashable {
        /// How many devices a replica takes.
        case devices = "devices of a replica"
        /// A device's compute, as a share.
        case share = "thousandths of a device's compute"
        /// A device's compute, as a speed.
        case speed = "thousandths of a TFLOPS of a device"
        /// A device's memory.
        case memory = "MiB of a device's memory"
        /// How many replicas there are.
        case replicas = "replicas"
    }

    /// The first bound that a shape breaks. A shape's limits count, as they may be used.
    public func broken(by shape: WorkloadShape) -> (subject: Subject, asked: Int64, allowed: Int64)? {
        let pairs: [(Subject, Int64, Int64?)] = [
            (.devices, shape.devices, devices),
            (.share, max(shape.request.milliDevices, shape.limit.milliDevices), milliDevices),
            (.speed, max(shape.request.milliTeraflops, shape.limit.milliTeraflops), milliTeraflops),
            (.memory, max(shape.request.mebibytes, shape.limit.mebibytes), mebibytes),
            (.replicas, shape.replicas, replicas),
        ]
        for (subject, asked, allowed) in pairs {
            if let allowed, asked > allowed { return (subject, asked, allowed) }
        }
        return nil
    }
}
