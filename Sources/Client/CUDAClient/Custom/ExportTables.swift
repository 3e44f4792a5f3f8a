public import CCUDA
internal import CPosix
internal import ClientRuntime
internal import Primitives

/// The private tables of functions that CUDA's own libraries ask the driver for.
///
/// Exactly the tables that they can't do without are answered; every other is denied, which all of them accept. The
/// tables are made once, in memory that stays, because the libraries keep the addresses and one of them is part of
/// the handshake.
enum ExportTables {
    typealias Slot = UnsafeMutableRawPointer?

    private struct Table {
        var id: [UInt8]
        var address: UnsafeMutablePointer<Slot>
    }

    // SAFETY: written once under `lock`; read-only afterwards.
    nonisolated(unsafe) private static var tables: [Table] = []
    private static let lock = Lock()

    fileprivate static let runtimeInterface: [UInt8] = [
        0x6B, 0xD5, 0xFB, 0x6C, 0x5B, 0xF4, 0xE7, 0x4A, 0x89, 0x87, 0xD9, 0x39, 0x12, 0xFD, 0x9D, 0xF9,
    ]
    private static let callbackHooks: [UInt8] = [
        0xA0, 0x94, 0x79, 0x8C, 0x2E, 0x74, 0x2E, 0x74, 0x93, 0xF2, 0x08, 0x00, 0x20, 0x0C, 0x0A, 0x66,
    ]
    private static let threadLocal: [UInt8] = [
        0x42, 0xD8, 0x5A, 0x81, 0x23, 0xF6, 0xCB, 0x47, 0x82, 0x98, 0xF6, 0xE7, 0x8A, 0x3A, 0xEC, 0xDC,
    ]
    private static let contextStorage: [UInt8] = [
        0xC6, 0x93, 0x33, 0x6E, 0x11, 0x21, 0xDF, 0x11, 0xA8, 0xC3, 0x68, 0xF3, 0x55, 0xD8, 0x95, 0x93,
    ]
    private static let contextChecks: [UInt8] = [
        0x26, 0x3E, 0x88, 0x60, 0x7C, 0xD2, 0x61, 0x43, 0x92, 0xF6, 0xBB, 0xD5, 0x00, 0x6D, 0xFA, 0x7E,
    ]
    fileprivate static let integrityCheck: [UInt8] = [
        0xD4, 0x08, 0x20, 0x55, 0xBD, 0xE6, 0x70, 0x4B, 0x8D, 0x34, 0xBA, 0x12, 0x3C, 0x66, 0xE1, 0xF2,
    ]
    private static let toolsContext: [UInt8] = [
        0x21, 0x31, 0x8C, 0x60, 0x97, 0x14, 0x32, 0x48, 0x8C, 0xA6, 0x41, 0xFF, 0x73, 0x24, 0xC8, 0xF2,
    ]
    private static let libraryHooks: [UInt8] = [
        0x17, 0x34, 0xDC, 0x26, 0x80, 0x0D, 0x47, 0x45, 0x87, 0x26, 0xC0, 0xF1, 0xE7, 0xDD, 0x8B, 0xCA,
    ]

    /// The table with this id, or nil.
    static func table(_ id: UnsafePointer<CUuuid>) -> UnsafeRawPointer? {
        lock.acquire()
        defer { lock.release() }
        if tables.isEmpty { makeAll() }
        let wanted = UnsafeRawBufferPointer(start: id, count: 16)
        for table in tables where table.id.equals(wanted) { return UnsafeRawPointer(table.address) }
        return nil
    }

    /// The address of a table that was made already.
    fileprivate static func address(_ id: [UInt8]) -> UnsafeMutablePointer<Slot>? {
        for table in tables where table.id == id { return table.address }
        return nil
    }

    // MARK: - Making

    private static let silent: @convention(c) () -> CUresult = { CUDA_SUCCESS }
    private static let refusing: @convention(c) () -> CUresult = { CUDA_ERROR_NOT_SUPPORTED }

    /// Memory for a table: slot 0 holds its size in bytes unless `hasSize` is false, the others `filler`.
    private static func make(
        _ id: [UInt8], slotCount: Int, filler: Slot, hasSize: Bool = true
    ) -> UnsafeMutablePointer<Slot> {
        let slots = UnsafeMutablePointer<Slot>.allocate(capacity: slotCount)
        slots.initialize(repeating: filler, count: slotCount)
        if hasSize { slots[0] = UnsafeMutableRawPointer(bitPattern: slotCount &* MemoryLayout<Slot>.stride) }
        tables.append(Table(id: id, address: slots))
        return slots
    }

    /// A function as a table keeps it.
    private static func slot<Function>(_ function: Function) -> Slot {
        // SAFETY: only called with C functions, which are addresses.
        unsafeBitCast(function, to: Slot.self)
    }

