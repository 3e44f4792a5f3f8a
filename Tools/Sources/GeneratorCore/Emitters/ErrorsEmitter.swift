import APIModel

/// Writes the names and sentences of result codes.
struct ErrorsEmitter {
    let library: LibraryDescription
    /// The folder of the target in `Sources/Client`.
    let target: String
    /// The C module with the codes.
    let module: String
    /// The tag of the enumeration with the codes.
    let tag: String
    /// The name of the Swift type to write.
    let typeName: String

    var files: [GeneratedFile] {
        let values = library.types.types.first { $0.kind == .enum && $0.tag == tag }?.values ?? []
        var messages: [String: String] = [:]
        for error in library.errors { messages[error.name] = error.message }
        var seen: Set<Int64> = []
        let codes = values.filter { seen.insert($0.value).inserted && messages[$0.name] != nil }
        var text = Banner.swift("\(library.source.dropLast(5))-errors.json") + "public import \(module)\n\n"
        text += "/// What the result codes are called and what they mean.\npublic enum \(typeName) {\n"
        text += table("name", "The code's C name; nil for an unknown code.", codes.map { ($0.name, $0.name) })
        text += "\n"
        text += table(
            "message", "A sentence about the code; nil for an unknown code.",
            codes.map { ($0.name, messages[$0.name] ?? "") })
        text += "}\n"
        return [GeneratedFile(path: "Sources/Client/\(target)/Generated/\(typeName).swift", text: text)]
    }

    private func table(_ name: String, _ doc: String, _ rows: [(code: String, text: String)]) -> String {
        var text = "    /// \(doc)\n    public static func \(name)(_ code: \(library.resultType)) -> StaticString? {\n"
        text += "        switch code {\n"
        for row in rows { text += "        case \(row.code): \"\(row.text)\"\n" }
        return text + "        default: nil\n        }\n    }\n"
    }
}
