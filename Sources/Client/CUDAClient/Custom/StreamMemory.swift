public import CCUDA
internal import CPosix
internal import ClientRuntime
internal import WireProtocol

/// One stream memory operation as it travels.
private struct MemoryOperation {
    /// A value of `CUstreamBatchMemOpType`.
    var kind: UInt32
    var flags: UInt32
    var address: UInt64
    var value: UInt64

    var byteCount: UInt64 {
        kind == CU_STREAM_MEM_OP_WAIT_VALUE_64.rawValue || kind == CU_STREAM_MEM_OP_WRITE_VALUE_64.rawValue ? 8 : 4
    }
}

extension CUDADriver {
    /// The corresponding C function is `cuStreamWaitValue32_v2`.
    public static func streamWaitValue32V2(
        _ stream: CUstream?, _ address: CUdeviceptr, _ value: UInt32, _ flags: UInt32
    ) -> CUresult {
        one(stream, wait(CU_STREAM_MEM_OP_WAIT_VALUE_32, address, UInt64(value), flags))
    }

    /// The corresponding C function is `cuStreamWaitValue64_v2`.
    public static func streamWaitValue64V2(
        _ stream: CUstream?, _ address: CUdeviceptr, _ value: UInt64, _ flags: UInt32
    ) -> CUresult {
        one(stream, wait(CU_STREAM_MEM_OP_WAIT_VALUE_64, address, value, flags))
    }

    /// The corresponding C function is `cuStreamWriteValue32_v2`.
    public static func streamWriteValue32V2(
        _ stream: CUstream?, _ address: CUdeviceptr, _ value: UInt32, _ flags: UInt32
    ) -> CUresult {
        one(stream, write(CU_STREAM_MEM_OP_WRITE_VALUE_32, address, UInt64(value), flags))
    }

    /// The corresponding C function is `cuStreamWriteValue64_v2`.
    public static func streamWriteValue64V2(
        _ stream: CUstream?, _ address: CUdeviceptr, _ value: UInt64, _ flags: UInt32
    ) -> CUresult {
        one(stream, write(CU_STREAM_MEM_OP_WRITE_VALUE_64, address, value, flags))
    }

    /// The corresponding C function is `cuStreamBatchMemOp_v2`.
    public static func streamBatchMemOpV2(
        _ stream: CUstream?, _ count: UInt32, _ operations: UnsafeMutablePointer<CUstreamBatchMemOpParams>?,
        _ flags: UInt32
    ) -> CUresult {
        guard flags == 0, count > 0, Int(count) <= WireLimits.streamMemoryOperationCountMax, let operations else {
            return CUDA_ERROR_INVALID_VALUE
        }
        return performing(stream, Int(count)) { read(operations[$0], &$1) }
    }

    /// Takes a program's operation over.
    private static func read(_ request: CUstreamBatchMemOpParams, _ result: inout MemoryOperation) -> CUresult {
        switch request.operation {
        case CU_STREAM_MEM_OP_WAIT_VALUE_32, CU_STREAM_MEM_OP_WAIT_VALUE_64:
            let isWide = request.operation == CU_STREAM_MEM_OP_WAIT_VALUE_64
            let value = isWide ? request.waitValue.value64 : UInt64(request.waitValue.value)
            result = wait(request.operation, request.waitValue.address, value, request.waitValue.flags)
        case CU_STREAM_MEM_OP_WRITE_VALUE_32, CU_STREAM_MEM_OP_WRITE_VALUE_64:
            let isWide = request.operation == CU_STREAM_MEM_OP_WRITE_VALUE_64
            let value = isWide ? request.writeValue.value64 : UInt64(request.writeValue.value)
            result = write(request.operation, request.writeValue.address, value, request.writeValue.flags)
        case CU_STREAM_MEM_OP_BARRIER:
            guard request.memoryBarrier.flags <= CU_STREAM_MEMORY_BARRIER_TYPE_GPU.rawValue else {
                return CUDA_ERROR_INVALID_VALUE
            }
            result = MemoryOperation(kind: CU_STREAM_MEM_OP_BARRIER.rawValue, flags: 0, address: 0, value: 0)
        case CU_STREAM_MEM_OP_FLUSH_REMOTE_WRITES, CU_STREAM_MEM_OP_ATOMIC_REDUCTION:
            // The devices' attributes say so.
            return CUDA_ERROR_NOT_SUPPORTED
        default: return CUDA_ERROR_INVALID_VALUE
        }
        return CUDA_SUCCESS
    }

