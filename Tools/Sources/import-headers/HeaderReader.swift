import APIModel
import Foundation

/// A function as a header declares it.
struct DeclaredFunction {
    let name: String
    let returns: String
    let parameters: [(name: String, type: String)]
}

/// Everything that one set of headers declares.
struct HeaderContents {
    var functions: [DeclaredFunction] = []
    var types: [TypeDescription] = []
    var constants: [ConstantDescription] = []
    /// Names of the function pointer types that carry a version (`PFN_cuMemAlloc_v3020`), without their prefix.
    var versionedNames: [String] = []
}

/// Turns clang's tree into descriptions.
struct HeaderReader {
    /// Prefixes of the functions, types and constants to take.
    let functionPrefix: String
    let typePrefixes: [String]
    let constantPrefixes: [String]

    func read(_ clang: Clang, headers: [String]) throws -> HeaderContents {
        var contents = HeaderContents()
        var unnamed: ClangNode?
        let nodes = try clang.tree(including: headers)
        let complete = Set(nodes.filter { $0.kind == "RecordDecl" && $0.isCompleteDefinition }.map(\.name))
        for node in nodes {
            switch node.kind {
            case "FunctionDecl":
                if node.name.hasPrefix(functionPrefix) { contents.functions.append(function(node)) }
            case "RecordDecl", "EnumDecl":
                if node.name.isEmpty {
                    unnamed = node
                } else if let type = tagged(node, tag: node.name, complete: complete) {
                    contents.types.append(type)
                }
            case "TypedefDecl":
                if node.name.hasPrefix("PFN_\(functionPrefix)") {
                    contents.versionedNames.append(String(node.name.dropFirst(4)))
                } else if isWanted(node.name) {
                    contents.types += typedef(node, unnamed: unnamed, complete: complete)
                }
                unnamed = nil
            default: break
            }
        }
        let macros = try clang.macros(including: headers)
        contents.constants = macros.filter { macro in constantPrefixes.contains { macro.name.hasPrefix($0) } }
            .map { ConstantDescription(name: $0.name, value: $0.body) }
        return contents
    }

    private func isWanted(_ name: String) -> Bool {
        typePrefixes.contains { name.hasPrefix($0) }
    }

    private func function(_ node: ClangNode) -> DeclaredFunction {
        let parameters = node.children.filter { $0.kind == "ParmVarDecl" }.enumerated().map { index, parameter in
            (name: parameter.name.isEmpty ? "argument\(index)" : parameter.name, type: spelled(parameter.type))
        }
        let returns = String(node.type.prefix { $0 != "(" }).trimmingCharacters(in: .whitespaces)
        return DeclaredFunction(name: node.name, returns: returns, parameters: parameters)
    }

    private func tagged(_ node: ClangNode, tag: String, complete: Set<String>) -> TypeDescription? {
        guard isWanted(tag) || tag.hasPrefix("cuda") else { return nil }
        if node.kind == "EnumDecl" {
            return TypeDescription(kind: .enum, name: tag, tag: tag, values: values(node))
        }
        guard node.isCompleteDefinition || node.name.isEmpty else { return nil }
        let kind: TypeKind = node.tagUsed == "union" ? .union : .struct
        return TypeDescription(kind: kind, name: tag, tag: tag, fields: fields(node))
    }

    private func typedef(_ node: ClangNode, unnamed: ClangNode?, complete: Set<String>) -> [TypeDescription] {
        let type = spelled(node.type)
        if let unnamed, !type.contains("*") {
            guard let record = tagged(unnamed, tag: node.name, complete: complete) else { return [] }
            let keyword = unnamed.kind == "EnumDecl" ? "enum" : unnamed.tagUsed
            return [record, TypeDescription(kind: .alias, name: node.name, type: "\(keyword) \(node.name)")]
        }
        if let star = type.range(of: "(*)") {
            var description = TypeDescription(kind: .function, name: node.name)
            description.type = String(type[..<star.lowerBound]).trimmingCharacters(in: .whitespaces)
            description.parameters = parameterTypes(String(type[star.upperBound...]))
            return [description]
        }
        let words = type.split(separator: " ").map(String.init)
        if words.count == 3, words[0] == "struct", words[2] == "*", !complete.contains(words[1]) {
            return [TypeDescription(kind: .handle, name: node.name, tag: words[1])]
        }
        return [TypeDescription(kind: .alias, name: node.name, type: type)]
    }

    private func values(_ node: ClangNode) -> [EnumValue] {
        var next: Int64 = 0
        return node.children.filter { $0.kind == "EnumConstantDecl" }.map { constant in
            let value = constant.constant ?? next
            next = value + 1
            return EnumValue(name: constant.name, value: value)
        }
    }

    private func fields(_ node: ClangNode) -> [FieldDescription] {
        var pending: ClangNode?
        var result: [FieldDescription] = []
        for child in node.children {
            if child.kind == "RecordDecl" {
                pending = child
                continue
            }
            guard child.kind == "FieldDecl" else { continue }
            let (type, bounds) = split(spelled(child.type))
            var field = FieldDescription(name: child.name, type: type, bounds: bounds)
            field.alignment = child.children.first { $0.kind == "AlignedAttr" }?.constant.map(Int.init)
            if child.isBitfield { field.bits = child.constant.map(Int.init) }
            if let record = pending, isInline(type, record) {
                let kind: TypeKind = record.tagUsed == "union" ? .union : .struct
                field.type = ""
                field.record = InlineRecord(
                    kind: kind, tag: record.name.isEmpty ? nil : record.name, fields: fields(record))
                pending = nil
            }
            result.append(field)
        }
        return result
    }

    private func isInline(_ type: String, _ record: ClangNode) -> Bool {
        if record.name.isEmpty { return type.contains("(unnamed") || type.contains("(anonymous") }
        return type == "\(record.tagUsed) \(record.name)"
    }

    /// Splits `char[64]` into the type and its bounds.
    private func split(_ type: String) -> (type: String, bounds: String?) {
        guard !type.contains("(*"), type.hasSuffix("]"), let bracket = type.firstIndex(of: "[") else {
            return (type, nil)
        }
        return (String(type[..<bracket]).trimmingCharacters(in: .whitespaces), String(type[bracket...]))
    }

    private func parameterTypes(_ list: String) -> [String] {
        var depth = 0
        var parts: [String] = [""]
        for character in list.dropFirst().dropLast() {
            if character == "(" { depth += 1 }
            if character == ")" { depth -= 1 }
            if character == ",", depth == 0 {
                parts.append("")
            } else {
                parts[parts.count - 1].append(character)
            }
        }
        let types = parts.map { $0.trimmingCharacters(in: .whitespaces) }
        return types == ["void"] ? [] : types
    }

    /// One spelling for each type: no `restrict`, no top-level `const`.
    private func spelled(_ type: String) -> String {
        let words = type.replacingOccurrences(of: "restrict", with: "").split(separator: " ").map(String.init)
        let isPointer = type.contains("*")
        return (isPointer || words.first != "const" ? words : Array(words.dropFirst())).joined(separator: " ")
    }
}
