import APIModel
import Foundation

// Usage: import-headers <API folder> <include folders of CUDA 13> <include folders of CUDA 12> <include folder of NVML>
// Folders that belong together are joined by colons, newest version first: it wins where two declare the same type.

func load<T: Decodable>(_ type: T.Type, _ path: String) throws -> T? {
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    return try JSONDecoder().decode(type, from: Data(contentsOf: URL(fileURLWithPath: path)))
}

func save(_ text: String, _ path: String) throws {
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    print("wrote \(path)")
}

/// The kinds of object by the name of their handle type: `CUstream` gives `stream`.
func handleKinds(_ types: [TypeDescription]) -> [String: String] {
    var result: [String: String] = [:]
    for type in types where type.kind == .handle && type.name.hasPrefix("CU") {
        result[type.name] = type.name.dropFirst(2).prefix(1).lowercased() + type.name.dropFirst(3)
    }
    return result
}

/// Types and constants of the newest headers, then those that only older ones have.
func union(_ contents: [HeaderContents]) -> TypeFile {
    var file = TypeFile(constants: [], types: [])
    var typeNames: Set<String> = []
    var constantNames: Set<String> = []
    var values: Set<String> = []
    for content in contents {
        // An enumeration that was renamed since: its values are there already, under the new name.
        let renamed = content.types.filter { type in
            let isNew = !typeNames.contains("false \(type.name)")
            return isNew && (type.values ?? []).contains { values.contains($0.name) }
        }.map { "enum \($0.name)" }
        for type in content.types where typeNames.insert("\(type.kind == .alias) \(type.name)").inserted {
            if renamed.contains(type.type ?? "enum \(type.name)") { continue }
            file.types.append(type)
            values.formUnion((type.values ?? []).map(\.name))
        }
        for constant in content.constants where constantNames.insert(constant.name).inserted {
            file.constants.append(constant)
        }
    }
    return file
}

/// Makes a folder that stands in for the headers of OpenGL, EGL and VDPAU: their types as plain C ones.
func graphicsHeaders() throws -> URL {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("graphics-\(UUID().uuidString)")
    let texts = [
        "GL/gl.h": "#define GLuint unsigned int\n#define GLenum unsigned int\n", "EGL/egl.h": "#define EGLint int\n",
        "EGL/eglext.h": "#define EGLImageKHR void *\n#define EGLStreamKHR void *\n#define EGLSyncKHR void *\n",
        "vdpau/vdpau.h": "#define VdpDevice unsigned int\n#define VdpVideoSurface unsigned int\n"
            + "#define VdpOutputSurface unsigned int\n#define VdpGetProcAddress void\n",
    ]
    for (name, text) in texts {
        let file = folder.appendingPathComponent(name)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try text.write(to: file, atomically: true, encoding: .utf8)
    }
    return folder
}

func importCUDA(api: String, folders: [String]) throws {
    let graphics = try graphicsHeaders()
    defer { try? FileManager.default.removeItem(at: graphics) }
    let reader = HeaderReader(
        functionPrefix: "cu", typePrefixes: ["CU", "cuuint"], constantPrefixes: ["CU_", "CUDA_VERSION"])
    let contents = try folders.map { folder in
        try reader.read(
            Clang(
                includeFolders: folder.split(separator: ":").map(String.init) + [graphics.path],
                definitions: ["__CUDA_API_VERSION_INTERNAL"]),
            headers: [
                "cudaTypedefs.h", "cudaProfiler.h", "cudaProfilerTypedefs.h", "cudaGL.h", "cudaGLTypedefs.h",
                "cudaEGL.h",
                "cudaEGLTypedefs.h", "vdpau/vdpau.h", "cudaVDPAU.h", "cudaVDPAUTypedefs.h",
            ])
    }
    let functions = contents.flatMap(\.functions)
    let types = union(contents)
    let merge = Merge(
        family: Families.cudaFamily,
        versions: Versions.table(
            functions: functions.uniqued(), versionedNames: Set(contents.flatMap(\.versionedNames))),
        resultType: "CUresult", handles: handleKinds(types.types))
    let old = try load(FunctionFile.self, "\(api)/cuda.json")?.functions ?? []
    try save(JSONText.text(of: FunctionFile(functions: merge.merge(functions, into: old))), "\(api)/cuda.json")
    try save(JSONText.text(of: types), "\(api)/cuda-types.json")
}

func importNVML(api: String, folder: String) throws {
    let reader = HeaderReader(functionPrefix: "nvml", typePrefixes: ["nvml"], constantPrefixes: ["NVML_"])
    let contents = try reader.read(
        Clang(includeFolders: [folder], definitions: ["NVML_NO_UNVERSIONED_FUNC_DEFS"]), headers: ["nvml.h"])
    let merge = Merge(family: Families.nvmlFamily, versions: [:], resultType: "nvmlReturn_t", handles: [:])
    let old = try load(FunctionFile.self, "\(api)/nvml.json")?.functions ?? []
    try save(
        JSONText.text(of: FunctionFile(functions: merge.merge(contents.functions, into: old))), "\(api)/nvml.json")
    try save(JSONText.text(of: union([contents])), "\(api)/nvml-types.json")
}

extension [DeclaredFunction] {
    /// The first declaration of each name.
    fileprivate func uniqued() -> [DeclaredFunction] {
        var seen: Set<String> = []
        return filter { seen.insert($0.name).inserted }
    }
}

let arguments = CommandLine.arguments
guard arguments.count >= 5 else {
    print("usage: import-headers <API folder> <CUDA 13 include[:include]> <CUDA 12 include[:include]> <NVML include>")
    exit(2)
}
try importCUDA(api: arguments[1], folders: Array(arguments[2..<arguments.count - 1]))
try importNVML(api: arguments[1], folder: arguments[arguments.count - 1])
