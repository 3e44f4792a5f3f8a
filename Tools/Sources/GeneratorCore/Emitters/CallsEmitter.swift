import APIModel

/// Writes the client's half of the functions whose call is generated.
struct CallsEmitter {
    let library: LibraryDescription
    private let resolver: TypeResolver

    init(library: LibraryDescription) {
        self.library = library
        resolver = TypeResolver(library.types)
    }

    var files: [GeneratedFile] {
        let functions = WireCommands.generatedFunctions(library)
        var families: [String] = []
        for function in functions where !families.contains(function.family) { families.append(function.family) }
        return families.map { family in
            var text = Banner.swift(library.source) + "public import CCUDA\nimport WireProtocol\n\n"
            text += "extension CUDADriver {\n"
            text += functions.filter { $0.family == family }.map(call).joined(separator: "\n") + "}\n"
            return GeneratedFile(
                path: "Sources/Client/CUDAClient/Generated/\(family.capitalizedFirst)Calls.swift", text: text)
        }
    }

    private func call(_ function: FunctionDescription) -> String {
        let parameters = function.parameters.map { parameter in
            "_ \(parameter.name.swiftIdentifier): \(resolver.swift(parameter.type, optional: "?"))"
        }
        let name = library.swiftName(of: function).swiftIdentifier
        let text =
            "    /// The corresponding C function is `\(function.name)`.\n"
            + Wrapping.list("public static func \(name)(", parameters, ") -> CUresult {", indent: "    ")
        return text + body(function) + "    }\n"
    }

    private func body(_ function: FunctionDescription) -> String {
        let command = library.swiftName(of: function).capitalizedFirst
        var text = ""
        var arguments: [String] = []
        var outputs: [ParameterDescription] = []
        var created: String?
        for parameter in function.parameters {
            let type = CType(parameter.type)
            let name = parameter.name.swiftIdentifier
            if !type.pointers.isEmpty {
                text += "        guard let \(name) else { return CUDA_ERROR_INVALID_VALUE }\n"
                if parameter.handle != nil, parameter.handle == function.returnsHandle {
                    created = name
                    arguments.append("\(parameter.name): id")
                } else {
                    outputs.append(parameter)
                }
            } else if let handle = parameter.handle {
                if handle == function.destroysHandle {
                    arguments.append("\(parameter.name): id")
                } else {
                    text += "        guard let \(name) = \(handle)ID(\(name)) else {"
                    text += " return CUDA_ERROR_INVALID_HANDLE }\n"
                    arguments.append("\(parameter.name): \(name)")
                }
            } else {
                arguments.append("\(parameter.name): \(value(name, type.name))")
            }
        }
        let value = "\(command)(\(arguments.joined(separator: ", ")))"
        if let handle = function.returnsHandle, let created {
            return text + closure("createHandle(.\(handle), \(created))", "\(verb(function))(\(value))")
        }
        if let handle = function.destroysHandle, let name = function.parameters.first?.name.swiftIdentifier {
            return text + closure("destroyHandle(.\(handle), \(name))", "\(verb(function))(\(value))")
        }
        guard !outputs.isEmpty else { return text + "        return \(verb(function))(\(value))\n" }
        text += "        var reply = \(command).Reply()\n        let status = call(\(value), &reply)\n"
        text += "        guard status == CUDA_SUCCESS else { return status }\n"
        for output in outputs { text += "        \(output.name.swiftIdentifier).pointee = \(result(output))\n" }
        return text + "        return CUDA_SUCCESS\n"
    }

    /// A call with a closure that gets an id.
    private func closure(_ call: String, _ body: String) -> String {
        let line = "        return \(call) { id in \(body) }\n"
        return line.count <= 121 ? line : "        return \(call) { id in\n            \(body)\n        }\n"
    }

    private func verb(_ function: FunctionDescription) -> String { function.call == .async ? "send" : "call" }

    /// The argument as its field's type.
    private func value(_ name: String, _ type: String) -> String {
        switch resolver.kind(of: type) {
        case .enumeration(let isSigned): isSigned ? "\(name).rawValue" : "Int32(bitPattern: \(name).rawValue)"
        case .integer(let swift, let wire) where swift == "Int" || swift == "UInt":
            "\(wire.swift)(truncatingIfNeeded: \(name))"
        default: name
        }
    }

    /// The output as its parameter's type.
    private func result(_ output: ParameterDescription) -> String {
        let type = CType(output.type).name
        let field = "reply.\(output.name)"
        switch resolver.kind(of: type) {
        case .enumeration(let isSigned):
            return isSigned ? "\(type)(rawValue: \(field))" : "\(type)(rawValue: UInt32(bitPattern: \(field)))"
        case .integer(let swift, _) where swift == "Int" || swift == "UInt":
            return "\(swift)(truncatingIfNeeded: \(field))"
        default: return field
        }
    }
}
