public import CCUDA
internal import CPosix
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

extension CUDADriver {
    /// The corresponding C function is `cuLibraryGetManaged`.
    ///
    /// The runtime asks before there is any context. It goes on with the primary one of device 0 then, so the variable
    /// is that one's; a module that is loaded into another context has a variable of its own.
    public static func libraryGetManaged(
        _ address: UnsafeMutablePointer<CUdeviceptr>?, _ byteCount: UnsafeMutablePointer<Int>?, _ handle: CUlibrary?,
        _ name: UnsafePointer<CChar>?
    ) -> CUresult {
        guard let name, address != nil || byteCount != nil else { return CUDA_ERROR_INVALID_VALUE }
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let thread = ThreadState.mine else { return CUDA_ERROR_OUT_OF_MEMORY }
        guard let library = libraryRecord(handle) else { return CUDA_ERROR_INVALID_HANDLE }
        var found = anyModule(of: library)
        if found.status == CUDA_ERROR_INVALID_CONTEXT, thread.pointee.current == nil {
            found = primaryModule(of: library, thread)
        }
        guard let module = found.module else { return found.status }
        guard let global = module.global(bytes(name)), global.isManaged else { return CUDA_ERROR_NOT_FOUND }
        address?.pointee = global.address
        byteCount?.pointee = Int(truncatingIfNeeded: global.byteCount)
        return CUDA_SUCCESS
    }

    /// Loads a library into the primary context of device 0, which stays retained: the variables live in it.
    private static func primaryModule(
        of library: LibraryRecord, _ thread: UnsafeMutablePointer<ThreadState>
    ) -> (status: CUresult, module: ModuleRecord?) {
        var handle: CUcontext?
        let status = devicePrimaryCtxRetain(&handle, 0)
        guard status == CUDA_SUCCESS else { return (status, nil) }
        guard let device = Session.devices.first, let context = primaryContext(of: device) else {
            return (CUDA_ERROR_NO_DEVICE, nil)
        }
        var found: ModuleRecord?
        let loaded = with(context, thread) { target in
            let (status, module) = module(of: library, target)
            found = module
            return status
        }
        return (loaded, found)
    }

    /// Makes a fresh module's variables known as device memory, and gives the managed ones pages of the host at their
    /// device addresses.
    ///
    /// The pages stay when the module goes: its neighbours in the arena may have variables on them too.
    static func showVariables(of module: ModuleRecord, _ target: CallTarget) {
        guard let device = device(of: target.context) else { return }
        for global in module.snapshot.globals {
            device.memory.adopt(global.address, byteCount: global.byteCount)
            guard global.isManaged else { continue }
            // Only where module variables lie, so that a wrong word of the worker overwrites nothing of the process.
            guard device.hasArena, device.memory.holdsPages(global.address, byteCount: global.byteCount),
                openPages(global), let host = UnsafeMutableRawPointer(bitPattern: UInt(global.address)),
                Mirrors.addFetched(
                    host: host, deviceAddress: global.address, byteCount: Int(global.byteCount), target)
            else {
                ClientLog.problem("a managed variable can't be shown to the host")
                continue
            }
        }
    }

    /// Whether all of a range is one piece of managed memory, allocated or a module's.
    static func isManaged(_ address: UInt64, byteCount: UInt64) -> Bool {
        guard let device = device(containing: address) else { return false }
        if let block = device.memory.block(containing: address) {
            return block.kind == MemoryKind.managed.rawValue
                && byteCount <= block.byteCount &- (address &- block.address)
        }
        guard let (global, _) = global(containing: address) else { return false }
        return global.isManaged && byteCount <= global.byteCount &- (address &- global.address)
    }

    private static func openPages(_ global: ModuleSnapshot.Global) -> Bool {
        let page = UInt64(posix_page_byte_count())
        let first = global.address & ~(page &- 1)
        let last = (global.address &+ global.byteCount &+ page &- 1) & ~(page &- 1)
        guard let start = UnsafeMutableRawPointer(bitPattern: UInt(first)) else { return false }
        return posix_protect(start, Int(last &- first), Int32(POSIX_PROTECT_READ | POSIX_PROTECT_WRITE)) == 0
    }
}
