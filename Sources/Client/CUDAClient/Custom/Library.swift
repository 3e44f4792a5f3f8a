public import CCUDA
internal import CPosix
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

extension CUDADriver {
    /// The corresponding C function is `cuLibraryLoadData`.
    public static func libraryLoadData(
        _ result: UnsafeMutablePointer<CUlibrary?>?, _ code: UnsafeRawPointer?,
        _ jitOptions: UnsafeMutablePointer<CUjit_option>?, _ jitValues: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
        _ jitCount: UInt32, _ options: UnsafeMutablePointer<CUlibraryOption>?,
        _ values: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, _ count: UInt32
    ) -> CUresult {
        guard let result, let code else { return CUDA_ERROR_INVALID_VALUE }
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let jit = JITOptions(count: jitCount, options: jitOptions, values: jitValues) else {
            return CUDA_ERROR_INVALID_VALUE
        }
        guard let image = ImageLength.image(at: code) else { return CUDA_ERROR_INVALID_IMAGE }
        let isPreserved = isBinaryPreserved(options, values, count)
        return makeLibrary(result, image, isPreserved: isPreserved, jit)
    }

    /// Whether `CUDA_MODULE_LOADING` asks for all code at once.
    private static var isLoadingEager: Bool {
        Environment.text("CUDA_MODULE_LOADING").map { Environment.equals($0, "EAGER") } ?? false
    }

    private static func isBinaryPreserved(
        _ options: UnsafeMutablePointer<CUlibraryOption>?, _ values: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
        _ count: UInt32
    ) -> Bool {
        guard let options, count <= 64 else { return false }
        for index in 0..<Int(count) where options[index] == CU_LIBRARY_BINARY_IS_PRESERVED {
            guard let values else { return true }
            return UInt(bitPattern: values[index]) & 0xFFFF_FFFF != 0
        }
        return false
    }

    private static func makeLibrary(
        _ result: UnsafeMutablePointer<CUlibrary?>, _ image: UnsafeRawBufferPointer, isPreserved: Bool,
        _ jit: JITOptions
    ) -> CUresult {
        var bytes = image
        if !isPreserved {
            guard let copy = malloc(image.count), let start = image.baseAddress else { return CUDA_ERROR_OUT_OF_MEMORY }
            CPosix.memcpy(copy, start, image.count)
            bytes = UnsafeRawBufferPointer(start: copy, count: image.count)
        }
        guard let made = makeHandle(.library, context: nil, object: nil) else { return CUDA_ERROR_OUT_OF_MEMORY }
        let library = LibraryRecord(
            handle: made.handle, image: bytes, ownsImage: !isPreserved, options: jit.withoutLogs)
        // Nothing is sent before the first use, except where the program wants to read the compiler's log here.
        if isLoadingEager || jit.hasLogs, ThreadState.mine?.pointee.current != nil {
            let status = withContext { module(of: library, $0, options: jit).status }
            guard status == CUDA_SUCCESS else {
                _ = endHandle(made.handle, .library)
                return status
            }
        }
        entry(made.handle, .library)?.pointee.object = Unmanaged.passRetained(library).toOpaque()
        result.pointee = made.handle
        return CUDA_SUCCESS
    }

    /// The corresponding C function is `cuLibraryLoadFromFile`.
    public static func libraryLoadFromFile(
        _ result: UnsafeMutablePointer<CUlibrary?>?, _ path: UnsafePointer<CChar>?,
        _ jitOptions: UnsafeMutablePointer<CUjit_option>?, _ jitValues: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
        _ jitCount: UInt32, _ options: UnsafeMutablePointer<CUlibraryOption>?,
        _ values: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, _ count: UInt32
    ) -> CUresult {
        guard let result, let path else { return CUDA_ERROR_INVALID_VALUE }
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let jit = JITOptions(count: jitCount, options: jitOptions, values: jitValues) else {
            return CUDA_ERROR_INVALID_VALUE
        }
        return withFile(path) { file in
            guard let start = file.baseAddress, let image = ImageLength.image(at: start),
                image.count <= file.count || image.baseAddress != file.baseAddress
            else { return CUDA_ERROR_INVALID_IMAGE }
            return makeLibrary(result, image, isPreserved: false, jit)
        }
    }

