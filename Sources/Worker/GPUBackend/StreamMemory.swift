/// An operation of `cuStreamBatchMemOp`: work of a stream on one word of memory.
public enum StreamMemoryOperation: Sendable, Equatable {
    /// How a word is compared with the value of a wait, as in `CUstreamWaitValue_flags`.
    public enum Comparison: UInt32, Sendable {
        /// The difference, as a signed number, is not below zero.
        case cyclicallyNotLess = 0
        case equal = 1
        /// The word and the value have a bit in common.
        case anyBit = 2
        /// Some bit is set in neither.
        case anyBitClear = 3
    }

    /// Has later work of the stream wait; the address is a multiple of `byteCount`, 4 or 8.
    case wait(address: UInt64, value: UInt64, byteCount: Int, comparison: Comparison)
    /// Writes a word.
    case write(address: UInt64, value: UInt64, byteCount: Int)
    /// Orders memory accesses before it and after it.
    case barrier
}

extension BackendStream {
    public func perform(_ operations: [StreamMemoryOperation]) throws(BackendError) {
        throw BackendError(BackendStatus.notSupported, "the device has no stream memory operations")
    }
}
