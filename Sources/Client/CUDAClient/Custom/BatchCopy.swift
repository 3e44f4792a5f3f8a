public import CCUDA
internal import CPosix
internal import ClientRuntime
internal import WireProtocol

// Copies of lists. Where a source may be read is a wish: here the host's bytes are taken before the call returns.
extension CUDADriver {
    /// Runs `body` for each copy of a list until one fails; that one's index goes to `failed`.
    private static func batch(
        _ count: Int, _ failed: UnsafeMutablePointer<Int>?, _ stream: CUstream?,
        _ body: (Int, CallTarget, UInt64) -> CUresult
    ) -> CUresult {
        failed?.pointee = Int.max
        guard count > 0 else { return CUDA_ERROR_INVALID_VALUE }
        return queued(stream) { target, id in
            guard id > StreamID.legacy else { return CUDA_ERROR_INVALID_VALUE }
            for index in 0..<count {
                let status = body(index, target, id)
                guard status == CUDA_SUCCESS else {
                    failed?.pointee = index
                    return status
                }
            }
            return CUDA_SUCCESS
        }
    }

    private static func isValid(_ attributes: CUmemcpyAttributes) -> Bool {
        let order = attributes.srcAccessOrder
        return order == CU_MEMCPY_SRC_ACCESS_ORDER_STREAM || order == CU_MEMCPY_SRC_ACCESS_ORDER_DURING_API_CALL
            || order == CU_MEMCPY_SRC_ACCESS_ORDER_ANY
    }

    /// The corresponding C function is `cuMemcpyBatchAsync`.
    public static func memcpyBatchAsync(
        _ destinations: UnsafeMutablePointer<CUdeviceptr>?, _ sources: UnsafeMutablePointer<CUdeviceptr>?,
        _ byteCounts: UnsafeMutablePointer<Int>?, _ count: Int, _ attributes: UnsafeMutablePointer<CUmemcpyAttributes>?,
        _ firstIndices: UnsafeMutablePointer<Int>?, _ attributeCount: Int, _ failed: UnsafeMutablePointer<Int>?,
        _ stream: CUstream?
    ) -> CUresult {
        failed?.pointee = Int.max
        guard let destinations, let sources, let byteCounts, let attributes, let firstIndices, attributeCount > 0,
            attributeCount <= count, firstIndices[0] == 0
        else { return CUDA_ERROR_INVALID_VALUE }
        for index in 0..<attributeCount {
            guard isValid(attributes[index]), index == 0 || firstIndices[index] > firstIndices[index &- 1],
                firstIndices[index] < count
            else { return CUDA_ERROR_INVALID_VALUE }
        }
        return batch(count, failed, stream) { index, target, id in
            guard byteCounts[index] > 0 else { return CUDA_ERROR_INVALID_VALUE }
            return unified(destinations[index], sources[index], byteCounts[index], id, target)
        }
    }

    /// The corresponding C function is `cuMemcpyBatchAsync_v2`.
    public static func memcpyBatchAsyncV2(
        _ destinations: UnsafeMutablePointer<CUdeviceptr>?, _ sources: UnsafeMutablePointer<CUdeviceptr>?,
        _ byteCounts: UnsafeMutablePointer<Int>?, _ count: Int, _ attributes: UnsafeMutablePointer<CUmemcpyAttributes>?,
        _ firstIndices: UnsafeMutablePointer<Int>?, _ attributeCount: Int, _ stream: CUstream?
    ) -> CUresult {
        memcpyBatchAsync(
            destinations, sources, byteCounts, count, attributes, firstIndices, attributeCount, nil, stream)
    }

    /// The corresponding C function is `cuMemcpyWithAttributesAsync`.
    public static func memcpyWithAttributesAsync(
        _ destination: CUdeviceptr, _ source: CUdeviceptr, _ byteCount: Int,
        _ attributes: UnsafeMutablePointer<CUmemcpyAttributes>?, _ stream: CUstream?
    ) -> CUresult {
        guard let attributes, isValid(attributes.pointee) else { return CUDA_ERROR_INVALID_VALUE }
        return memcpyAsync(destination, source, byteCount, stream)
    }

    /// The corresponding C function is `cuMemcpy3DBatchAsync`.
    public static func memcpy3DBatchAsync(
        _ count: Int, _ list: UnsafeMutablePointer<CUDA_MEMCPY3D_BATCH_OP>?, _ failed: UnsafeMutablePointer<Int>?,
        _ flags: UInt64, _ stream: CUstream?
    ) -> CUresult {
        failed?.pointee = Int.max
        guard let list, flags == 0 else { return CUDA_ERROR_INVALID_VALUE }
        return batch(count, failed, stream) { index, target, id in copy3D(list[index], id, target) }
    }

    /// The corresponding C function is `cuMemcpy3DBatchAsync_v2`.
    public static func memcpy3DBatchAsyncV2(
        _ count: Int, _ list: UnsafeMutablePointer<CUDA_MEMCPY3D_BATCH_OP>?, _ flags: UInt64, _ stream: CUstream?
    ) -> CUresult {
        memcpy3DBatchAsync(count, list, nil, flags, stream)
    }

    /// The corresponding C function is `cuMemcpy3DWithAttributesAsync`.
    public static func memcpy3DWithAttributesAsync(
        _ operation: UnsafeMutablePointer<CUDA_MEMCPY3D_BATCH_OP>?, _ flags: UInt64, _ stream: CUstream?
    ) -> CUresult {
        guard let operation, flags == 0 else { return CUDA_ERROR_INVALID_VALUE }
        return queued(stream) { copy3D(operation.pointee, $1, $0) }
    }

    /// Arrays in such lists are counted in elements, which only arrays know; they are refused.
    private static func copy3D(_ operation: CUDA_MEMCPY3D_BATCH_OP, _ stream: UInt64, _ target: CallTarget) -> CUresult
    {
        guard operation.src.type == CU_MEMCPY_OPERAND_TYPE_POINTER,
            operation.dst.type == CU_MEMCPY_OPERAND_TYPE_POINTER
        else { return CUDA_ERROR_NOT_SUPPORTED }
        let source = operation.src.op.ptr
        let destination = operation.dst.op.ptr
        var request = CUDA_MEMCPY3D()
        request.srcMemoryType = CU_MEMORYTYPE_UNIFIED
        request.srcDevice = source.ptr
        request.srcPitch = source.rowLength == 0 ? operation.extent.width : source.rowLength
        request.srcHeight = source.layerHeight == 0 ? operation.extent.height : source.layerHeight
        request.dstMemoryType = CU_MEMORYTYPE_UNIFIED
        request.dstDevice = destination.ptr
        request.dstPitch = destination.rowLength == 0 ? operation.extent.width : destination.rowLength
        request.dstHeight = destination.layerHeight == 0 ? operation.extent.height : destination.layerHeight
        request.WidthInBytes = operation.extent.width
        request.Height = operation.extent.height
        request.Depth = operation.extent.depth
        return copy3D(request, stream, target)
    }
}
