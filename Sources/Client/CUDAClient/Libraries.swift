internal import CCUDA
internal import CPosix
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

/// A kernel of a library: not yet of a context. In memory outside Swift's ownership, because launches take it.
struct KernelRecord {
    var handle: OpaquePointer
    var library: Unmanaged<LibraryRecord>
    /// With a terminator.
    var name: UnsafeMutablePointer<CChar>
    var nameByteCount: Int
    /// The function of the context that used the kernel last.
    var last: UnsafeMutablePointer<FunctionRecord>?
}

/// An image that is loaded in each context that uses it.
final class LibraryRecord {
    let handle: OpaquePointer
    let image: UnsafeRawBufferPointer
    private let ownsImage: Bool
    let options: JITOptions
    /// The image's hash, for all contexts; known after the first load. Guarded by ``loadLock``.
    private var knownHash: ContentHash?
    /// Held while a module is loaded, so that two threads don't load it twice.
    let loadLock = Lock()
    var modules: [ModuleRecord] = []
    var kernels: [UnsafeMutablePointer<KernelRecord>] = []

    init(handle: OpaquePointer, image: UnsafeRawBufferPointer, ownsImage: Bool, options: JITOptions) {
        self.handle = handle
        self.image = image
        self.ownsImage = ownsImage
        self.options = options
    }

    /// The hash of a large image; nil for a small one, which travels without.
    var hash: ContentHash? {
        if knownHash == nil, image.count >= WireLimits.hashedImageByteCountMin { knownHash = ContentHash(of: image) }
        return knownHash
    }

    deinit {
        if ownsImage, let start = image.baseAddress { free(UnsafeMutableRawPointer(mutating: start)) }
    }
}

extension CUDADriver {
    /// The library of a handle, or nil.
    static func libraryRecord(_ handle: CUlibrary?) -> LibraryRecord? {
        object(handle, .library, as: LibraryRecord.self)
    }

    /// The kernel of a handle, or nil.
    static func kernelRecord(_ handle: OpaquePointer?) -> UnsafeMutablePointer<KernelRecord>? {
        entry(handle, .kernel)?.pointee.object?.assumingMemoryBound(to: KernelRecord.self)
    }

    /// The library's module in a context, loaded when first asked for; nothing is sent before.
    static func module(
        of library: LibraryRecord, _ target: CallTarget, options: JITOptions? = nil
    ) -> (status: CUresult, module: ModuleRecord?) {
        library.loadLock.acquire()
        defer { library.loadLock.release() }
        if let loaded = loadedModule(of: library, in: target.context) { return (CUDA_SUCCESS, loaded) }
        let (status, module) = load(library.image, options ?? library.options, hash: library.hash, target)
        guard let module else { return (status, nil) }
        tablesLock.acquire()
        library.modules.removeAll { !$0.isLoaded }
        library.modules.append(module)
        tablesLock.release()
        return (CUDA_SUCCESS, module)
    }

    /// The library's module in a context, or in any, if it is loaded.
    private static func loadedModule(
        of library: LibraryRecord, in context: UnsafeMutablePointer<ContextState>?
    ) -> ModuleRecord? {
        tablesLock.acquire()
        defer { tablesLock.release() }
        for module in library.modules where module.isLoaded && (context == nil || module.context == context) {
            return module
        }
        return nil
    }

    /// A module of the library in any context: the current one if there is one.
    static func anyModule(of library: LibraryRecord) -> (status: CUresult, module: ModuleRecord?) {
        guard Session.isReady else { return (CUresult(status: Session.status), nil) }
        guard let thread = ThreadState.mine else { return (CUDA_ERROR_OUT_OF_MEMORY, nil) }
        if thread.pointee.current == nil, let loaded = loadedModule(of: library, in: nil) {
            return (CUDA_SUCCESS, loaded)
        }
        var found: ModuleRecord?
        let status = withContext { target in
            let (status, module) = module(of: library, target)
            found = module
            return status
        }
        return (status, found)
    }

    /// The function of a kernel in a context.
    static func function(
        of kernel: UnsafeMutablePointer<KernelRecord>, _ target: CallTarget
    ) -> (status: CUresult, function: UnsafeMutablePointer<FunctionRecord>?) {
        if let last = kernel.pointee.last, last.pointee.context == target.context,
            entry(last.pointee.handle, .function)?.pointee.object == UnsafeMutableRawPointer(last)
        {
            return (CUDA_SUCCESS, last)
        }
        let library = kernel.pointee.library.takeUnretainedValue()
        let (status, module) = module(of: library, target)
        guard let module else { return (status, nil) }
        let name = UnsafeRawBufferPointer(start: kernel.pointee.name, count: kernel.pointee.nameByteCount)
        let (loadStatus, function) = function(name, in: module)
        if let function { kernel.pointee.last = function }
        return (loadStatus, function)
    }

    /// The function that a handle names in the target's context: a function's own handle or a kernel's.
    @inline(__always)
    static func functionRecord(
        _ handle: CUfunction?, _ target: CallTarget
    ) -> (status: CUresult, function: UnsafeMutablePointer<FunctionRecord>?) {
        if let object = entry(handle, .function)?.pointee.object {
            return (CUDA_SUCCESS, object.assumingMemoryBound(to: FunctionRecord.self))
        }
        guard let kernel = kernelRecord(handle) else { return (CUDA_ERROR_INVALID_HANDLE, nil) }
        return function(of: kernel, target)
    }

    /// The kernel of a library by name, always the same handle.
    static func kernel(
        _ name: UnsafeRawBufferPointer, in library: LibraryRecord
    ) -> UnsafeMutablePointer<KernelRecord>? {
        guard let start = name.baseAddress, name.count > 0 else { return nil }
        tablesLock.acquire()
        defer { tablesLock.release() }
        for kernel in library.kernels
        where kernel.pointee.nameByteCount == name.count && memcmp(kernel.pointee.name, start, name.count) == 0 {
            return kernel
        }
        guard let made = makeHandle(.kernel, context: nil, object: nil) else { return nil }
        let text = UnsafeMutablePointer<CChar>.allocate(capacity: name.count &+ 1)
        for index in 0..<name.count { (text + index).initialize(to: CChar(bitPattern: name[index])) }
        (text + name.count).initialize(to: 0)
        let record = UnsafeMutablePointer<KernelRecord>.allocate(capacity: 1)
        record.initialize(
            to: KernelRecord(
                handle: made.handle, library: Unmanaged.passUnretained(library), name: text,
                nameByteCount: name.count, last: nil))
        entry(made.handle, .kernel)?.pointee.object = UnsafeMutableRawPointer(record)
        library.kernels.append(record)
        return record
    }
}
