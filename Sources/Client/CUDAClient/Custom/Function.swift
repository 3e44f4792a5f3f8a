public import CCUDA
internal import ClientRuntime
internal import WireProtocol

extension CUDADriver {
    private static func withFunction(
        _ handle: CUfunction?, _ body: (UnsafeMutablePointer<FunctionRecord>, CallTarget) -> CUresult
    ) -> CUresult {
        withContext { target in
            let (status, function) = functionRecord(handle, target)
            guard let function else { return status }
            return body(function, target)
        }
    }

    static func get(
        _ value: UnsafeMutablePointer<Int32>, _ attribute: CUfunction_attribute,
        _ function: UnsafeMutablePointer<FunctionRecord>, _ target: CallTarget
    ) -> CUresult {
        guard attribute.rawValue < UInt32(FunctionRecord.attributeCount) else { return CUDA_ERROR_INVALID_VALUE }
        let status = describe(function, target)
        guard status == CUDA_SUCCESS else { return status }
        value.pointee = function.pointee.attributes[Int(attribute.rawValue)]
        return CUDA_SUCCESS
    }

    static func set(
        _ attribute: CUfunction_attribute, _ value: Int32, _ function: UnsafeMutablePointer<FunctionRecord>,
        _ target: CallTarget
    ) -> CUresult {
        let status = describe(function, target)
        guard status == CUDA_SUCCESS else { return status }
        switch attribute {
        case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
            let used = function.pointee.attributes[Int(CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES.rawValue)]
            guard value >= 0, value <= function.pointee.limits.optInSharedByteCount &- used else {
                return CUDA_ERROR_INVALID_VALUE
            }
        case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
            guard value >= -1, value <= 100 else { return CUDA_ERROR_INVALID_VALUE }
        case CU_FUNC_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE,
            CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED:
            break
        default: return CUDA_ERROR_INVALID_VALUE
        }
        function.pointee.attributes[Int(attribute.rawValue)] = value
        return target.send(
            FunctionSetAttribute(
                function: function.pointee.id, attribute: Int32(bitPattern: attribute.rawValue), value: value))
    }

    static func parameter(
        _ index: Int, _ function: UnsafeMutablePointer<FunctionRecord>, _ offset: UnsafeMutablePointer<Int>,
        _ byteCount: UnsafeMutablePointer<Int>?
    ) -> CUresult {
        guard index >= 0, index < function.pointee.parameterCount else { return CUDA_ERROR_INVALID_VALUE }
        offset.pointee = Int(function.pointee.parameters[index].offset)
        byteCount?.pointee = Int(function.pointee.parameters[index].byteCount)
        return CUDA_SUCCESS
    }

    /// The corresponding C function is `cuFuncGetAttribute`.
    public static func funcGetAttribute(
        _ value: UnsafeMutablePointer<Int32>?, _ attribute: CUfunction_attribute, _ handle: CUfunction?
    ) -> CUresult {
        guard let value else { return CUDA_ERROR_INVALID_VALUE }
        return withFunction(handle) { function, target in get(value, attribute, function, target) }
    }

    /// The corresponding C function is `cuFuncSetAttribute`.
    public static func funcSetAttribute(
        _ handle: CUfunction?, _ attribute: CUfunction_attribute, _ value: Int32
    ) -> CUresult {
        withFunction(handle) { function, target in set(attribute, value, function, target) }
    }

    /// The corresponding C function is `cuFuncSetCacheConfig`.
    public static func funcSetCacheConfig(_ handle: CUfunction?, _ config: CUfunc_cache) -> CUresult {
        withFunction(handle) { _, _ in config.rawValue <= 3 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE }
    }

    /// The corresponding C function is `cuFuncSetSharedMemConfig`.
    public static func funcSetSharedMemConfig(_ handle: CUfunction?, _ config: CUsharedconfig) -> CUresult {
        withFunction(handle) { _, _ in config.rawValue <= 2 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE }
    }

    /// The corresponding C function is `cuFuncGetModule`.
    public static func funcGetModule(_ result: UnsafeMutablePointer<CUmodule?>?, _ handle: CUfunction?) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        return withFunction(handle) { function, _ in
            result.pointee = function.pointee.module.takeUnretainedValue().handle
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuFuncGetName`.
    public static func funcGetName(
        _ name: UnsafeMutablePointer<UnsafePointer<CChar>?>?, _ handle: CUfunction?
    ) -> CUresult {
        guard let name else { return CUDA_ERROR_INVALID_VALUE }
        return withFunction(handle) { function, _ in
            name.pointee = UnsafePointer(function.pointee.name)
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuFuncGetParamInfo`.
    public static func funcGetParamInfo(
        _ handle: CUfunction?, _ index: Int, _ offset: UnsafeMutablePointer<Int>?,
        _ byteCount: UnsafeMutablePointer<Int>?
    ) -> CUresult {
        guard let offset else { return CUDA_ERROR_INVALID_VALUE }
        return withFunction(handle) { function, _ in parameter(index, function, offset, byteCount) }
    }

    /// The corresponding C function is `cuFuncGetParamCount`.
    public static func funcGetParamCount(_ handle: CUfunction?, _ count: UnsafeMutablePointer<Int>?) -> CUresult {
        guard let count else { return CUDA_ERROR_INVALID_VALUE }
        return withFunction(handle) { function, _ in
            count.pointee = function.pointee.parameterCount
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuFuncIsLoaded`.
    public static func funcIsLoaded(
        _ state: UnsafeMutablePointer<CUfunctionLoadingState>?, _ handle: CUfunction?
    ) -> CUresult {
        guard let state else { return CUDA_ERROR_INVALID_VALUE }
        return withFunction(handle) { function, _ in
            state.pointee =
                function.pointee.isDescribed ? CU_FUNCTION_LOADING_STATE_LOADED : CU_FUNCTION_LOADING_STATE_UNLOADED
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuFuncLoad`. What can't be compiled is refused here.
    public static func funcLoad(_ handle: CUfunction?) -> CUresult { withFunction(handle) { describe($0, $1) } }
}
