import CPosix
import WireProtocol

/// Two byte rings in shared memory: one for each direction of a connection.
///
/// The other end may be hostile: it can write anything anywhere in this memory at any time. So this end never reads
/// back what it wrote itself, believes no index before it has compared it with its own, and can't lose the pages,
/// since the file's size is sealed.
final class RingPair {
    /// What travels with the memory file's descriptor.
    static let passingByte: UInt8 = 0x52
    static let headerByteCount = 4096
    static let capacityMin = 4096
    static let capacityMax = 1 << 26

    let writer: RingWriter
    let reader: RingReader
    private let start: UnsafeMutableRawPointer
    private let byteCount: Int
    private let ownClosedFlag: UnsafeMutableRawPointer

    /// - Parameter start: Memory of ``byteCount(capacity:)`` bytes, which this object unmaps.
    private init(start: UnsafeMutableRawPointer, capacity: Int, isClient: Bool) {
        self.start = start
        byteCount = RingPair.byteCount(capacity: capacity)
        ownClosedFlag = start + RingLayout.closedFlag(ofClient: isClient)
        let peerClosedFlag = start + RingLayout.closedFlag(ofClient: !isClient)
        let toWorker = RingMemory(
            control: start + RingLayout.toWorker, bytes: start + RingPair.headerByteCount, capacity: capacity,
            peerClosedFlag: peerClosedFlag)
        let toClient = RingMemory(
            control: start + RingLayout.toClient, bytes: start + RingPair.headerByteCount + capacity,
            capacity: capacity, peerClosedFlag: peerClosedFlag)
        writer = RingWriter(isClient ? toWorker : toClient)
        reader = RingReader(isClient ? toClient : toWorker)
    }

    static func byteCount(capacity: Int) -> Int { headerByteCount + 2 * capacity }

    static func isCapacity(_ count: Int) -> Bool {
        count >= capacityMin && count <= capacityMax && count & (count - 1) == 0
    }

    /// The worker's end, and the descriptor of the memory for the client.
    static func create(ringByteCount: Int) throws(TransportError) -> (rings: RingPair, memoryFile: Int32) {
        guard isCapacity(ringByteCount) else { throw .system(EINVAL) }
        let file = posix_memory_file("roost-rings", UInt64(byteCount(capacity: ringByteCount)))
        guard file >= 0 else { throw .system(-file) }
        let status = posix_memory_file_seal(file)
        guard status == 0, let start = posix_map_file(file, byteCount(capacity: ringByteCount), 0, true, true) else {
            let number = status == 0 ? posix_errno() : -status
            _ = posix_close(file)
            throw .system(number)
        }
        return (RingPair(start: start, capacity: ringByteCount, isClient: false), file)
    }

    /// The client's end, of memory that the worker sent. Closes the descriptor.
    static func open(memoryFile file: Int32, ringByteCount: Int) throws(TransportError) -> RingPair {
        defer { _ = posix_close(file) }
        guard isCapacity(ringByteCount), posix_memory_file_is_sealed(file),
            posix_descriptor_byte_count(file) == Int64(byteCount(capacity: ringByteCount))
        else { throw .violation(.badValue) }
        guard let start = posix_map_file(file, byteCount(capacity: ringByteCount), 0, true, true) else {
            throw .system(posix_errno())
        }
        return RingPair(start: start, capacity: ringByteCount, isClient: true)
    }

    func write(_ bytes: UnsafeRawBufferPointer, _ connection: Connection) throws(TransportError) {
        try writer.write(bytes, connection)
    }

    func read(_ buffer: UnsafeMutableRawBufferPointer, _ connection: Connection) throws(TransportError) {
        try reader.read(buffer, connection)
    }

    /// Says goodbye to the other end and wakes everybody.
    func markClosed() {
        posix_atomic_store_release_32(ownClosedFlag, 1)
        posix_fence()
        for direction in [RingLayout.toWorker, RingLayout.toClient] {
            for flag in [RingLayout.readerParked, RingLayout.writerParked] {
                _ = posix_atomic_exchange_32(start + direction + flag, 0)
                _ = posix_futex_wake(start + direction + flag, Int32.max, true)
            }
        }
    }

    /// Ends the use of the memory; nothing else may be called afterwards.
    func unmap(isClosing: Bool) {
        if isClosing { markClosed() }
        _ = posix_unmap(start, byteCount)
    }
}

/// Where the fields are, in bytes. Each has a cache line of its own.
enum RingLayout {
    static let toWorker = 0
    static let toClient = 1024
    /// Bytes written since the start, u64; only its writer stores it.
    static let tail = 0
    /// Bytes read since the start, u64; only its reader stores it.
    static let head = 128
    /// 1 while the reader sleeps, u32: a futex.
    static let readerParked = 256
    /// 1 while the writer sleeps, u32: a futex.
    static let writerParked = 384

    static func closedFlag(ofClient isClient: Bool) -> Int { isClient ? 2048 : 2176 }
}

/// One direction's memory.
struct RingMemory {
    let control: UnsafeMutableRawPointer
    let bytes: UnsafeMutableRawPointer
    let capacity: Int
    let peerClosedFlag: UnsafeMutableRawPointer

    var tail: UnsafeMutableRawPointer { control + RingLayout.tail }
    var head: UnsafeMutableRawPointer { control + RingLayout.head }
    var readerParked: UnsafeMutableRawPointer { control + RingLayout.readerParked }
    var writerParked: UnsafeMutableRawPointer { control + RingLayout.writerParked }
    var isPeerClosed: Bool { posix_atomic_load_acquire_32(peerClosedFlag) != 0 }

    /// Wakes the thread that sleeps on `flag`, if one does. The fence keeps the flag's load behind the index's store:
    /// without it both ends could miss each other and sleep forever.
    func wake(_ flag: UnsafeMutableRawPointer) {
        posix_fence()
        guard posix_atomic_load_relaxed_32(flag) != 0 else { return }
        _ = posix_atomic_exchange_32(flag, 0)
        _ = posix_futex_wake(flag, 1, true)
    }
}

extension Connection {
    /// The client's half of the switch from the socket to rings.
    func receiveRings(ringByteCount: Int, _ deadline: Deadline) throws(TransportError) -> RingPair {
        let events = posix_poll(descriptor, Int32(POSIX_POLL_READABLE), try deadline.remaining())
        guard events > 0 else { throw events == 0 ? .timedOut : .system(-events) }
        var byte: UInt8 = 0
        let file = posix_receive_descriptor(descriptor, &byte)
        guard file >= 0 else { throw Connection.streamError(file) }
        guard byte == RingPair.passingByte else {
            _ = posix_close(file)
            throw .violation(.badHeader)
        }
        return try RingPair.open(memoryFile: file, ringByteCount: ringByteCount)
    }

    /// Two connections with rings between them, in this process: the client's end and the worker's.
    package static func ringPair(ringByteCount: Int) throws(TransportError) -> (Connection, Connection) {
        let (client, worker) = try pair()
        let (rings, file) = try RingPair.create(ringByteCount: ringByteCount)
        worker.rings = rings
        client.rings = try RingPair.open(memoryFile: file, ringByteCount: ringByteCount)
        return (client, worker)
    }
}
