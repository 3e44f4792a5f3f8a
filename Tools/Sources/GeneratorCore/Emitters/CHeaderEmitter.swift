import APIModel

/// Writes the C header of a library: constants, types, functions by their exported names.
struct CHeaderEmitter {
    let library: LibraryDescription
    let moduleName: String

    var files: [GeneratedFile] {
        [
            GeneratedFile(
                path: "Sources/Protocol/\(moduleName)/include/\(moduleName).h", text: header),
            GeneratedFile(
                path: "Sources/Protocol/\(moduleName)/\(moduleName).c",
                text: Banner.c(library.source) + "#include \"\(moduleName).h\"\n"),
        ]
    }

    private var header: String {
        let guardName = "ROOST_\(moduleName.uppercased())_H"
        var text = Banner.c(library.source)
        text += "#ifndef \(guardName)\n#define \(guardName)\n\n#include <stddef.h>\n#include <stdint.h>\n\n"
        text += "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n// Constants\n\n"
        text += library.types.constants.map { "#define \($0.name) \($0.value)\n" }.joined()
        text += "\n// Types\n\n"
        text += library.types.types.map(declaration).joined()
        for family in library.families {
            text += "\n// Functions: \(family)\n\n"
            text += library.functions.filter { $0.family == family }.map(prototype).joined()
        }
        return text + "\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n"
    }

    private func declaration(_ type: TypeDescription) -> String {
        switch type.kind {
        case .alias: return "typedef \(CDeclaration.declarator(type.type ?? "int", type.name));\n"
        case .handle: return "typedef struct \(type.tag ?? type.name) *\(type.name);\n"
        case .opaque: return "struct \(type.name);\n"
        case .enum:
            let values = (type.values ?? []).map { "    \($0.name) = \(number($0.value)),\n" }.joined()
            return "\nenum \(type.tag ?? type.name) {\n\(values)};\n"
        case .struct, .union:
            let fields = (type.fields ?? []).map { field($0, indent: "    ") }.joined()
            return "\n\(type.kind.rawValue) \(type.tag ?? type.name) {\n\(fields)};\n"
        case .function:
            let parameters = (type.parameters ?? []).joined(separator: ", ")
            return "typedef \(type.type ?? "void") (*\(type.name))(\(parameters.isEmpty ? "void" : parameters));\n"
        }
    }

    /// Values beyond `int` need a suffix.
    private func number(_ value: Int64) -> String {
        value > Int64(Int32.max) ? "0x\(String(value, radix: 16))u" : "\(value)"
    }

    private func field(_ field: FieldDescription, indent: String) -> String {
        let alignment = field.alignment.map { "__attribute__((aligned(\($0)))) " } ?? ""
        let bits = field.bits.map { " : \($0)" } ?? ""
        if let record = field.record {
            let inner = record.fields.map { self.field($0, indent: indent + "    ") }.joined()
            let tag = record.tag.map { " \($0)" } ?? ""
            let name = field.name.isEmpty ? "" : " \(field.name)"
            return "\(indent)\(record.kind.rawValue)\(tag) {\n\(inner)\(indent)}\(name)\(field.bounds ?? "");\n"
        }
        return "\(indent)\(alignment)\(CDeclaration.declarator(field.type, field.name))\(field.bounds ?? "")\(bits);\n"
    }

    private func prototype(_ function: FunctionDescription) -> String {
        let returns = CDeclaration.declarator(function.returns ?? library.resultType, function.name)
        return "\(returns)(\(CDeclaration.parameters(function)));\n"
    }
}
