import APIModel

/// Writes the exported functions: one for each name, a line or two that hand the call on.
struct ExportsEmitter {
    let library: LibraryDescription
    /// The folder of the target in `Sources/Client`.
    let target: String
    /// The imports that every file needs.
    let imports: [String]
    /// The type that has the functions behind the exports.
    let driver: String
    /// What an unsupported function answers; nil to let the driver count the call.
    let notSupported: String?
    /// The statement that counts a call, before and after the function's number; nil where calls are not counted.
    let count: (String, String)?
    private let resolver: TypeResolver

    init(
        library: LibraryDescription, target: String, imports: [String], driver: String, notSupported: String? = nil,
        count: (String, String)? = nil
    ) {
        self.library = library
        self.target = target
        self.imports = imports
        self.driver = driver
        self.notSupported = notSupported
        self.count = count
        resolver = TypeResolver(library.types)
    }

    var files: [GeneratedFile] {
        library.families.map { family in
            let functions = library.functions.filter { $0.family == family }
            var imports = imports
            if functions.contains(where: { $0.supplies != nil }) { imports.append("import CUDAProcTable") }
            let text =
                Banner.swift(library.source) + imports.joined(separator: "\n") + "\n"
                + functions.map(export).joined()
            return GeneratedFile(
                path: "Sources/Client/\(target)/Generated/\(family.capitalizedFirst)Exports.swift", text: text)
        }
    }

    /// The exported function.
    func export(_ function: FunctionDescription) -> String {
        let parameters = function.parameters.map { parameter in
            "_ \(parameter.name.swiftIdentifier): \(resolver.swift(parameter.type, optional: "!"))"
        }
        let returns = resolver.swift(function.returns ?? library.resultType, optional: "!")
        let text =
            "\n@c @implementation\n"
            + Wrapping.list("public func \(function.name)(", parameters, ") -> \(returns) {")
        return text + body(function) + "}\n"
    }

    private func body(_ function: FunctionDescription) -> String {
        guard function.call != .unsupported else {
            return "    " + (notSupported ?? "\(driver).unsupported(\(function.id))") + "\n"
        }
        var preparation = count.map { "    \($0.0)\(function.id)\($0.1)\n" } ?? ""
        var arguments = function.parameters.map(\.name.swiftIdentifier)
        if function.isPerThread {
            for (index, parameter) in function.parameters.enumerated() {
                let type = CType(parameter.type)
                let name = arguments[index]
                if type.pointers.isEmpty, type.name == "CUstream" {
                    arguments[index] = "\(driver).perThread(\(name))"
                } else if let field = streamField(type) {
                    preparation += "    guard let \(name) else { return CUDA_ERROR_INVALID_VALUE }\n"
                    preparation += "    var perThread = \(name).pointee\n"
                    preparation += "    perThread.\(field) = \(driver).perThread(perThread.\(field))\n"
                    arguments[index] = "&perThread"
                }
            }
        }
        if let supplied = function.supplies { arguments.append(supplied) }
        let head = preparation.isEmpty ? "    " : "    return "
        let name = "\(driver).\(library.swiftName(of: function))("
        // A driver that counts its unsupported calls keeps a log of its refusals too.
        let report = notSupported == nil ? "\(driver).reported(\(function.id), " : ""
        let end = report.isEmpty ? ")" : "))"
        let line = head + report + name + arguments.joined(separator: ", ") + end
        guard line.count > 120 else { return preparation + line + "\n" }
        return preparation + head + report + name + "\n" + Wrapping.wrapped(arguments, indent: "        ") + end + "\n"
    }

    /// The member that holds the stream in a structure behind a constant pointer.
    private func streamField(_ type: CType) -> String? {
        guard type.pointers.count == 1, type.isConstant else { return nil }
        return resolver.fields(of: type.name).first { $0.type == "CUstream" }?.name
    }
}
