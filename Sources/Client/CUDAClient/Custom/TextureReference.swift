public import CCUDA
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

// Texture and surface references: the way to textures before there were objects. CUDA 12 took it from its runtime.
extension CUDADriver {
    private static func change(_ handle: CUtexref?, _ body: (TextureReference) -> Void) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let reference = textureReference(handle) else { return CUDA_ERROR_INVALID_HANDLE }
        TextureReferences.change(reference, body)
        return CUDA_SUCCESS
    }

    private static func read(_ handle: CUtexref?, _ body: (TextureReference) -> CUresult) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let reference = textureReference(handle) else { return CUDA_ERROR_INVALID_HANDLE }
        return body(reference)
    }

    /// The corresponding C function is `cuTexRefCreate`.
    public static func texRefCreate(_ result: UnsafeMutablePointer<CUtexref?>?) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let handle = TextureReferences.make() else { return CUDA_ERROR_OUT_OF_MEMORY }
        result.pointee = handle
        return CUDA_SUCCESS
    }

    /// The corresponding C function is `cuTexRefDestroy`.
    public static func texRefDestroy(_ handle: CUtexref?) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let reference = textureReference(handle), reference.address == 0 else { return CUDA_ERROR_INVALID_HANDLE }
        return TextureReferences.end(handle, .textureReference) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE
    }

    /// The corresponding C function is `cuParamSetTexRef`. References belong to modules, so there is nothing to do.
    public static func paramSetTexRef(_ function: CUfunction?, _ unit: Int32, _ handle: CUtexref?) -> CUresult {
        read(handle) { _ in unit == -1 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE }
    }

    // MARK: - What a reference reads

    /// The corresponding C function is `cuTexRefSetArray`.
    public static func texRefSetArray(_ handle: CUtexref?, _ array: CUarray?, _ flags: UInt32) -> CUresult {
        guard flags == 1 else { return CUDA_ERROR_INVALID_VALUE }
        guard let record = self.array(array) else { return CUDA_ERROR_INVALID_HANDLE }
        return change(handle) { reference in
            reference.resource = CUDA_RESOURCE_DESC()
            reference.resource.resType = CU_RESOURCE_TYPE_ARRAY
            reference.resource.res.array.hArray = array
            reference.hasResource = true
            (reference.format, reference.channelCount) = (record.shape.format, record.shape.channelCount)
        }
    }

    /// The corresponding C function is `cuTexRefSetMipmappedArray`.
    public static func texRefSetMipmappedArray(
        _ handle: CUtexref?, _ array: CUmipmappedArray?, _ flags: UInt32
    ) -> CUresult {
        guard flags == 1 else { return CUDA_ERROR_INVALID_VALUE }
        guard let record = mipmappedArray(array) else { return CUDA_ERROR_INVALID_HANDLE }
        return change(handle) { reference in
            reference.resource = CUDA_RESOURCE_DESC()
            reference.resource.resType = CU_RESOURCE_TYPE_MIPMAPPED_ARRAY
            reference.resource.res.mipmap.hMipmappedArray = array
            reference.hasResource = true
            (reference.format, reference.channelCount) = (record.shape.format, record.shape.channelCount)
        }
    }

    /// The corresponding C function is `cuTexRefSetAddress_v2`. An address of 0 unbinds.
    public static func texRefSetAddressV2(
        _ offset: UnsafeMutablePointer<Int>?, _ handle: CUtexref?, _ address: CUdeviceptr, _ byteCount: Int
    ) -> CUresult {
        guard address % 512 == 0, byteCount >= 0 else { return CUDA_ERROR_INVALID_VALUE }
        offset?.pointee = 0
        return change(handle) { reference in
            reference.resource = CUDA_RESOURCE_DESC()
            reference.resource.resType = CU_RESOURCE_TYPE_LINEAR
            reference.resource.res.linear.devPtr = address
            reference.resource.res.linear.sizeInBytes = byteCount
            reference.resource.res.linear.format = CUarray_format(rawValue: reference.format)
            reference.resource.res.linear.numChannels = reference.channelCount
            reference.hasResource = address != 0
        }
    }

    /// The corresponding C function is `cuTexRefSetAddress2D_v3`.
    public static func texRefSetAddress2DV3(
        _ handle: CUtexref?, _ request: UnsafePointer<CUDA_ARRAY_DESCRIPTOR>?, _ address: CUdeviceptr, _ pitch: Int
    ) -> CUresult {
        guard let request, address != 0 else { return CUDA_ERROR_INVALID_VALUE }
        let wanted = request.pointee
        return change(handle) { reference in
            reference.resource = CUDA_RESOURCE_DESC()
            reference.resource.resType = CU_RESOURCE_TYPE_PITCH2D
            reference.resource.res.pitch2D.devPtr = address
            reference.resource.res.pitch2D.format = wanted.Format
            reference.resource.res.pitch2D.numChannels = wanted.NumChannels
            reference.resource.res.pitch2D.width = wanted.Width
            reference.resource.res.pitch2D.height = wanted.Height
            reference.resource.res.pitch2D.pitchInBytes = pitch
            (reference.format, reference.channelCount) = (wanted.Format.rawValue, wanted.NumChannels)
            reference.hasResource = true
        }
    }

    /// The corresponding C function is `cuTexRefSetFormat`.
    public static func texRefSetFormat(_ handle: CUtexref?, _ format: CUarray_format, _ channelCount: Int32) -> CUresult
    {
        guard channelCount == 1 || channelCount == 2 || channelCount == 4 else { return CUDA_ERROR_INVALID_VALUE }
        return change(handle) { reference in
            (reference.format, reference.channelCount) = (format.rawValue, UInt32(channelCount))
            if reference.resource.resType == CU_RESOURCE_TYPE_LINEAR {
                reference.resource.res.linear.format = format
                reference.resource.res.linear.numChannels = UInt32(channelCount)
            }
        }
    }

    /// The corresponding C function is `cuTexRefGetAddress_v2`.
    public static func texRefGetAddressV2(_ result: UnsafeMutablePointer<CUdeviceptr>?, _ handle: CUtexref?) -> CUresult
    {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        return read(handle) { reference in
            guard reference.hasResource else { return CUDA_ERROR_INVALID_VALUE }
            switch reference.resource.resType {
            case CU_RESOURCE_TYPE_LINEAR: result.pointee = reference.resource.res.linear.devPtr
            case CU_RESOURCE_TYPE_PITCH2D: result.pointee = reference.resource.res.pitch2D.devPtr
            default: return CUDA_ERROR_INVALID_VALUE
            }
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuTexRefGetArray`.
    public static func texRefGetArray(_ result: UnsafeMutablePointer<CUarray?>?, _ handle: CUtexref?) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        return read(handle) { reference in
            guard reference.hasResource, reference.resource.resType == CU_RESOURCE_TYPE_ARRAY else {
                return CUDA_ERROR_INVALID_VALUE
            }
            result.pointee = reference.resource.res.array.hArray
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuTexRefGetMipmappedArray`.
    public static func texRefGetMipmappedArray(
        _ result: UnsafeMutablePointer<CUmipmappedArray?>?, _ handle: CUtexref?
    ) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        return read(handle) { reference in
            guard reference.hasResource, reference.resource.resType == CU_RESOURCE_TYPE_MIPMAPPED_ARRAY else {
                return CUDA_ERROR_INVALID_VALUE
            }
            result.pointee = reference.resource.res.mipmap.hMipmappedArray
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuTexRefGetFormat`.
    public static func texRefGetFormat(
        _ format: UnsafeMutablePointer<CUarray_format>?, _ channelCount: UnsafeMutablePointer<Int32>?,
        _ handle: CUtexref?
    ) -> CUresult {
        read(handle) { reference in
            format?.pointee = CUarray_format(rawValue: reference.format)
            channelCount?.pointee = Int32(bitPattern: reference.channelCount)
            return CUDA_SUCCESS
        }
    }

    // MARK: - Surfaces

    /// The corresponding C function is `cuSurfRefSetArray`.
    public static func surfRefSetArray(_ handle: CUsurfref?, _ array: CUarray?, _ flags: UInt32) -> CUresult {
        guard flags == 0 else { return CUDA_ERROR_INVALID_VALUE }
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let reference = surfaceReference(handle), let record = self.array(array) else {
            return CUDA_ERROR_INVALID_HANDLE
        }
        guard record.shape.flags & ArrayShape.Flags.surface != 0 else { return CUDA_ERROR_INVALID_VALUE }
        TextureReferences.change(reference) { reference in
            reference.resource.resType = CU_RESOURCE_TYPE_ARRAY
            reference.resource.res.array.hArray = array
            reference.hasResource = true
        }
        return CUDA_SUCCESS
    }

    /// The corresponding C function is `cuSurfRefGetArray`.
    public static func surfRefGetArray(_ result: UnsafeMutablePointer<CUarray?>?, _ handle: CUsurfref?) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let reference = surfaceReference(handle) else { return CUDA_ERROR_INVALID_HANDLE }
        guard reference.hasResource else { return CUDA_ERROR_INVALID_VALUE }
        result.pointee = reference.resource.res.array.hArray
        return CUDA_SUCCESS
    }
}
