import GPUBackend
import SIMT
import Synchronization

/// What a stream waits for: a word of device memory that compares with a value.
struct MemoryCondition: Sendable {
    let address: UInt64
    let value: UInt64
    /// 4 or 8.
    let byteCount: Int
    let comparison: StreamMemoryOperation.Comparison

    /// Whether the wait is over; so it is when the memory is gone, which ``check(in:)`` then reports.
    func holds(in memory: DeviceMemory) -> Bool {
        guard let word = memory.load(byteCount: byteCount, from: address) else { return true }
        let isNarrow = byteCount == 4
        switch comparison {
        case .cyclicallyNotLess:
            let difference = word &- value
            return isNarrow
                ? Int32(truncatingIfNeeded: difference) >= 0 : Int64(truncatingIfNeeded: difference) >= 0
        case .equal: return word == value
        case .anyBit: return word & value != 0
        case .anyBitClear:
            let clear = ~(word | value)
            return (isNarrow ? clear & 0xFFFF_FFFF : clear) != 0
        }
    }

    /// Throws when the memory is gone.
    func check(in memory: DeviceMemory) throws(BackendError) {
        guard memory.load(byteCount: byteCount, from: address) != nil else { throw .goneWord }
    }
}

extension DeviceMemory {
    /// An aligned word of 4 or 8 bytes; nil if it is not in live memory.
    fileprivate func load(byteCount: Int, from address: UInt64) -> UInt64? {
        guard let pointer = hostPointer(address: address, byteCount: UInt64(byteCount)) else { return nil }
        if byteCount == 4 {
            let word = pointer.assumingMemoryBound(to: Atomic<UInt32>.self)
            return UInt64(word.pointee.load(ordering: .acquiring))
        }
        return pointer.assumingMemoryBound(to: Atomic<UInt64>.self).pointee.load(ordering: .acquiring)
    }

    /// Stores an aligned word of 4 or 8 bytes.
    func store(_ value: UInt64, byteCount: Int, at address: UInt64) throws(BackendError) {
        guard let pointer = hostPointer(address: address, byteCount: UInt64(byteCount)) else { throw .goneWord }
        if byteCount == 4 {
            let word = pointer.assumingMemoryBound(to: Atomic<UInt32>.self)
            word.pointee.store(UInt32(truncatingIfNeeded: value), ordering: .releasing)
        } else {
            pointer.assumingMemoryBound(to: Atomic<UInt64>.self).pointee.store(value, ordering: .releasing)
        }
    }
}

extension SoftwareStream {
    func perform(_ operations: [StreamMemoryOperation]) throws(BackendError) {
        for operation in operations {
            switch operation {
            case .wait(let address, let value, let byteCount, let comparison):
                let mask: UInt64 = byteCount == 4 ? 0xFFFF_FFFF : ~0
                let condition = MemoryCondition(
                    address: address, value: value & mask, byteCount: byteCount, comparison: comparison)
                try submit(.waitValue(context, condition), isQuick: false)
            case .write(let address, let value, let byteCount):
                try submit(
                    .writeValue(context, address: address, value: value, byteCount: byteCount), isQuick: true)
            case .barrier:
                try submit(.marker, isQuick: false)
            }
        }
    }
}

extension BackendError {
    fileprivate static let goneWord = BackendError(
        BackendStatus.illegalAddress, "a stream waited for a word, or wrote one, that is not in live device memory")
}
