internal import CCUDA
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

/// Where calls go that name a device and no context.
struct AddressSpace {
    let device: Device
    let lane: Lane
    /// 0 when the thread has no context at the device's worker.
    let contextID: UInt64

    /// Sends a command that nobody waits for, except in strict mode.
    func send<Command: AsyncCommand>(_ command: Command) -> CUresult {
        let status = lane.send(command, context: contextID)
        guard Session.isStrict, status == ClientStatus.success else { return CUresult(status: status) }
        return call(Ping())
    }

    /// Sends a command and waits.
    func call<Command: SyncCommand>(_ command: Command) -> CUresult {
        var reply = Command.Reply()
        return call(command, &reply)
    }

    /// Sends a command and waits for its outputs.
    func call<Command: SyncCommand>(_ command: Command, _ reply: inout Command.Reply) -> CUresult {
        CUresult(status: lane.call(command, reply: &reply, context: contextID).status)
    }
}

extension CUDADriver {
    /// Runs `body` with a device's address space, or says why not.
    static func withAddressSpace(of device: Device, _ body: (AddressSpace) -> CUresult) -> CUresult {
        guard let thread = ThreadState.mine else { return CUDA_ERROR_OUT_OF_MEMORY }
        guard !device.worker.isLost, let lane = device.worker.lane(of: thread) else {
            return CUDA_ERROR_DEVICE_UNAVAILABLE
        }
        if device.memory.arena == nil {
            let agreed = device.openArena(lane: lane)
            guard agreed == ClientStatus.success else { return CUresult(status: agreed) }
        }
        guard let context = thread.pointee.current, context.pointee.isAlive, context.pointee.device == device.ordinal
        else { return body(AddressSpace(device: device, lane: lane, contextID: 0)) }
        guard context.pointee.stickyStatus == 0 else { return CUresult(status: context.pointee.stickyStatus) }
        return body(AddressSpace(device: device, lane: lane, contextID: context.pointee.id))
    }

    /// The device that a call means which names none: the current context's, else the first.
    static var presentDevice: Device? {
        let devices = Session.devices
        guard let context = ThreadState.mine?.pointee.current, context.pointee.isAlive else { return devices.first }
        return device(of: context)
    }
}

/// A physical object: memory that `cuMemCreate` made, or that another process shares.
///
/// Its variables are touched under the lock of the device's memory.
final class PhysicalRecord {
    let device: Device
    let byteCount: UInt64
    let properties: CUmemAllocationProp
    /// Its memory is another process's, or it was exported and imported again.
    let isImported: Bool
    var handle: OpaquePointer?
    /// The id on the wire.
    var id: UInt64 = 0
    /// How often the program holds the handle.
    var handleCount = 1
    var mappingCount = 0
    /// Others may hold the memory.
    var isExported = false

    init(device: Device, byteCount: UInt64, properties: CUmemAllocationProp, isImported: Bool) {
        self.device = device
        self.byteCount = byteCount
        self.properties = properties
        self.isImported = isImported
    }
}

/// A part of a physical object at reserved addresses.
struct MappingRecord {
    var address: UInt64
    var byteCount: UInt64
    var offset: UInt64
    var physical: PhysicalRecord
    /// `CUmemAccess_flags` of the device itself.
    var access: UInt32

    var end: UInt64 { address &+ byteCount }
}

/// What is mapped in a reserved range; a block's `object` while the range is reserved.
///
/// Touched under the lock of the device's memory.
final class ReservationRecord {
    /// By address.
    var mappings: [MappingRecord] = []

    /// The first mapping that ends behind an address.
    func index(endingAfter address: UInt64) -> Int {
        var low = 0
        var high = mappings.count
        while low < high {
            let middle = (low &+ high) / 2
            if mappings[middle].end <= address { low = middle &+ 1 } else { high = middle }
        }
        return low
    }

    /// The mappings that make up a range without a gap, or nil.
    func whole(_ address: UInt64, _ byteCount: UInt64) -> Range<Int>? {
        let (end, overflow) = address.addingReportingOverflow(byteCount)
        guard byteCount > 0, !overflow else { return nil }
        let first = index(endingAfter: address)
        var next = first
        var position = address
        while position < end {
            guard next < mappings.count, mappings[next].address == position else { return nil }
            position = mappings[next].end
            next &+= 1
        }
        return position == end ? first..<next : nil
    }

    /// The mapping that contains an address.
    func mapping(containing address: UInt64) -> MappingRecord? {
        let index = index(endingAfter: address)
        return index < mappings.count && mappings[index].address <= address ? mappings[index] : nil
    }
}

extension CUDADriver {
    /// Runs `body` with the reservation that contains a range, under the lock of the device's memory; nil when there
    /// is none.
    static func withReservation<Result>(
        _ address: UInt64, _ byteCount: UInt64, _ body: (Device, Block, ReservationRecord) -> Result
    ) -> Result? {
        guard let device = device(containing: address) else { return nil }
        device.memory.lock.acquire()
        defer { device.memory.lock.release() }
        guard let block = device.memory.find(address)?.pointee, block.kind == MemoryKind.reserved.rawValue,
            let object = block.object, byteCount <= block.byteCount &- (address &- block.address)
        else { return nil }
        return body(device, block, Unmanaged<ReservationRecord>.fromOpaque(object).takeUnretainedValue())
    }

    /// The mapping that contains an address.
    static func mapping(containing address: UInt64) -> MappingRecord? {
        let found = withReservation(address, 1) { _, _, record in record.mapping(containing: address) }
        return found ?? nil
    }
}
