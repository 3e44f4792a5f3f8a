import APIModel

/// A command and where it comes from.
struct WireCommand {
    let description: WireCommandDescription
    /// `wire` or the family of its function.
    let family: String

    var id: Int { description.id }
    var name: String { description.name }
    var typeName: String { description.typeName ?? description.name.capitalizedFirst }
    var isBulk: Bool { description.bulk == true }
    var hasBulkReply: Bool { description.bulkReply == true }
}

/// All commands: those of `wire.json` and one for each function whose call is generated.
struct WireCommands {
    let all: [WireCommand]

    init(_ api: APIDescription) {
        let resolver = TypeResolver(api.cuda.types)
        var commands = api.wire.map { WireCommand(description: $0, family: "wire") }
        for function in WireCommands.generatedFunctions(api.cuda) {
            let description = WireCommands.describe(function, api.cuda, resolver)
            commands.append(WireCommand(description: description, family: function.family))
        }
        all = commands.sorted { $0.id < $1.id }
    }

    /// The functions that have a command of their own: neither a per-thread form nor the same as another.
    static func generatedFunctions(_ library: LibraryDescription) -> [FunctionDescription] {
        library.functions.filter { function in
            (function.call == .async || function.call == .sync) && !function.isPerThread && function.sameAs == nil
        }
    }

    private static func describe(
        _ function: FunctionDescription, _ library: LibraryDescription, _ resolver: TypeResolver
    ) -> WireCommandDescription {
        var fields: [WireField] = []
        var outputs: [WireField] = []
        for parameter in function.parameters {
            let type = CType(parameter.type)
            guard let wire = resolver.wireType(of: type.name) else { continue }
            let isOutput = !type.pointers.isEmpty && parameter.handle != function.returnsHandle
            if type.pointers.isEmpty || (!isOutput && function.returnsHandle != nil) {
                fields.append(WireField(name: parameter.name, type: wire))
            } else {
                outputs.append(WireField(name: parameter.name, type: wire))
            }
        }
        return WireCommandDescription(
            id: 1000 + function.id, name: library.swiftName(of: function),
            doc: "Corresponds to the C function `\(function.name)`.", call: function.call, fields: fields,
            outputs: outputs)
    }
}
