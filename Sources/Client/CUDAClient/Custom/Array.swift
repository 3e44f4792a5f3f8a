public import CCUDA
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

extension CUDADriver {
    /// The corresponding C function is `cuArrayCreate_v2`.
    public static func arrayCreateV2(
        _ result: UnsafeMutablePointer<CUarray?>?, _ request: UnsafePointer<CUDA_ARRAY_DESCRIPTOR>?
    ) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        return create(
            result, .array,
            ArrayShape(
                size: (
                    UInt64(truncatingIfNeeded: request.pointee.Width),
                    UInt64(truncatingIfNeeded: request.pointee.Height), 0
                ),
                format: request.pointee.Format.rawValue, channelCount: request.pointee.NumChannels))
    }

    /// The corresponding C function is `cuArray3DCreate_v2`.
    public static func array3DCreateV2(
        _ result: UnsafeMutablePointer<CUarray?>?, _ request: UnsafePointer<CUDA_ARRAY3D_DESCRIPTOR>?
    ) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        return create(result, .array, shape(request.pointee))
    }

    /// The corresponding C function is `cuMipmappedArrayCreate`.
    public static func mipmappedArrayCreate(
        _ result: UnsafeMutablePointer<CUmipmappedArray?>?, _ request: UnsafePointer<CUDA_ARRAY3D_DESCRIPTOR>?,
        _ levelCount: UInt32
    ) -> CUresult {
        guard let request, levelCount > 0 else { return CUDA_ERROR_INVALID_VALUE }
        var shape = shape(request.pointee)
        // More levels than there can be are as many as there can be.
        shape.levelCount = min(levelCount, shape.levelCountMax)
        return create(result, .mipmappedArray, shape)
    }

    private static func shape(_ request: CUDA_ARRAY3D_DESCRIPTOR) -> ArrayShape {
        ArrayShape(
            size: (
                UInt64(truncatingIfNeeded: request.Width), UInt64(truncatingIfNeeded: request.Height),
                UInt64(truncatingIfNeeded: request.Depth)
            ), format: request.Format.rawValue,
            channelCount: request.NumChannels, flags: request.Flags)
    }

    private static func create(
        _ result: UnsafeMutablePointer<OpaquePointer?>?, _ kind: HandleKind, _ shape: ArrayShape
    ) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        return withContext { target in
            // Sparse arrays, and ones whose memory comes later, are attributes that no device here has.
            if shape.flags & ArrayShape.Flags.late != 0 { return CUDA_ERROR_NOT_SUPPORTED }
            guard shape.isValid else {
                let isChannels = shape.channelCount == 1 || shape.channelCount == 2 || shape.channelCount == 4
                return shape.texel == nil && isChannels ? CUDA_ERROR_NOT_SUPPORTED : CUDA_ERROR_INVALID_VALUE
            }
            guard let device = device(of: target.context) else { return CUDA_ERROR_INVALID_CONTEXT }
            let charged = device.memory.charge(
                shape.byteCount, contextID: target.context.pointee.id, lane: target.lane)
            guard charged == ClientStatus.success else { return CUresult(status: charged) }
            guard let made = makeHandle(kind, context: target.context, object: nil) else {
                device.memory.discharge(shape.byteCount, context: target.context, lane: target.lane)
                return CUDA_ERROR_OUT_OF_MEMORY
            }
            let record = ArrayRecord(
                shape: shape, id: made.id, level: 0, isLevel: false, device: target.context.pointee.device)
            entry(made.handle, kind)?.pointee.object = Unmanaged.passRetained(record).toOpaque()
            let status = target.send(
                ArrayCreate(
                    array: made.id, width: shape.width, height: shape.height, depth: shape.depth,
                    format: shape.format, channelCount: shape.channelCount, flags: shape.flags,
                    levelCount: shape.levelCount))
            if status == CUDA_SUCCESS { result.pointee = made.handle }
            return status
        }
    }

    /// The corresponding C function is `cuArrayDestroy`.
    public static func arrayDestroy(_ handle: CUarray?) -> CUresult {
        guard let record = array(handle), !record.isLevel else { return CUDA_ERROR_INVALID_HANDLE }
        return destroy(handle, .array)
    }

    /// The corresponding C function is `cuMipmappedArrayDestroy`.
    public static func mipmappedArrayDestroy(_ handle: CUmipmappedArray?) -> CUresult {
        guard let record = mipmappedArray(handle) else { return CUDA_ERROR_INVALID_HANDLE }
        for level in record.levels where level != 0 {
            if let pointer = endHandle(OpaquePointer(bitPattern: level), .array) {
                Unmanaged<ArrayRecord>.fromOpaque(pointer).release()
            }
        }
        return destroy(handle, .mipmappedArray)
    }

    private static func destroy(_ handle: OpaquePointer?, _ kind: HandleKind) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let thread = ThreadState.mine else { return CUDA_ERROR_OUT_OF_MEMORY }
        guard let context = entry(handle, kind)?.pointee.context, let pointer = endHandle(handle, kind) else {
            return CUDA_ERROR_INVALID_HANDLE
        }
        let record = Unmanaged<ArrayRecord>.fromOpaque(pointer).takeRetainedValue()
        return with(context, thread) { target in
            let status = target.send(ArrayDestroy(array: record.id))
            device(of: context)?.memory.discharge(
                record.shape.byteCount, context: context, lane: target.lane)
            return status
        }
    }

    /// The corresponding C function is `cuMipmappedArrayGetLevel`. A level has the same handle each time.
    public static func mipmappedArrayGetLevel(
        _ result: UnsafeMutablePointer<CUarray?>?, _ handle: CUmipmappedArray?, _ level: UInt32
    ) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let record = mipmappedArray(handle) else { return CUDA_ERROR_INVALID_HANDLE }
        guard level < record.shape.levelCount, Int(level) < record.levels.count || level == 0 else {
            return CUDA_ERROR_INVALID_VALUE
        }
        tablesLock.acquire()
        defer { tablesLock.release() }
        if record.levels.isEmpty { record.levels = [0] }
        if record.levels[Int(level)] != 0 {
            result.pointee = OpaquePointer(bitPattern: record.levels[Int(level)])
            return CUDA_SUCCESS
        }
        let made = ArrayRecord(shape: record.shape, id: record.id, level: level, isLevel: true, device: record.device)
        let pointer = Unmanaged.passRetained(made)
        let context = entry(handle, .mipmappedArray)?.pointee.context
        guard let fresh = makeHandle(.array, context: context, object: pointer.toOpaque()) else {
            pointer.release()
            return CUDA_ERROR_OUT_OF_MEMORY
        }
        record.levels[Int(level)] = UInt(bitPattern: fresh.handle)
        result.pointee = fresh.handle
        return CUDA_SUCCESS
    }

    // MARK: - Questions

    /// The corresponding C function is `cuArrayGetDescriptor_v2`.
    public static func arrayGetDescriptorV2(
        _ result: UnsafeMutablePointer<CUDA_ARRAY_DESCRIPTOR>?, _ handle: CUarray?
    ) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        guard let record = array(handle) else { return CUDA_ERROR_INVALID_HANDLE }
        let size = shownSize(record)
        result.pointee.Width = size.width
        result.pointee.Height = size.height
        result.pointee.Format = CUarray_format(rawValue: record.shape.format)
        result.pointee.NumChannels = record.shape.channelCount
        return CUDA_SUCCESS
    }

    /// The corresponding C function is `cuArray3DGetDescriptor_v2`.
    public static func array3DGetDescriptorV2(
        _ result: UnsafeMutablePointer<CUDA_ARRAY3D_DESCRIPTOR>?, _ handle: CUarray?
    ) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        guard let record = array(handle) else { return CUDA_ERROR_INVALID_HANDLE }
        let size = shownSize(record)
        result.pointee.Width = size.width
        result.pointee.Height = size.height
        result.pointee.Depth = size.depth
        result.pointee.Format = CUarray_format(rawValue: record.shape.format)
        result.pointee.NumChannels = record.shape.channelCount
        result.pointee.Flags = record.shape.flags
        return CUDA_SUCCESS
    }

    /// Dimensions that an array does not have are 0.
    private static func shownSize(_ record: ArrayRecord) -> (width: Int, height: Int, depth: Int) {
        let size = record.shape.extent(level: record.level)
        return (
            Int(size.width), record.shape.height == 0 ? 0 : Int(size.height),
            record.shape.depth == 0 ? 0 : Int(size.depth)
        )
    }

    /// The corresponding C function is `cuArrayGetPlane`. No array here has several planes.
    public static func arrayGetPlane(
        _ result: UnsafeMutablePointer<CUarray?>?, _ handle: CUarray?, _ plane: UInt32
    ) -> CUresult {
        guard result != nil else { return CUDA_ERROR_INVALID_VALUE }
        return array(handle) == nil ? CUDA_ERROR_INVALID_HANDLE : CUDA_ERROR_INVALID_VALUE
    }

    /// The corresponding C function is `cuArrayGetSparseProperties`. No array here is sparse.
    public static func arrayGetSparseProperties(
        _ result: UnsafeMutablePointer<CUDA_ARRAY_SPARSE_PROPERTIES>?, _ handle: CUarray?
    ) -> CUresult {
        guard result != nil else { return CUDA_ERROR_INVALID_VALUE }
        return array(handle) == nil ? CUDA_ERROR_INVALID_HANDLE : CUDA_ERROR_INVALID_VALUE
    }

    /// The corresponding C function is `cuMipmappedArrayGetSparseProperties`. No array here is sparse.
    public static func mipmappedArrayGetSparseProperties(
        _ result: UnsafeMutablePointer<CUDA_ARRAY_SPARSE_PROPERTIES>?, _ handle: CUmipmappedArray?
    ) -> CUresult {
        guard result != nil else { return CUDA_ERROR_INVALID_VALUE }
        return mipmappedArray(handle) == nil ? CUDA_ERROR_INVALID_HANDLE : CUDA_ERROR_INVALID_VALUE
    }

    /// The corresponding C function is `cuArrayGetMemoryRequirements`, which answers only for arrays whose memory is
    /// mapped later.
    public static func arrayGetMemoryRequirements(
        _ result: UnsafeMutablePointer<CUDA_ARRAY_MEMORY_REQUIREMENTS>?, _ handle: CUarray?, _ device: CUdevice
    ) -> CUresult {
        guard result != nil else { return CUDA_ERROR_INVALID_VALUE }
        return array(handle) == nil ? CUDA_ERROR_INVALID_HANDLE : CUDA_ERROR_INVALID_VALUE
    }

    /// The corresponding C function is `cuMipmappedArrayGetMemoryRequirements`, which answers only for arrays whose
    /// memory is mapped later.
    public static func mipmappedArrayGetMemoryRequirements(
        _ result: UnsafeMutablePointer<CUDA_ARRAY_MEMORY_REQUIREMENTS>?, _ handle: CUmipmappedArray?,
        _ device: CUdevice
    ) -> CUresult {
        guard result != nil else { return CUDA_ERROR_INVALID_VALUE }
        return mipmappedArray(handle) == nil ? CUDA_ERROR_INVALID_HANDLE : CUDA_ERROR_INVALID_VALUE
    }
}
