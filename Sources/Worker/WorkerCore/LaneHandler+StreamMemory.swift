import GPUBackend
import WireProtocol

extension LaneHandler {
    func streamMemoryOperations(_ command: StreamMemoryOperations) throws(CommandError) {
        let stream = try stream(command.stream)
        let operations = try decode(command.operations)
        try translating { () throws(BackendError) in try stream.perform(operations) }
    }

    /// Entries of 24 bytes: kind, flags, address, value.
    private func decode(_ bytes: UnsafeRawBufferPointer) throws(CommandError) -> [StreamMemoryOperation] {
        let entryByteCount = WireLimits.streamMemoryOperationByteCount
        let count = bytes.count / entryByteCount
        guard bytes.count % entryByteCount == 0, count <= WireLimits.streamMemoryOperationCountMax else {
            throw .invalidValue
        }
        var operations: [StreamMemoryOperation] = []
        operations.reserveCapacity(count)
        for index in 0..<count {
            let offset = index * entryByteCount
            let kind = bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
            let flags = bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self)
            let address = bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self)
            let value = bytes.loadUnaligned(fromByteOffset: offset + 16, as: UInt64.self)
            operations.append(try operation(kind, flags, address, value))
        }
        return operations
    }

    /// The kinds are those of `CUstreamBatchMemOpType`.
    private func operation(_ kind: UInt32, _ flags: UInt32, _ address: UInt64, _ value: UInt64) throws(CommandError)
        -> StreamMemoryOperation
    {
        switch kind {
        case 1, 4:
            let byteCount = kind == 1 ? 4 : 8
            guard let comparison = StreamMemoryOperation.Comparison(rawValue: flags),
                address % UInt64(byteCount) == 0
            else { throw .invalidValue }
            return .wait(address: address, value: value, byteCount: byteCount, comparison: comparison)
        case 2, 5:
            let byteCount = kind == 2 ? 4 : 8
            guard flags == 0, address % UInt64(byteCount) == 0 else { throw .invalidValue }
            return .write(address: address, value: value, byteCount: byteCount)
        case 6: return .barrier
        default: throw .invalidValue
        }
    }
}
