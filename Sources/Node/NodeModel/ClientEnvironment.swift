/// The files of an installation that a program's environment names.
public struct ClientFiles: Sendable, Hashable {
    /// The folder with `libcuda.so.1`.
    public var libraryDirectory: String
    /// The folder with programs of Roost's own, such as the stand-in for ptxas.
    public var toolDirectory: String
    /// Libraries to load first, so that programs link device code through the driver; only those that exist, since the
    /// loader complains about others in every process.
    public var standIns: [String]

    /// Names the files.
    public init(libraryDirectory: String, toolDirectory: String, standIns: [String]) {
        self.libraryDirectory = libraryDirectory
        self.toolDirectory = toolDirectory
        self.standIns = standIns
    }
}

/// What `roost run` knows about the place where a program will find its GPUs.
public struct ClientSetting: Sendable, Hashable {
    /// Where the workers serve, in the order of the devices' ordinals.
    public var endpoints: [String]
    /// The vGPUs' names; empty for a worker that no daemon keeps.
    public var vgpus: [String]
    /// The secret that opens them; nil where they need none.
    public var token: String?
    /// Whether a device runs kernels on the software GPU, so that programs must hand over PTX.
    public var isSoftware: Bool
    /// Whether each call waits for its result.
    public var isStrict: Bool
    /// What is installed.
    public var files: ClientFiles

    /// Describes a place.
    public init(
        endpoints: [String], vgpus: [String] = [], token: String?, isSoftware: Bool, isStrict: Bool = false,
        files: ClientFiles
    ) {
        self.endpoints = endpoints
        self.vgpus = vgpus
        self.token = token
        self.isSoftware = isSoftware
        self.isStrict = isStrict
        self.files = files
    }
}

/// The environment of a program on vGPUs: the caller's, with what our client libraries and the CUDA stack read.
public func clientEnvironment(
    for setting: ClientSetting, inheriting inherited: [String: String]
) -> [String: String] {
    var environment = inherited
    environment["ROOST_ENDPOINT"] = setting.endpoints.joined(separator: ";")
    environment["ROOST_TOKEN"] = setting.token
    environment["ROOST_VGPU"] = setting.vgpus.isEmpty ? nil : setting.vgpus.joined(separator: ";")
    if setting.isStrict { environment["ROOST_STRICT"] = "1" }

    // An empty entry means the current directory to the loader, so nothing is appended to an empty list.
    let searched = inherited["LD_LIBRARY_PATH"].flatMap { $0.isEmpty ? nil : ":" + $0 } ?? ""
    environment["LD_LIBRARY_PATH"] = setting.files.libraryDirectory + searched
    // The caller's choice among real devices does not name vGPUs.
    environment["CUDA_VISIBLE_DEVICES"] = nil

    guard setting.isSoftware else { return environment }
    // Each of these makes one family of clients hand over PTX instead of machine code; a caller's own choice stays.
    let forPTX = [
        "CUPY_COMPILE_WITH_PTX": "1",
        "TRITON_PTXAS_PATH": setting.files.toolDirectory + "/ptxas",
        "TRITON_PTXAS_BLACKWELL_PATH": setting.files.toolDirectory + "/ptxas",
    ]
    environment.merge(forPTX) { own, _ in own }
    // numba and cuda.core look for nvJitLink when they are imported, so the stand-in must be there before them.
    let preloaded = setting.files.standIns + (inherited["LD_PRELOAD"].map { [$0] } ?? []).filter { !$0.isEmpty }
    if !preloaded.isEmpty { environment["LD_PRELOAD"] = preloaded.joined(separator: ":") }
    return environment
}
