import APIModel

/// Writes the names of the functions, so that the log can say what a program missed, and counts what it called.
struct FunctionNamesEmitter {
    let library: LibraryDescription

    var files: [GeneratedFile] {
        var text = Banner.swift(library.source)
        text += "\n/// The exported functions.\nenum FunctionNames {\n"
        text += "    /// The C name by the function's number; empty for any other number.\n"
        text += "    static func name(of id: Int) -> StaticString {\n        switch id {\n"
        for function in library.functions {
            text += "        case \(function.id): \"\(function.name)\"\n"
        }
        text += "        default: \"\"\n        }\n    }\n}\n"
        return [GeneratedFile(path: "Sources/Client/CUDAClient/Generated/FunctionNames.swift", text: text)]
    }
}
