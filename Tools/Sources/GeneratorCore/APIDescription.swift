public import APIModel
public import Foundation

/// Everything that the files in `API/` say about one C library.
public struct LibraryDescription: Sendable {
    /// The description's file name.
    public let source: String
    /// The type that functions answer with.
    public let resultType: String
    /// What every name begins with.
    public let prefix: String
    /// The functions, ordered by id.
    public var functions: [FunctionDescription]
    /// Constants and types.
    public var types: TypeFile
    /// The sentences for result codes.
    public var errors: [ErrorMessage]

    /// Creates a description.
    public init(
        source: String, resultType: String, prefix: String, functions: [FunctionDescription], types: TypeFile,
        errors: [ErrorMessage]
    ) {
        self.source = source
        self.resultType = resultType
        self.prefix = prefix
        self.functions = functions
        self.types = types
        self.errors = errors
    }
}

/// The whole description: two libraries and the wire.
public struct APIDescription: Sendable {
    /// The CUDA driver API.
    public var cuda: LibraryDescription
    /// The NVIDIA management library.
    public var nvml: LibraryDescription
    /// Commands that are no function of a C API.
    public var wire: [WireCommandDescription]

    /// Creates a description.
    public init(cuda: LibraryDescription, nvml: LibraryDescription, wire: [WireCommandDescription]) {
        self.cuda = cuda
        self.nvml = nvml
        self.wire = wire
    }

    /// Reads the files of a folder.
    public init(folder: URL) throws {
        func load<T: Decodable>(_ type: T.Type, _ name: String) throws -> T {
            try JSONDecoder().decode(type, from: Data(contentsOf: folder.appendingPathComponent(name)))
        }
        cuda = LibraryDescription(
            source: "cuda.json", resultType: "CUresult", prefix: "cu",
            functions: try load(FunctionFile.self, "cuda.json").functions,
            types: try load(TypeFile.self, "cuda-types.json"),
            errors: try load(ErrorFile.self, "cuda-errors.json").errors)
        nvml = LibraryDescription(
            source: "nvml.json", resultType: "nvmlReturn_t", prefix: "nvml",
            functions: try load(FunctionFile.self, "nvml.json").functions,
            types: try load(TypeFile.self, "nvml-types.json"),
            errors: try load(ErrorFile.self, "nvml-errors.json").errors)
        wire = try load(WireFile.self, "wire.json").commands
    }
}