    private static func makeAll() {
        let nothing = slot(silent)
        let refusal = slot(refusing)
        let runtime = make(runtimeInterface, slotCount: 13, filler: refusal)
        runtime[1] = slot(RuntimeSlots.loadWrapped)
        runtime[2] = slot(RuntimeSlots.primaryContext)
        runtime[6] = slot(RuntimeSlots.loadWrappedMore)
        runtime[7] = nothing
        runtime[8] = slot(RuntimeSlots.loadBare)
        runtime[10] = nil
        runtime[12] = nothing
        let hooks = make(callbackHooks, slotCount: 7, filler: nothing)
        hooks[2] = slot(HookSlots.events)
        hooks[6] = slot(HookSlots.domains)
        let thread = make(threadLocal, slotCount: 4, filler: nothing)
        thread[2] = slot(ContextSlots.current)
        let storage = make(contextStorage, slotCount: 4, filler: nil, hasSize: false)
        storage[0] = slot(StorageSlots.put)
        storage[1] = slot(StorageSlots.remove)
        storage[2] = slot(StorageSlots.get)
        let checks = make(contextChecks, slotCount: 4, filler: nothing)
        checks[2] = slot(ContextSlots.check)
        let integrity = make(integrityCheck, slotCount: 3, filler: nothing)
        integrity[1] = slot(IntegritySlots.answer)
        let tools = make(toolsContext, slotCount: 64, filler: nothing)
        tools[3] = slot(ContextSlots.device)
        tools[4] = slot(ContextSlots.identifier)
        tools[39] = slot(ContextSlots.streamIdentifier)
        tools[51] = slot(ContextSlots.streamObject)
        _ = make(libraryHooks, slotCount: 16, filler: nothing)
    }
}

// MARK: - The functions in the tables

private enum RuntimeSlots {
    static let loadWrapped: @convention(c) (UnsafeMutablePointer<CUmodule?>?, UnsafeRawPointer?) -> CUresult = {
        CUDADriver.moduleLoadData($0, $1)
    }
    static let loadWrappedMore:
        @convention(c) (
            UnsafeMutablePointer<CUmodule?>?, UnsafeRawPointer?, UnsafeRawPointer?, UnsafeRawPointer?, UInt32
        ) -> CUresult = { module, image, _, _, _ in CUDADriver.moduleLoadData(module, image) }
    static let loadBare:
        @convention(c) (
            UnsafeRawPointer?, UnsafeMutablePointer<CUmodule?>?, UnsafeRawPointer?, UnsafeRawPointer?, UInt32
        ) -> CUresult = { image, module, _, _, _ in CUDADriver.moduleLoadData(module, image) }
    static let primaryContext: @convention(c) (UnsafeMutablePointer<CUcontext?>?, CUdevice) -> CUresult = {
        guard let result = $0 else { return CUDA_ERROR_INVALID_VALUE }
        return CUDADriver.withDevice($1) { device in
            guard let context = CUDADriver.primaryContext(of: device) else { return CUDA_ERROR_INVALID_DEVICE }
            result.pointee = CUDADriver.handle(of: context)
            return CUDA_SUCCESS
        }
    }
}

private enum HookSlots {
    // SAFETY: memory that nobody here writes; the flags in it stay "nobody listens".
    nonisolated(unsafe) private static let flags = calloc(1024, 8)

    static let events:
        @convention(c) (UnsafeMutablePointer<UnsafeMutableRawPointer?>?, UnsafeMutablePointer<Int>?) -> Void = {
            $0?.pointee = HookSlots.flags
            $1?.pointee = 1024
        }
    static let domains:
        @convention(c) (UnsafeMutablePointer<UnsafeMutableRawPointer?>?, UnsafeMutablePointer<Int>?) -> Void = {
            $0?.pointee = HookSlots.flags
            $1?.pointee = 14
        }
}

private enum ContextSlots {
    static let current: @convention(c) (UnsafeMutablePointer<CUcontext?>?) -> CUresult = {
        CUDADriver.ctxGetCurrent($0)
    }
    static let check:
        @convention(c) (
            CUcontext?, UnsafeMutablePointer<UInt32>?, UnsafeMutablePointer<UnsafeRawPointer?>?
        ) -> CUresult = { _, flag, _ in
            flag?.pointee = 0
            return CUDA_SUCCESS
        }
    static let device: @convention(c) (CUcontext?, UnsafeMutablePointer<CUdevice>?) -> CUresult = {
        CUDADriver.ctxGetDeviceV2($1, $0)
    }
    static let identifier: @convention(c) (CUcontext?, UnsafeMutablePointer<UInt64>?) -> CUresult = {
        CUDADriver.ctxGetId($0, $1)
    }
}

extension ContextSlots {
    /// A page of zeros that stands for the driver's own object behind any stream.
    // SAFETY: nobody here writes it.
    nonisolated(unsafe) private static let object = calloc(1, 4096)

