/// Where one vGPU of a request goes.
public struct Placement: Sendable, Hashable, Codable {
    /// The device.
    public var device: DeviceID

    /// Names the device.
    public init(device: DeviceID) {
        self.device = device
    }
}

/// What is still free on a device.
public struct DeviceCapacity: Sendable, Hashable, Codable {
    /// The device.
    public var device: Device
    /// Memory that vGPUs hold, in mebibytes.
    public var allocatedMebibytes: UInt64
    /// Compute that vGPUs hold, in percent.
    public var allocatedPercent: Int

    /// Describes a device of which nothing is taken.
    public init(device: Device) {
        self.device = device
        allocatedMebibytes = 0
        allocatedPercent = 0
    }

    /// Memory that nobody holds, in mebibytes.
    public var freeMebibytes: UInt64 {
        device.memory.wholeMebibytes - min(allocatedMebibytes, device.memory.wholeMebibytes)
    }

    /// Compute that nobody holds, in percent.
    public var freePercent: Int { max(0, 100 - allocatedPercent) }

    /// How many more vGPUs of a size fit.
    func room(forMebibytes mebibytes: UInt64, percent: Int) -> Int {
        min(Int(clamping: freeMebibytes / max(mebibytes, 1)), freePercent / max(percent, 1))
    }

    /// Takes one vGPU's part.
    mutating func take(mebibytes: UInt64, percent: Int) {
        allocatedMebibytes += mebibytes
        allocatedPercent += percent
    }

    /// The part in use of what is scarcer, in thousandths: what bin packing fills up first.
    var fullness: UInt64 {
        let memory = allocatedMebibytes * 1000 / max(device.memory.wholeMebibytes, 1)
        return max(memory, UInt64(max(allocatedPercent, 0)) * 10)
    }
}

/// Why a request found no place: what each device lacks for it.
public struct Refusal: Error, Sendable, Hashable, Codable {
    /// One device's part of the reason.
    public struct Shortfall: Sendable, Hashable, Codable {
        /// The device.
        public var device: DeviceID
        /// Memory that is free.
        public var freeMemory: MemorySize
        /// Memory that is missing for one vGPU of the request; zero where memory is enough.
        public var missingMemory: MemorySize
        /// Compute that is free, in percent.
        public var freePercent: Int
        /// Compute that is missing for one vGPU of the request, in percent; zero where compute is enough.
        public var missingPercent: Int
        /// How many vGPUs of the request would fit.
        public var room: Int
    }

    /// What was asked for.
    public var request: GPURequest
    /// What each device lacks.
    public var shortfalls: [Shortfall]
    /// Whether an empty node would have room.
    public var fitsWhenIdle: Bool

    /// The reasons as sentences, one line for each device, then what to do.
    public var message: String {
        let each = request.count == 1 ? "" : " each"
        let what = request.count == 1 ? "a vGPU" : "\(request.count) vGPUs"
        var lines = ["No room for \(what) of \(request.memory) and \(request.compute) of compute\(each):"]
        if shortfalls.isEmpty { lines.append("  this node has no devices; start it with `roost up --software-gpus 1`") }
        for shortfall in shortfalls { lines.append("  \(shortfall.device): \(Refusal.explain(shortfall))") }
        lines.append(
            fitsWhenIdle
                ? "Wait for a program to end (`roost ps` lists them), or ask for less with --vram, --compute or --gpus."
                : "No device of this node is large enough; `roost devices` shows their sizes.")
        return lines.joined(separator: "\n")
    }

    private static func explain(_ shortfall: Shortfall) -> String {
        var parts: [String] = []
        if shortfall.missingMemory.byteCount > 0 {
            parts.append("\(shortfall.freeMemory) of memory is free, \(shortfall.missingMemory) too little")
        }
        if shortfall.missingPercent > 0 {
            parts.append("\(shortfall.freePercent) % of compute is free, \(shortfall.missingPercent) % too little")
        }
        guard parts.isEmpty else { return parts.joined(separator: "; ") }
        return "has room for \(shortfall.room) of them"
    }
}

/// Decides which devices a request's vGPUs go to. Performs nothing.
public enum Allocator {
    /// Places all vGPUs of a request, in the order of their ordinals, or says what each device lacks.
    ///
    /// One vGPU goes to the fullest device that has room, so that large requests find whole devices. Several go to
    /// different devices as far as possible, since a program that asks for two GPUs wants their speed, and share one
    /// where they must. All vGPUs of a request have one size, so that counting room on each device is exact.
    public static func place(
        _ request: GPURequest, on capacities: [DeviceCapacity]
    ) -> Result<[Placement], Refusal> {
        let mebibytes = request.memory.coveringMebibytes
        let percent = request.compute.percent
        var free = capacities
        var used: [Int: Int] = [:]
        var placements: [Placement] = []
        for _ in 0..<request.count {
            let candidates = free.indices.filter { free[$0].room(forMebibytes: mebibytes, percent: percent) > 0 }
            let best = candidates.min { left, right in
                let leftKey = (used[left] ?? 0, UInt64.max - free[left].fullness)
                let rightKey = (used[right] ?? 0, UInt64.max - free[right].fullness)
                return leftKey == rightKey ? free[left].device.id < free[right].device.id : leftKey < rightKey
            }
            guard let best else { return .failure(refuse(request, on: capacities)) }
            free[best].take(mebibytes: mebibytes, percent: percent)
            used[best, default: 0] += 1
            placements.append(Placement(device: free[best].device.id))
        }
        return .success(placements)
    }

    private static func refuse(_ request: GPURequest, on capacities: [DeviceCapacity]) -> Refusal {
        let mebibytes = request.memory.coveringMebibytes
        let percent = request.compute.percent
        let shortfalls = capacities.map { capacity in
            Refusal.Shortfall(
                device: capacity.device.id,
                freeMemory: .mebibytes(capacity.freeMebibytes),
                missingMemory: .mebibytes(mebibytes - min(mebibytes, capacity.freeMebibytes)),
                freePercent: capacity.freePercent,
                missingPercent: max(0, percent - capacity.freePercent),
                room: capacity.room(forMebibytes: mebibytes, percent: percent))
        }
        let idleRoom = capacities.reduce(into: 0) { room, capacity in
            let idle = DeviceCapacity(device: capacity.device)
            room += min(request.count, idle.room(forMebibytes: mebibytes, percent: percent))
        }
        return Refusal(request: request, shortfalls: shortfalls, fitsWhenIdle: idleRoom >= request.count)
    }
}
