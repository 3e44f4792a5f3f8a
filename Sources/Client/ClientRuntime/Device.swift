internal import CPosix
internal import Primitives
public import WireProtocol

/// One vGPU, as the process sees it.
public final class Device {
    /// The CUDA ordinal.
    public let ordinal: Int32
    /// The place among all vGPUs of the process, whatever `CUDA_VISIBLE_DEVICES` hides; NVML counts so too.
    public let index: Int32
    public let worker: Worker
    /// What commands call the device: its place in this process, by which the worker finds its arena.
    public var wireIndex: UInt32 { UInt32(bitPattern: index) }
    public let snapshot: DeviceSnapshot
    public let memory: DeviceMemory
    /// Whether this process holds the arena's addresses, so that host-visible memory can be mapped in it.
    public var hasArena: Bool { reservation.isHeld }
    private let reservation: ArenaReservation
    private let attributes: UnsafeMutablePointer<Int32>
    private static let attributeCount = 512

    init(ordinal: Int32, index: Int32, worker: Worker, snapshot: DeviceSnapshot) {
        self.ordinal = ordinal
        self.index = index
        self.worker = worker
        self.snapshot = snapshot
        attributes = UnsafeMutablePointer<Int32>.allocate(capacity: Device.attributeCount)
        attributes.initialize(repeating: Int32.min, count: Device.attributeCount)
        for entry in snapshot.attributes where entry.attribute >= 0 && entry.attribute < Device.attributeCount {
            attributes[Int(entry.attribute)] = entry.value
        }
        reservation = ArenaReservation()
        memory = DeviceMemory(wireIndex: UInt32(bitPattern: index), totalByteCount: snapshot.totalByteCount)
    }

    /// Makes the device's addresses known to both sides, with one waiting call in the life of the process. Called
    /// before a context is made.
    public func openArena(lane: Lane) -> Int32 {
        reservation.lock.acquire()
        defer { reservation.lock.release() }
        guard memory.arena == nil else { return ClientStatus.success }
        for _ in 0..<ArenaReservation.attemptCount {
            let wanted = reservation.arena
            var reply = ArenaReserve.Reply()
            let result = lane.call(
                ArenaReserve(device: wireIndex, base: wanted.base, byteCount: wanted.byteCount), reply: &reply,
                context: 0)
            guard result.hasOutputs else { return result.status }
            let answer = DeviceArena(base: reply.base, byteCount: reply.byteCount)
            guard answer.isValid else { return ClientStatus.deviceUnavailable }
            if reservation.move(to: answer) {
                memory.open(answer)
                return result.status
            }
        }
        ClientLog.problem("the process and the worker have no free addresses in common")
        return ClientStatus.deviceUnavailable
    }

    /// The value of a `CUdevice_attribute`, or nil when the worker did not say.
    public func attribute(_ number: Int32) -> Int32? {
        guard number >= 0, number < Device.attributeCount, attributes[Int(number)] != Int32.min else { return nil }
        return attributes[Int(number)]
    }

    /// Replaces the worker's word where the client answers for itself.
    public func setAttribute(_ number: Int32, _ value: Int32) {
        guard number >= 0, number < Device.attributeCount else { return }
        attributes[Int(number)] = value
    }
}
