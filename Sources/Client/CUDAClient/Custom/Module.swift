public import CCUDA
internal import CPosix
internal import ClientRuntime
internal import WireProtocol

extension CUDADriver {
    /// The corresponding C function is `cuModuleLoadData`.
    public static func moduleLoadData(
        _ result: UnsafeMutablePointer<CUmodule?>?, _ image: UnsafeRawPointer?
    ) -> CUresult {
        loadModule(result, image, JITOptions())
    }

    /// The corresponding C function is `cuModuleLoadFatBinary`.
    public static func moduleLoadFatBinary(
        _ result: UnsafeMutablePointer<CUmodule?>?, _ image: UnsafeRawPointer?
    ) -> CUresult {
        loadModule(result, image, JITOptions())
    }

    /// The corresponding C function is `cuModuleLoadDataEx`.
    public static func moduleLoadDataEx(
        _ result: UnsafeMutablePointer<CUmodule?>?, _ image: UnsafeRawPointer?, _ count: UInt32,
        _ options: UnsafeMutablePointer<CUjit_option>?, _ values: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
    ) -> CUresult {
        guard let parsed = JITOptions(count: count, options: options, values: values) else {
            return CUDA_ERROR_INVALID_VALUE
        }
        return loadModule(result, image, parsed)
    }

    private static func loadModule(
        _ result: UnsafeMutablePointer<CUmodule?>?, _ image: UnsafeRawPointer?, _ options: JITOptions
    ) -> CUresult {
        guard let result, let image else { return CUDA_ERROR_INVALID_VALUE }
        return withContext { target in
            guard let bytes = ImageLength.image(at: image) else { return CUDA_ERROR_INVALID_IMAGE }
            return loadModule(result, bytes, options, target)
        }
    }

    private static func loadModule(
        _ result: UnsafeMutablePointer<CUmodule?>, _ image: UnsafeRawBufferPointer, _ options: JITOptions,
        _ target: CallTarget
    ) -> CUresult {
        let (status, module) = load(image, options, target)
        if let module { result.pointee = module.handle }
        return status
    }

    /// The corresponding C function is `cuModuleLoad`.
    public static func moduleLoad(
        _ result: UnsafeMutablePointer<CUmodule?>?, _ path: UnsafePointer<CChar>?
    ) -> CUresult {
        guard let result, let path else { return CUDA_ERROR_INVALID_VALUE }
        return withContext { target in
            withFile(path) { bytes in
                guard let start = bytes.baseAddress, let image = ImageLength.image(at: start) else {
                    return CUDA_ERROR_INVALID_IMAGE
                }
                // The header of a damaged file may promise more than there is.
                guard image.count <= bytes.count || image.baseAddress != bytes.baseAddress else {
                    return CUDA_ERROR_INVALID_IMAGE
                }
                return loadModule(result, image, JITOptions(), target)
            }
        }
    }

    /// Runs `body` with a file's bytes, which end with a zero that does not count.
    static func withFile(
        _ path: UnsafePointer<CChar>, _ body: (UnsafeRawBufferPointer) -> CUresult
    ) -> CUresult {
        let byteCount = posix_file_byte_count(path)
        guard byteCount >= 0 else { return CUDA_ERROR_FILE_NOT_FOUND }
        guard byteCount > 0, byteCount <= 4 << 30 else { return CUDA_ERROR_INVALID_IMAGE }
        let descriptor = posix_open(path, Int32(POSIX_OPEN_READ), 0)
        guard descriptor >= 0 else { return CUDA_ERROR_FILE_NOT_FOUND }
        defer { _ = posix_close(descriptor) }
        // Room for the zeros that the look at the first bytes of a tiny file may reach.
        let room = Int(byteCount) &+ 64
        guard let memory = calloc(1, room) else { return CUDA_ERROR_OUT_OF_MEMORY }
        defer { CPosix.free(memory) }
        let count = posix_read(descriptor, memory, Int(byteCount))
        guard count == Int(byteCount) else { return CUDA_ERROR_FILE_NOT_FOUND }
        return body(UnsafeRawBufferPointer(start: memory, count: count))
    }

