public import CCUDA
internal import ClientRuntime

// How a texture reference is read.
extension CUDADriver {
    private static func set(_ handle: CUtexref?, _ body: (inout CUDA_TEXTURE_DESC) -> Void) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let reference = textureReference(handle) else { return CUDA_ERROR_INVALID_HANDLE }
        TextureReferences.change(reference) { body(&$0.texture) }
        return CUDA_SUCCESS
    }

    private static func get(_ handle: CUtexref?, _ body: (CUDA_TEXTURE_DESC) -> CUresult) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let reference = textureReference(handle) else { return CUDA_ERROR_INVALID_HANDLE }
        return body(reference.texture)
    }

    /// The corresponding C function is `cuTexRefSetAddressMode`.
    public static func texRefSetAddressMode(_ handle: CUtexref?, _ dimension: Int32, _ mode: CUaddress_mode) -> CUresult
    {
        guard (0...2) ~= dimension, mode.rawValue <= 3 else { return CUDA_ERROR_INVALID_VALUE }
        return set(handle) { texture in
            switch dimension {
            case 0: texture.addressMode.0 = mode
            case 1: texture.addressMode.1 = mode
            default: texture.addressMode.2 = mode
            }
        }
    }

    /// The corresponding C function is `cuTexRefGetAddressMode`.
    public static func texRefGetAddressMode(
        _ result: UnsafeMutablePointer<CUaddress_mode>?, _ handle: CUtexref?, _ dimension: Int32
    ) -> CUresult {
        guard let result, (0...2) ~= dimension else { return CUDA_ERROR_INVALID_VALUE }
        return get(handle) { texture in
            let modes = texture.addressMode
            result.pointee = dimension == 0 ? modes.0 : dimension == 1 ? modes.1 : modes.2
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuTexRefSetBorderColor`.
    public static func texRefSetBorderColor(_ handle: CUtexref?, _ color: UnsafeMutablePointer<Float>?) -> CUresult {
        guard let color else { return CUDA_ERROR_INVALID_VALUE }
        return set(handle) { $0.borderColor = (color[0], color[1], color[2], color[3]) }
    }

    /// The corresponding C function is `cuTexRefGetBorderColor`.
    public static func texRefGetBorderColor(_ color: UnsafeMutablePointer<Float>?, _ handle: CUtexref?) -> CUresult {
        guard let color else { return CUDA_ERROR_INVALID_VALUE }
        return get(handle) { texture in
            (color[0], color[1], color[2], color[3]) = texture.borderColor
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuTexRefSetMipmapLevelClamp`.
    public static func texRefSetMipmapLevelClamp(_ handle: CUtexref?, _ least: Float, _ most: Float) -> CUresult {
        set(handle) { ($0.minMipmapLevelClamp, $0.maxMipmapLevelClamp) = (least, most) }
    }

    /// The corresponding C function is `cuTexRefGetMipmapLevelClamp`.
    public static func texRefGetMipmapLevelClamp(
        _ least: UnsafeMutablePointer<Float>?, _ most: UnsafeMutablePointer<Float>?, _ handle: CUtexref?
    ) -> CUresult {
        get(handle) { texture in
            least?.pointee = texture.minMipmapLevelClamp
            most?.pointee = texture.maxMipmapLevelClamp
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuTexRefSetFilterMode`.
    public static func texRefSetFilterMode(_ handle: CUtexref?, _ value: CUfilter_mode) -> CUresult {
        guard value.rawValue <= 1 else { return CUDA_ERROR_INVALID_VALUE }
        return set(handle) { $0.filterMode = value }
    }

    /// The corresponding C function is `cuTexRefGetFilterMode`.
    public static func texRefGetFilterMode(
        _ result: UnsafeMutablePointer<CUfilter_mode>?, _ handle: CUtexref?
    ) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        return get(handle) { texture in
            result.pointee = texture.filterMode
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuTexRefSetMipmapFilterMode`.
    public static func texRefSetMipmapFilterMode(_ handle: CUtexref?, _ value: CUfilter_mode) -> CUresult {
        guard value.rawValue <= 1 else { return CUDA_ERROR_INVALID_VALUE }
        return set(handle) { $0.mipmapFilterMode = value }
    }

    /// The corresponding C function is `cuTexRefGetMipmapFilterMode`.
    public static func texRefGetMipmapFilterMode(
        _ result: UnsafeMutablePointer<CUfilter_mode>?, _ handle: CUtexref?
    ) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        return get(handle) { texture in
            result.pointee = texture.mipmapFilterMode
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuTexRefSetMipmapLevelBias`.
    public static func texRefSetMipmapLevelBias(_ handle: CUtexref?, _ value: Float) -> CUresult {
        set(handle) { $0.mipmapLevelBias = value }
    }

    /// The corresponding C function is `cuTexRefGetMipmapLevelBias`.
    public static func texRefGetMipmapLevelBias(
        _ result: UnsafeMutablePointer<Float>?, _ handle: CUtexref?
    ) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        return get(handle) { texture in
            result.pointee = texture.mipmapLevelBias
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuTexRefSetMaxAnisotropy`.
    public static func texRefSetMaxAnisotropy(_ handle: CUtexref?, _ value: UInt32) -> CUresult {
        guard (1...16) ~= value else { return CUDA_ERROR_INVALID_VALUE }
        return set(handle) { $0.maxAnisotropy = value }
    }

    /// The corresponding C function is `cuTexRefGetMaxAnisotropy`.
    public static func texRefGetMaxAnisotropy(
        _ result: UnsafeMutablePointer<Int32>?, _ handle: CUtexref?
    ) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        return get(handle) { texture in
            result.pointee = Int32(truncatingIfNeeded: texture.maxAnisotropy)
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuTexRefSetFlags`.
    public static func texRefSetFlags(_ handle: CUtexref?, _ value: UInt32) -> CUresult {
        guard value & ~0x73 == 0 else { return CUDA_ERROR_INVALID_VALUE }
        return set(handle) { $0.flags = value }
    }

    /// The corresponding C function is `cuTexRefGetFlags`.
    public static func texRefGetFlags(
        _ result: UnsafeMutablePointer<UInt32>?, _ handle: CUtexref?
    ) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        return get(handle) { texture in
            result.pointee = texture.flags
            return CUDA_SUCCESS
        }
    }
}