    /// A program's operations as they travel, for a node of a graph.
    static func encodeMemoryOperations(
        _ operations: UnsafePointer<CUstreamBatchMemOpParams>, _ count: Int, _ target: CallTarget
    ) -> (CUresult, [UInt8]) {
        guard count > 0, count <= WireLimits.streamMemoryOperationCountMax else {
            return (CUDA_ERROR_INVALID_VALUE, [])
        }
        var bytes = [UInt8](repeating: 0, count: count &* WireLimits.streamMemoryOperationByteCount)
        let status = bytes.withUnsafeMutableBytes { buffer -> CUresult in
            for index in 0..<count {
                var operation = MemoryOperation(kind: 0, flags: 0, address: 0, value: 0)
                var status = read(operations[index], &operation)
                if status == CUDA_SUCCESS { status = check(operation, target) }
                guard status == CUDA_SUCCESS, let start = buffer.baseAddress else { return status }
                operation.store(to: start + index &* WireLimits.streamMemoryOperationByteCount)
            }
            return CUDA_SUCCESS
        }
        return (status, bytes)
    }

    private static func wait(
        _ kind: CUstreamBatchMemOpType, _ address: UInt64, _ value: UInt64, _ flags: UInt32
    ) -> MemoryOperation {
        MemoryOperation(kind: kind.rawValue, flags: flags, address: address, value: value)
    }

    /// Without the memory barrier a write may be seen early; here it never is.
    private static func write(
        _ kind: CUstreamBatchMemOpType, _ address: UInt64, _ value: UInt64, _ flags: UInt32
    ) -> MemoryOperation {
        let flags = flags & ~CU_STREAM_WRITE_VALUE_NO_MEMORY_BARRIER.rawValue
        return MemoryOperation(kind: kind.rawValue, flags: flags, address: address, value: value)
    }

    private static func one(_ stream: CUstream?, _ operation: MemoryOperation) -> CUresult {
        performing(stream, 1) { _, result in
            result = operation
            return CUDA_SUCCESS
        }
    }

    /// Sends as many operations as `make` answers.
    private static func performing(
        _ stream: CUstream?, _ count: Int, _ make: (Int, inout MemoryOperation) -> CUresult
    ) -> CUresult {
        guard let stream = streamID(stream) else { return CUDA_ERROR_INVALID_HANDLE }
        return routed { target in
            let byteCount = count &* WireLimits.streamMemoryOperationByteCount
            guard let bytes = malloc(byteCount) else { return CUDA_ERROR_OUT_OF_MEMORY }
            defer { CPosix.free(bytes) }
            var waits = false
            for index in 0..<count {
                var operation = MemoryOperation(kind: 0, flags: 0, address: 0, value: 0)
                var status = make(index, &operation)
                if status == CUDA_SUCCESS { status = check(operation, target) }
                guard status == CUDA_SUCCESS else { return status }
                waits = waits || operation.isWait
                let place = bytes + index &* WireLimits.streamMemoryOperationByteCount
                operation.store(to: place)
            }
            let operations = UnsafeRawBufferPointer(start: bytes, count: byteCount)
            let captured = Captures.add(to: stream, target) {
                .memoryOperations(MemoryOperationsWork(operations, context: target.context))
            }
            if let captured { return captured }
            if Mirrors.areNeeded { Mirrors.sendChanges(target, stream: stream) }
            if waits { Mirrors.streamsMayWait = true }
            // Even in strict mode nobody waits here: what ends a wait may be this thread's next call.
            return target.sendUnconfirmed(StreamMemoryOperations(stream: stream, operations: operations))
        }
    }

    private static func check(_ operation: MemoryOperation, _ target: CallTarget) -> CUresult {
        if operation.kind == CU_STREAM_MEM_OP_BARRIER.rawValue { return CUDA_SUCCESS }
        if operation.isWait {
            guard operation.flags & CU_STREAM_WAIT_VALUE_FLUSH.rawValue == 0 else { return CUDA_ERROR_NOT_SUPPORTED }
            guard operation.flags <= CU_STREAM_WAIT_VALUE_NOR.rawValue else { return CUDA_ERROR_INVALID_VALUE }
        } else if operation.flags != 0 {
            return CUDA_ERROR_INVALID_VALUE
        }
        let isUsable =
            operation.address % operation.byteCount == 0
            && isDeviceRange(operation.address, operation.byteCount, target)
        return isUsable ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE
    }
}

extension MemoryOperation {
    fileprivate func store(to place: UnsafeMutableRawPointer) {
        place.storeBytes(of: kind, as: UInt32.self)
        place.storeBytes(of: flags, toByteOffset: 4, as: UInt32.self)
        place.storeBytes(of: address, toByteOffset: 8, as: UInt64.self)
        place.storeBytes(of: value, toByteOffset: 16, as: UInt64.self)
    }

    fileprivate var isWait: Bool {
        kind == CU_STREAM_MEM_OP_WAIT_VALUE_32.rawValue || kind == CU_STREAM_MEM_OP_WAIT_VALUE_64.rawValue
    }
}
