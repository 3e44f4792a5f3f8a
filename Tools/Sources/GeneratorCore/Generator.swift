/// Turns a description into all of its files.
public struct Generator {
    private let api: APIDescription

    /// Creates a generator; validate the description first.
    public init(_ api: APIDescription) {
        self.api = api
    }

    /// The files in a fixed order.
    public var files: [GeneratedFile] {
        let commands = WireCommands(api).all
        var files = CHeaderEmitter(library: api.cuda, moduleName: "CCUDA").files
        files += CHeaderEmitter(library: api.nvml, moduleName: "CNVML").files
        files +=
            ExportsEmitter(
                library: api.cuda, target: "CUDAExports", imports: ["public import CCUDA", "import CUDAClient"],
                driver: "CUDADriver", count: ("CUDADriver.enter(", ")")
            ).files
        files +=
            ExportsEmitter(
                library: api.nvml, target: "NVMLExports", imports: ["public import CNVML", "import NVMLClient"],
                driver: "NVMLDriver", notSupported: "NVML_ERROR_NOT_SUPPORTED"
            ).files
        files += CallsEmitter(library: api.cuda).files
        files += FunctionNamesEmitter(library: api.cuda).files
        files += CommandsEmitter(commands: commands).files
        files += WorkerEmitter(commands: commands).files
        files += ProcTableEmitter(library: api.cuda).files
        files += BindingEmitter(library: api.cuda).files
        files += LinkingEmitter(library: api.cuda, soname: "libcuda.so.1").files
        files += LinkingEmitter(library: api.nvml, soname: "libnvidia-ml.so.1").files
        files +=
            ErrorsEmitter(
                library: api.cuda, target: "CUDAClient", module: "CCUDA", tag: "cudaError_enum",
                typeName: "ErrorStrings"
            ).files
        files +=
            ErrorsEmitter(
                library: api.nvml, target: "NVMLClient", module: "CNVML", tag: "nvmlReturn_enum",
                typeName: "NVMLErrorStrings"
            ).files
        files += CoverageEmitter(api: api).files
        return files
    }
}