    private static func withLibrary(_ handle: CUlibrary?, _ body: (LibraryRecord) -> CUresult) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let library = libraryRecord(handle) else { return CUDA_ERROR_INVALID_HANDLE }
        return body(library)
    }

    /// The corresponding C function is `cuLibraryUnload`.
    public static func libraryUnload(_ handle: CUlibrary?) -> CUresult {
        withLibrary(handle) { library in
            guard let object = endHandle(handle, .library) else { return CUDA_ERROR_INVALID_HANDLE }
            tablesLock.acquire()
            let modules = library.modules
            library.modules = []
            tablesLock.release()
            for module in modules where module.isLoaded { _ = unload(module) }
            for kernel in library.kernels { _ = endHandle(kernel.pointee.handle, .kernel) }
            Unmanaged<LibraryRecord>.fromOpaque(object).release()
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuLibraryGetKernel`.
    public static func libraryGetKernel(
        _ result: UnsafeMutablePointer<CUkernel?>?, _ handle: CUlibrary?, _ name: UnsafePointer<CChar>?
    ) -> CUresult {
        guard let result, let name else { return CUDA_ERROR_INVALID_VALUE }
        return withLibrary(handle) { library in
            let (status, module) = anyModule(of: library)
            // Without a context the name can't be checked yet; a wrong one shows at its first use.
            guard let module else {
                guard status == CUDA_ERROR_INVALID_CONTEXT else { return status }
                guard let kernel = kernel(bytes(name), in: library) else { return CUDA_ERROR_OUT_OF_MEMORY }
                result.pointee = kernel.pointee.handle
                return CUDA_SUCCESS
            }
            guard module.hasKernel(bytes(name)) else { return CUDA_ERROR_NOT_FOUND }
            guard let kernel = kernel(bytes(name), in: library) else { return CUDA_ERROR_OUT_OF_MEMORY }
            result.pointee = kernel.pointee.handle
            return CUDA_SUCCESS
        }
    }

    private static func withAnyModule(
        _ handle: CUlibrary?, _ body: (LibraryRecord, ModuleRecord) -> CUresult
    ) -> CUresult {
        withLibrary(handle) { library in
            let (status, module) = anyModule(of: library)
            guard let module else { return status }
            return body(library, module)
        }
    }

    /// The corresponding C function is `cuLibraryGetKernelCount`.
    public static func libraryGetKernelCount(_ count: UnsafeMutablePointer<UInt32>?, _ handle: CUlibrary?) -> CUresult {
        guard let count else { return CUDA_ERROR_INVALID_VALUE }
        return withAnyModule(handle) { _, module in
            count.pointee = UInt32(truncatingIfNeeded: module.snapshot.kernelNames.count)
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuLibraryEnumerateKernels`.
    public static func libraryEnumerateKernels(
        _ kernels: UnsafeMutablePointer<CUkernel?>?, _ count: UInt32, _ handle: CUlibrary?
    ) -> CUresult {
        guard let kernels else { return CUDA_ERROR_INVALID_VALUE }
        return withAnyModule(handle) { library, module in
            for (index, name) in module.snapshot.kernelNames.enumerated() where index < Int(count) {
                let kernel = name.withUnsafeBytes { self.kernel($0, in: library) }
                guard let kernel else { return CUDA_ERROR_OUT_OF_MEMORY }
                kernels[index] = kernel.pointee.handle
            }
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuLibraryGetModule`.
    public static func libraryGetModule(_ result: UnsafeMutablePointer<CUmodule?>?, _ handle: CUlibrary?) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        return withLibrary(handle) { library in
            withContext { target in
                let (status, module) = module(of: library, target)
                if let module { result.pointee = module.handle }
                return status
            }
        }
    }

    /// The corresponding C function is `cuLibraryGetGlobal`.
    public static func libraryGetGlobal(
        _ address: UnsafeMutablePointer<CUdeviceptr>?, _ byteCount: UnsafeMutablePointer<Int>?, _ handle: CUlibrary?,
        _ name: UnsafePointer<CChar>?
    ) -> CUresult {
        guard let name, address != nil || byteCount != nil else { return CUDA_ERROR_INVALID_VALUE }
        return withLibrary(handle) { library in
            withContext { target in
                let (status, module) = module(of: library, target)
                guard let module else { return status }
                guard let global = module.global(bytes(name)) else { return CUDA_ERROR_NOT_FOUND }
                address?.pointee = global.address
                byteCount?.pointee = Int(truncatingIfNeeded: global.byteCount)
                return CUDA_SUCCESS
            }
        }
    }

    /// The corresponding C function is `cuLibraryGetUnifiedFunction`. The device runs no code at host addresses.
    public static func libraryGetUnifiedFunction(
        _ result: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, _ handle: CUlibrary?, _ name: UnsafePointer<CChar>?
    ) -> CUresult {
        guard result != nil, name != nil else { return CUDA_ERROR_INVALID_VALUE }
        return withLibrary(handle) { _ in CUDA_ERROR_NOT_FOUND }
    }
}
