import APIModel

/// Writes what fixes the exported names: a version script for the linker and a list for a test.
struct LinkingEmitter {
    let library: LibraryDescription
    let soname: String

    var files: [GeneratedFile] {
        let names = library.functions.map(\.name).sorted()
        let script =
            Banner.script(library.source) + "{\n  global:\n" + names.map { "    \($0);\n" }.joined()
            + "  local:\n    *;\n};\n"
        let stem = soname.split(separator: ".").first.map(String.init) ?? soname
        return [
            GeneratedFile(path: "Linking/\(soname).map", text: script),
            GeneratedFile(path: "Tests/Fixtures/abi/\(stem).exports", text: names.map { "\($0)\n" }.joined()),
        ]
    }
}
