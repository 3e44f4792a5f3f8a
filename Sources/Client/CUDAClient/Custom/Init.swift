public import CCUDA
internal import CPosix
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

extension CUDADriver {
    /// The driver version that programs see unless `ROOST_DRIVER_VERSION` says otherwise.
    private static let advertisedVersion: Int32 = 13_050

    // SAFETY: idempotent: every thread computes the same value.
    nonisolated(unsafe) private static var cachedVersion: Int32 = 0

    /// The version in `cuDriverGetVersion`, the export tables and `cuGetProcAddress`.
    static var driverVersion: Int32 {
        if cachedVersion == 0 {
            let wanted = Environment.number("ROOST_DRIVER_VERSION", atMost: 99_990) ?? 0
            cachedVersion = wanted >= 11_000 ? Int32(truncatingIfNeeded: wanted) : advertisedVersion
        }
        return cachedVersion
    }

    /// The corresponding C function is `cuInit`.
    public static func initialize(_ flags: UInt32) -> CUresult {
        guard flags == 0 else { return CUDA_ERROR_INVALID_VALUE }
        if Session.isReady { return CUDA_SUCCESS }
        initializationLock.acquire()
        defer { initializationLock.release() }
        if Session.isReady { return CUDA_SUCCESS }
        guard prepareRegions() else { return CUDA_ERROR_OUT_OF_MEMORY }
        let status = Session.start(nameOfFunction: FunctionNames.name(of:)) { preparePrimaryContexts() }
        return CUresult(status: status)
    }

    /// Makes the regions of handles for a call that is allowed before `cuInit`.
    static func prepareHandles() -> Bool {
        initializationLock.acquire()
        defer { initializationLock.release() }
        return prepareRegions()
    }

    private static func prepareRegions() -> Bool {
        if handleRegion == nil, let region = HandleRegion(slotCount: 1 << 20, slotShift: 9) {
            let memory = UnsafeMutablePointer<HandleRegion>.allocate(capacity: 1)
            memory.initialize(to: region)
            handleRegion = memory
        }
        if contextRegion == nil, let region = HandleRegion(slotCount: 1 << 16, slotShift: 12) {
            let memory = UnsafeMutablePointer<HandleRegion>.allocate(capacity: 1)
            memory.initialize(to: region)
            contextRegion = memory
        }
        return handleRegion != nil && contextRegion != nil
    }

    private static func preparePrimaryContexts() {
        for device in Session.devices {
            prepareAttributes(device)
            if let context = makeContext(on: device) {
                details(of: context).isPrimary = true
                primaryContexts.append(context)
            }
        }
    }

    /// The corresponding C function is `cuDriverGetVersion`.
    public static func driverGetVersion(_ version: UnsafeMutablePointer<Int32>?) -> CUresult {
        guard let version else { return CUDA_ERROR_INVALID_VALUE }
        version.pointee = driverVersion
        return CUDA_SUCCESS
    }

    /// The corresponding C function is `cuModuleGetLoadingMode`.
    public static func moduleGetLoadingMode(_ mode: UnsafeMutablePointer<CUmoduleLoadingMode>?) -> CUresult {
        guard let mode else { return CUDA_ERROR_INVALID_VALUE }
        guard Session.isReady else { return CUresult(status: Session.status) }
        mode.pointee = CU_MODULE_LAZY_LOADING
        return CUDA_SUCCESS
    }

    /// Finds the newest variant of a function by name; the exports pass the generated table's function.
    public typealias ProcLookup = (
        UnsafePointer<CChar>?, Int32, UInt64, UnsafeMutablePointer<UnsafeMutableRawPointer?>?
    ) -> Int32

    /// The corresponding C function is `cuGetProcAddress_v2`.
    public static func getProcAddressV2(
        _ symbol: UnsafePointer<CChar>?, _ pointer: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, _ version: Int32,
        _ flags: cuuint64_t, _ symbolStatus: UnsafeMutablePointer<CUdriverProcAddressQueryResult>?,
        _ lookup: ProcLookup
    ) -> CUresult {
        guard let symbol, let pointer else { return CUDA_ERROR_INVALID_VALUE }
        pointer.pointee = nil
        symbolStatus?.pointee = CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND
        guard symbol[0] != 0 else { return CUDA_ERROR_NOT_FOUND }
        // Nobody can know what a driver of a later version would have.
        guard flags <= 2, version >= 0, version <= driverVersion else { return CUDA_ERROR_INVALID_VALUE }
        switch lookup(symbol, version, flags, pointer) {
        case 0:
            symbolStatus?.pointee = CU_GET_PROC_ADDRESS_SUCCESS
            return CUDA_SUCCESS
        case 2:
            pointer.pointee = nil
            symbolStatus?.pointee = CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT
            return symbolStatus == nil ? CUDA_ERROR_NOT_FOUND : CUDA_SUCCESS
        default:
            pointer.pointee = nil
            return symbolStatus == nil ? CUDA_ERROR_NOT_FOUND : CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuGetProcAddress`.
    public static func getProcAddress(
        _ symbol: UnsafePointer<CChar>?, _ pointer: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, _ version: Int32,
        _ flags: cuuint64_t, _ lookup: ProcLookup
    ) -> CUresult {
        getProcAddressV2(symbol, pointer, version, flags, nil, lookup)
    }

    /// The corresponding C function is `cuGetErrorName`.
    public static func getErrorName(
        _ error: CUresult, _ text: UnsafeMutablePointer<UnsafePointer<CChar>?>?
    ) -> CUresult {
        guard let text else { return CUDA_ERROR_INVALID_VALUE }
        return write(ErrorStrings.name(error), text)
    }

    /// The corresponding C function is `cuGetErrorString`.
    public static func getErrorString(
        _ error: CUresult, _ text: UnsafeMutablePointer<UnsafePointer<CChar>?>?
    ) -> CUresult {
        guard let text else { return CUDA_ERROR_INVALID_VALUE }
        return write(ErrorStrings.message(error), text)
    }

    private static func write(
        _ string: StaticString?, _ text: UnsafeMutablePointer<UnsafePointer<CChar>?>
    ) -> CUresult {
        guard let string else {
            text.pointee = nil
            return CUDA_ERROR_INVALID_VALUE
        }
        text.pointee = UnsafeRawPointer(string.utf8Start).assumingMemoryBound(to: CChar.self)
        return CUDA_SUCCESS
    }
}
