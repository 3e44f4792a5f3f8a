public import CCUDA
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

extension CUDADriver {
    /// The corresponding C function is `cuTexObjectCreate`.
    public static func texObjectCreate(
        _ result: UnsafeMutablePointer<CUtexObject>?, _ resource: UnsafePointer<CUDA_RESOURCE_DESC>?,
        _ texture: UnsafePointer<CUDA_TEXTURE_DESC>?, _ view: UnsafePointer<CUDA_RESOURCE_VIEW_DESC>?
    ) -> CUresult {
        guard let result, let resource, let texture else { return CUDA_ERROR_INVALID_VALUE }
        return withContext { target in
            var (status, description) = describe(resource.pointee, target)
            guard status == CUDA_SUCCESS else { return status }
            guard add(texture.pointee, to: &description) else { return CUDA_ERROR_INVALID_VALUE }
            if let view, !add(view.pointee, to: &description) { return CUDA_ERROR_INVALID_VALUE }
            let made = makeTexture(description, target)
            guard made.status == CUDA_SUCCESS else { return made.status }
            keep(
                TextureRecord(
                    value: made.value, isSurface: false, context: target.context, resource: resource.pointee,
                    texture: texture.pointee, view: view?.pointee))
            result.pointee = made.value
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuTexObjectDestroy`.
    public static func texObjectDestroy(_ value: CUtexObject) -> CUresult { destroyTexture(value, isSurface: false) }

    /// The corresponding C function is `cuSurfObjectDestroy`.
    public static func surfObjectDestroy(_ value: CUsurfObject) -> CUresult { destroyTexture(value, isSurface: true) }

    private static func destroyTexture(_ value: UInt64, isSurface: Bool) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let thread = ThreadState.mine else { return CUDA_ERROR_OUT_OF_MEMORY }
        guard let record = endTexture(value, isSurface: isSurface) else { return CUDA_ERROR_INVALID_VALUE }
        return with(record.context, thread) { $0.send(TextureDestroy(texture: value, isSurface: isSurface ? 1 : 0)) }
    }

    /// The corresponding C function is `cuTexObjectGetResourceDesc`.
    public static func texObjectGetResourceDesc(
        _ result: UnsafeMutablePointer<CUDA_RESOURCE_DESC>?, _ value: CUtexObject
    ) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        return withTexture(value, isSurface: false) { record in
            result.pointee = record.resource
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuTexObjectGetTextureDesc`.
    public static func texObjectGetTextureDesc(
        _ result: UnsafeMutablePointer<CUDA_TEXTURE_DESC>?, _ value: CUtexObject
    ) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        return withTexture(value, isSurface: false) { record in
            result.pointee = record.texture
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuTexObjectGetResourceViewDesc`.
    public static func texObjectGetResourceViewDesc(
        _ result: UnsafeMutablePointer<CUDA_RESOURCE_VIEW_DESC>?, _ value: CUtexObject
    ) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        return withTexture(value, isSurface: false) { record in
            guard let view = record.view else { return CUDA_ERROR_INVALID_VALUE }
            result.pointee = view
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuSurfObjectCreate`.
    public static func surfObjectCreate(
        _ result: UnsafeMutablePointer<CUsurfObject>?, _ resource: UnsafePointer<CUDA_RESOURCE_DESC>?
    ) -> CUresult {
        guard let result, let resource else { return CUDA_ERROR_INVALID_VALUE }
        return withContext { target in
            guard resource.pointee.resType == CU_RESOURCE_TYPE_ARRAY, resource.pointee.flags == 0 else {
                return CUDA_ERROR_INVALID_VALUE
            }
            guard let record = array(resource.pointee.res.array.hArray) else { return CUDA_ERROR_INVALID_HANDLE }
            guard record.shape.flags & ArrayShape.Flags.surface != 0 else { return CUDA_ERROR_INVALID_VALUE }
            let made = makeSurface(record, target)
            guard made.status == CUDA_SUCCESS else { return made.status }
            keep(
                TextureRecord(
                    value: made.value, isSurface: true, context: target.context, resource: resource.pointee,
                    texture: CUDA_TEXTURE_DESC(), view: nil))
            result.pointee = made.value
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuSurfObjectGetResourceDesc`.
    public static func surfObjectGetResourceDesc(
        _ result: UnsafeMutablePointer<CUDA_RESOURCE_DESC>?, _ value: CUsurfObject
    ) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        return withTexture(value, isSurface: true) { record in
            result.pointee = record.resource
            return CUDA_SUCCESS
        }
    }

    private static func withTexture(
        _ value: UInt64, isSurface: Bool, _ body: (TextureRecord) -> CUresult
    ) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let record = textureRecord(value, isSurface: isSurface) else { return CUDA_ERROR_INVALID_VALUE }
        return body(record)
    }
}