    /// The object behind a stream. The libraries pass it on to the slot that tells its number.
    static let streamObject:
        @convention(c) (CUcontext?, CUstream?, UnsafeMutablePointer<UnsafeMutableRawPointer?>?) -> CUresult = {
            guard let result = $2 else { return CUDA_ERROR_INVALID_VALUE }
            result.pointee = ContextSlots.object
            return CUDA_SUCCESS
        }
    static let streamIdentifier:
        @convention(c) (CUcontext?, UnsafeMutableRawPointer?, UnsafeMutablePointer<UInt64>?) -> CUresult = {
            $2?.pointee = 0
            return CUDA_SUCCESS
        }
}

private enum StorageSlots {
    /// The context that a slot's argument means: null and -1 are the current one.
    private static func with(_ handle: CUcontext?, _ body: (ContextDetails) -> CUresult) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        let isCurrent = handle == nil || UInt(bitPattern: handle) == UInt.max
        let context = isCurrent ? ThreadState.mine?.pointee.current : CUDADriver.contextState(handle)
        guard let context else { return CUDA_ERROR_INVALID_CONTEXT }
        CUDADriver.tablesLock.acquire()
        defer { CUDADriver.tablesLock.release() }
        return body(CUDADriver.details(of: context))
    }

    static let put:
        @convention(c) (
            CUcontext?, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?, ContextLocalStorage.Destructor?
        ) -> CUresult = { context, key, value, destructor in
            StorageSlots.with(context) { details in
                details.localStorage.put(key, value, destructor)
                return CUDA_SUCCESS
            }
        }
    static let remove: @convention(c) (CUcontext?, UnsafeMutableRawPointer?) -> CUresult = { context, key in
        StorageSlots.with(context) { details in
            details.localStorage.remove(key) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE
        }
    }
    static let get:
        @convention(c) (
            UnsafeMutablePointer<UnsafeMutableRawPointer?>?, CUcontext?, UnsafeMutableRawPointer?
        ) -> CUresult = { result, context, key in
            StorageSlots.with(context) { details in
                guard let value = details.localStorage.value(key) else { return CUDA_ERROR_INVALID_HANDLE }
                result?.pointee = value
                return CUDA_SUCCESS
            }
        }
}

private enum IntegritySlots {
    static let answer: @convention(c) (UInt32, UInt64, UnsafeMutablePointer<UInt64>?) -> CUresult = {
        guard let result = $2 else { return CUDA_ERROR_INVALID_VALUE }
        guard ValidityHandshake.isEnabled else { return CUDA_ERROR_NOT_SUPPORTED }
        let words = ValidityHandshake.answer(version: $0, seconds: $1) { IntegritySlots.facts() }
        result[0] = words.0
        result[1] = words.1
        return CUDA_SUCCESS
    }

    private static func facts() -> ValidityFacts {
        let check = ExportTables.address(ExportTables.integrityCheck)
        return ValidityFacts(
            driverVersion: UInt32(bitPattern: CUDADriver.driverVersion),
            processID: UInt32(bitPattern: posix_process_id()), thread: threadWord(),
            runtimeTable: UInt64(UInt(bitPattern: ExportTables.address(ExportTables.runtimeInterface))),
            checkTable: UInt64(UInt(bitPattern: check)), checkFunction: UInt64(UInt(bitPattern: check?[1])),
            devices: Session.devices.map { device in
                var uuid = CUuuid()
                _ = CUDADriver.deviceGetUuid(&uuid, device.ordinal)
                return ValidityFacts.Device(
                    uuid: withUnsafeBytes(of: &uuid) { [UInt8]($0) },
                    pciDomain: CUDADriver.attribute(CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID, of: device),
                    pciBus: CUDADriver.attribute(CU_DEVICE_ATTRIBUTE_PCI_BUS_ID, of: device),
                    pciDevice: CUDADriver.attribute(CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID, of: device))
            })
    }

    /// The low half of what the C library calls this thread.
    private static func threadWord() -> UInt32 {
        guard let symbol = posix_dynamic_symbol("pthread_self") else { return 0 }
        typealias Own = @convention(c) () -> UInt
        // SAFETY: the C library's `pthread_self` has this signature.
        return UInt32(truncatingIfNeeded: unsafeBitCast(symbol, to: Own.self)())
    }
}

extension CUDADriver {
    /// The corresponding C function is `cuGetExportTable`.
    public static func getExportTable(
        _ result: UnsafeMutablePointer<UnsafeRawPointer?>?, _ id: UnsafePointer<CUuuid>?
    ) -> CUresult {
        guard let result, let id else { return CUDA_ERROR_INVALID_VALUE }
        result.pointee = ExportTables.table(id)
        return result.pointee == nil ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS
    }
}
