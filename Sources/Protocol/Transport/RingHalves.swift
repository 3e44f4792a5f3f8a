import CPosix
import WireProtocol

/// Sleeping on a ring.
enum RingParking {
    /// How long a sleeper goes without looking whether its peer lives, in nanoseconds.
    static let nanosecondsMax: Int64 = 400_000_000

    /// Sleeps on `flag` until `isReady`, or for a while. Throws `closed` when either end is closed.
    static func park(
        on flag: UnsafeMutableRawPointer, _ memory: RingMemory, _ connection: Connection,
        _ isReady: () throws(TransportError) -> Bool
    ) throws(TransportError) {
        _ = posix_atomic_exchange_32(flag, 1)
        posix_fence()
        // The order matters: bytes that were written before the other end closed are still there to be read.
        let isClosed = memory.isPeerClosed
        if try isReady() {
            posix_atomic_store_release_32(flag, 0)
            return
        }
        guard !isClosed, !connection.isClosed else { throw .closed }
        let status = posix_futex_wait(flag, 1, nanosecondsMax, true)
        guard status == -ETIMEDOUT else { return }
        posix_atomic_store_release_32(flag, 0)
        if connection.isPeerGone(), try !isReady() { throw .closed }
    }
}

/// The end of a ring that appends.
final class RingWriter {
    private let memory: RingMemory
    private var tail: UInt64 = 0
    /// The other end's index when it was last looked at.
    private var knownHead: UInt64 = 0
    private var spinBudget = SpinBudget(looksPerRound: 16)

    init(_ memory: RingMemory) {
        self.memory = memory
    }

    /// Appends all bytes. They become visible piece by piece, so that the reader works while the rest is copied.
    func write(_ source: UnsafeRawBufferPointer, _ connection: Connection) throws(TransportError) {
        guard !connection.isClosed, !memory.isPeerClosed else { throw .closed }
        var done = 0
        while done < source.count {
            let room = try waitForRoom(connection)
            let count = min(source.count &- done, room, max(memory.capacity / 8, 4096))
            copy(UnsafeRawBufferPointer(rebasing: source[done..<(done &+ count)]))
            done &+= count
            tail &+= UInt64(count)
            posix_atomic_store_release_64(memory.tail, tail)
            memory.wake(memory.readerParked)
        }
    }

    private func copy(_ source: UnsafeRawBufferPointer) {
        guard let from = source.baseAddress else { return }
        let offset = Int(truncatingIfNeeded: tail) & (memory.capacity &- 1)
        let first = min(source.count, memory.capacity &- offset)
        memcpy(memory.bytes + offset, from, first)
        if first < source.count { memcpy(memory.bytes, from + first, source.count &- first) }
    }

    private func waitForRoom(_ connection: Connection) throws(TransportError) -> Int {
        let known = memory.capacity &- Int(truncatingIfNeeded: tail &- knownHead)
        if known > 0 { return known }
        while true {
            if try spinBudget.spin({ () throws(TransportError) in try room() > 0 }) { return try room() }
            try RingParking.park(on: memory.writerParked, memory, connection) { () throws(TransportError) in
                try room() > 0
            }
            let count = try room()
            if count > 0 { return count }
        }
    }

    /// Free bytes, with the other end's index checked: it can't have read more than was written, nor go back.
    private func room() throws(TransportError) -> Int {
        let head = posix_atomic_load_acquire_64(memory.head)
        let used = tail &- head
        guard used <= UInt64(memory.capacity), head &- knownHead <= UInt64(memory.capacity) else {
            throw .violation(.badValue)
        }
        knownHead = head
        return memory.capacity &- Int(used)
    }
}

/// The end of a ring that takes out.
final class RingReader {
    private let memory: RingMemory
    private var head: UInt64 = 0
    /// The other end's index when it was last looked at.
    private var knownTail: UInt64 = 0
    private var spinBudget = SpinBudget(looksPerRound: 16)

    init(_ memory: RingMemory) {
        self.memory = memory
    }

    /// Fills the buffer.
    func read(_ target: UnsafeMutableRawBufferPointer, _ connection: Connection) throws(TransportError) {
        var done = 0
        while done < target.count {
            let available = try waitForBytes(connection)
            let count = min(target.count &- done, available, max(memory.capacity / 8, 4096))
            copy(UnsafeMutableRawBufferPointer(rebasing: target[done..<(done &+ count)]))
            done &+= count
            head &+= UInt64(count)
            posix_atomic_store_release_64(memory.head, head)
            // A writer that sleeps is woken once half of the ring is free, not for each piece: fewer switches. It
            // can't be forgotten, since this end sleeps only on an empty ring.
            if available &- count <= memory.capacity / 2 { memory.wake(memory.writerParked) }
        }
    }

    private func copy(_ target: UnsafeMutableRawBufferPointer) {
        guard let to = target.baseAddress else { return }
        let offset = Int(truncatingIfNeeded: head) & (memory.capacity &- 1)
        let first = min(target.count, memory.capacity &- offset)
        memcpy(to, memory.bytes + offset, first)
        if first < target.count { memcpy(to + first, memory.bytes, target.count &- first) }
    }

    private func waitForBytes(_ connection: Connection) throws(TransportError) -> Int {
        let known = Int(truncatingIfNeeded: knownTail &- head)
        if known > 0 { return known }
        guard !connection.isClosed else { throw .closed }
        while true {
            if try spinBudget.spin({ () throws(TransportError) in try available() > 0 }) {
                return Int(truncatingIfNeeded: knownTail &- head)
            }
            try RingParking.park(on: memory.readerParked, memory, connection) { () throws(TransportError) in
                try available() > 0
            }
            let count = try available()
            if count > 0 { return count }
        }
    }

    /// Bytes to read, with the other end's index checked: it can't be ahead by more than the ring, nor go back.
    private func available() throws(TransportError) -> Int {
        let tail = posix_atomic_load_acquire_64(memory.tail)
        let used = tail &- head
        guard used <= UInt64(memory.capacity), tail &- knownTail <= UInt64(memory.capacity) else {
            throw .violation(.badValue)
        }
        knownTail = tail
        return Int(used)
    }
}
