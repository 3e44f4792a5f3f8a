import APIModel

/// Writes the names of the unsupported functions, so that the log can say what a program missed.
struct FunctionNamesEmitter {
    let library: LibraryDescription

    var files: [GeneratedFile] {
        var text = Banner.swift(library.source)
        text += "\n/// The functions that only answer \"not supported\".\nenum UnsupportedFunctions {\n"
        text += "    /// The C name by the function's number; empty for any other number.\n"
        text += "    static func name(of id: Int) -> StaticString {\n        switch id {\n"
        for function in library.functions where function.call == .unsupported {
            text += "        case \(function.id): \"\(function.name)\"\n"
        }
        text += "        default: \"\"\n        }\n    }\n}\n"
        return [GeneratedFile(path: "Sources/Client/CUDAClient/Generated/UnsupportedFunctions.swift", text: text)]
    }
}
