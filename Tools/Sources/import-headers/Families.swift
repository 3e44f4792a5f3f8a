/// Which part of the API a function belongs to, from its name.
enum Families {
    /// Prefixes of names after `cu`, most special first.
    private static let cuda: [(prefix: String, family: String)] = [
        ("GetError", "error"), ("Init", "init"), ("DriverGet", "init"), ("GetProcAddress", "init"),
        ("GetExportTable", "init"), ("ModuleGetLoadingMode", "init"), ("Profiler", "profiler"), ("Logs", "logs"),
        ("Coredump", "coredump"), ("Checkpoint", "checkpoint"), ("DevicePrimaryCtx", "context"),
        ("DeviceGetGraphMem", "graph"), ("DeviceSetGraphMem", "graph"), ("DeviceGraphMem", "graph"),
        ("DeviceRegisterAsync", "device"), ("DeviceGetP2P", "peer"), ("DeviceCanAccessPeer", "peer"),
        ("CtxEnablePeer", "peer"), ("CtxDisablePeer", "peer"), ("DeviceGetDevResource", "green"),
        ("CtxGetDevResource", "green"), ("CtxFromGreenCtx", "green"), ("GreenCtx", "green"),
        ("DevResource", "green"), ("DevSmResource", "green"), ("StreamGetDevResource", "green"),
        ("StreamGetGreenCtx", "green"), ("CtxRecordEvent", "green"), ("CtxWaitEvent", "green"),
        ("DeviceGetDefaultMemPool", "pool"), ("DeviceGetMemPool", "pool"), ("DeviceSetMemPool", "pool"),
        ("Device", "device"), ("Ctx", "context"), ("Module", "module"), ("Link", "linker"), ("Library", "library"),
        ("Kernel", "library"), ("Func", "execution"), ("Launch", "execution"), ("Param", "execution"),
        ("Occupancy", "occupancy"), ("StreamBegin", "capture"), ("StreamEnd", "capture"),
        ("StreamIsCapturing", "capture"), ("StreamGetCaptureInfo", "capture"), ("StreamUpdateCapture", "capture"),
        ("ThreadExchangeStreamCapture", "capture"), ("StreamWriteValue", "streamMemory"),
        ("StreamWaitValue", "streamMemory"), ("StreamBatchMemOp", "streamMemory"), ("Stream", "stream"),
        ("EventCreateFromEGL", "interop"), ("Event", "event"), ("Graphics", "interop"), ("Graph", "graph"),
        ("UserObject", "graph"),
        ("Import", "interop"), ("External", "interop"), ("DestroyExternal", "interop"), ("Signal", "interop"),
        ("WaitExternal", "interop"), ("GL", "interop"), ("EGL", "interop"), ("VDPAU", "interop"),
        ("TexRef", "texture"), ("TexObject", "texture"), ("SurfRef", "texture"), ("SurfObject", "texture"),
        ("TensorMap", "tensormap"), ("Multicast", "multicast"), ("LogicalEndpoint", "multicast"),
        ("FabricCpy", "multicast"), ("Ipc", "ipc"), ("Array", "array"), ("MipmappedArray", "array"),
        ("MemMapArray", "array"), ("MemAllocAsync", "pool"), ("MemAllocFromPool", "pool"), ("MemFreeAsync", "pool"),
        ("MemPool", "pool"), ("MemGetDefaultMemPool", "pool"), ("MemGetMemPool", "pool"),
        ("MemSetMemPool", "pool"), ("MemAddress", "virtualMemory"), ("MemCreate", "virtualMemory"),
        ("MemRelease", "virtualMemory"), ("MemMap", "virtualMemory"), ("MemUnmap", "virtualMemory"),
        ("MemSetAccess", "virtualMemory"), ("MemGetAccess", "virtualMemory"), ("MemExport", "virtualMemory"),
        ("MemImport", "virtualMemory"), ("MemGetAllocation", "virtualMemory"), ("MemRetain", "virtualMemory"),
        ("MemGetHandleForAddressRange", "virtualMemory"), ("MemBatchDecompress", "memory"), ("Memcpy", "copy"),
        ("Memset", "set"), ("Mem", "memory"), ("Pointer", "memory"), ("FlushGPUDirect", "memory"),
    ]

    private static let nvml: [(prefix: String, family: String)] = [
        ("Init", "init"), ("Shutdown", "init"), ("ErrorString", "init"), ("System", "system"), ("Unit", "unit"),
        ("Event", "event"), ("Vgpu", "vgpu"), ("GetVgpu", "vgpu"), ("SetVgpu", "vgpu"), ("DeviceGetVgpu", "vgpu"),
        ("DeviceSetVgpu", "vgpu"), ("GpuInstance", "mig"), ("ComputeInstance", "mig"), ("DeviceGetMig", "mig"),
        ("DeviceIsMig", "mig"), ("DeviceGetGpuInstance", "mig"), ("DeviceCreateGpuInstance", "mig"),
        ("DeviceGetNvLink", "nvlink"), ("DeviceSetNvLink", "nvlink"), ("DeviceResetNvLink", "nvlink"),
        ("DeviceFreezeNvLink", "nvlink"), ("DeviceGet", "device"), ("DeviceIs", "device"), ("DeviceOn", "device"),
        ("DeviceQuery", "device"), ("Device", "deviceControl"), ("Gpm", "gpm"), ("GetExcluded", "system"),
    ]

    static func cudaFamily(of name: String) -> String { family(of: name.dropFirst(2), in: cuda) }

    static func nvmlFamily(of name: String) -> String { family(of: name.dropFirst(4), in: nvml) }

    private static func family(of name: Substring, in table: [(prefix: String, family: String)]) -> String {
        table.first { name.hasPrefix($0.prefix) }?.family ?? "other"
    }
}