    /// The module of a handle, or nil.
    static func moduleRecord(_ handle: CUmodule?) -> ModuleRecord? { object(handle, .module, as: ModuleRecord.self) }

    /// A C string's bytes.
    static func bytes(_ text: UnsafePointer<CChar>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: text, count: Environment.length(of: text))
    }

    private static func withModule(_ handle: CUmodule?, _ body: (ModuleRecord) -> CUresult) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let module = moduleRecord(handle) else { return CUDA_ERROR_INVALID_HANDLE }
        return body(module)
    }

    /// The corresponding C function is `cuModuleUnload`.
    public static func moduleUnload(_ handle: CUmodule?) -> CUresult { withModule(handle) { unload($0) } }

    /// The corresponding C function is `cuModuleGetFunction`.
    public static func moduleGetFunction(
        _ result: UnsafeMutablePointer<CUfunction?>?, _ handle: CUmodule?, _ name: UnsafePointer<CChar>?
    ) -> CUresult {
        guard let result, let name else { return CUDA_ERROR_INVALID_VALUE }
        return withModule(handle) { module in
            let (status, function) = function(bytes(name), in: module)
            if let function { result.pointee = function.pointee.handle }
            return status
        }
    }

    /// The corresponding C function is `cuModuleGetFunctionCount`.
    public static func moduleGetFunctionCount(
        _ count: UnsafeMutablePointer<UInt32>?, _ handle: CUmodule?
    ) -> CUresult {
        guard let count else { return CUDA_ERROR_INVALID_VALUE }
        return withModule(handle) { module in
            count.pointee = UInt32(truncatingIfNeeded: module.snapshot.kernelNames.count)
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuModuleEnumerateFunctions`.
    public static func moduleEnumerateFunctions(
        _ functions: UnsafeMutablePointer<CUfunction?>?, _ count: UInt32, _ handle: CUmodule?
    ) -> CUresult {
        guard let functions else { return CUDA_ERROR_INVALID_VALUE }
        return withModule(handle) { module in
            for (index, name) in module.snapshot.kernelNames.enumerated() where index < Int(count) {
                let (status, function) = name.withUnsafeBytes { self.function($0, in: module) }
                guard let function else { return status }
                functions[index] = function.pointee.handle
            }
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuModuleGetGlobal_v2`.
    public static func moduleGetGlobalV2(
        _ address: UnsafeMutablePointer<CUdeviceptr>?, _ byteCount: UnsafeMutablePointer<Int>?, _ handle: CUmodule?,
        _ name: UnsafePointer<CChar>?
    ) -> CUresult {
        guard let name, address != nil || byteCount != nil else { return CUDA_ERROR_INVALID_VALUE }
        return withModule(handle) { module in
            guard let global = module.global(bytes(name)) else { return CUDA_ERROR_NOT_FOUND }
            address?.pointee = global.address
            byteCount?.pointee = Int(truncatingIfNeeded: global.byteCount)
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuModuleGetTexRef`.
    public static func moduleGetTexRef(
        _ result: UnsafeMutablePointer<CUtexref?>?, _ handle: CUmodule?, _ name: UnsafePointer<CChar>?
    ) -> CUresult {
        guard let result, let name else { return CUDA_ERROR_INVALID_VALUE }
        return withModule(handle) { module in
            guard let global = module.reference(bytes(name), .texture) else { return CUDA_ERROR_NOT_FOUND }
            guard let found = TextureReferences.handle(global, module) else { return CUDA_ERROR_OUT_OF_MEMORY }
            result.pointee = found
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuModuleGetSurfRef`.
    public static func moduleGetSurfRef(
        _ result: UnsafeMutablePointer<CUsurfref?>?, _ handle: CUmodule?, _ name: UnsafePointer<CChar>?
    ) -> CUresult {
        guard let result, let name else { return CUDA_ERROR_INVALID_VALUE }
        return withModule(handle) { module in
            guard let global = module.reference(bytes(name), .surface) else { return CUDA_ERROR_NOT_FOUND }
            guard let found = TextureReferences.handle(global, module) else { return CUDA_ERROR_OUT_OF_MEMORY }
            result.pointee = found
            return CUDA_SUCCESS
        }
    }
}
