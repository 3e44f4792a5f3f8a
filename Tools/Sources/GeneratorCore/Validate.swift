import APIModel

/// One thing that is wrong with the description.
public struct Problem: Equatable, Sendable, CustomStringConvertible {
    /// The sentence for the person at the terminal.
    public let description: String
}

/// Refuses descriptions that the emitters can't turn into correct code.
public struct Validate {
    private let api: APIDescription

    /// Creates the pass.
    public init(_ api: APIDescription) {
        self.api = api
    }

    /// All that is wrong, in the order of the description.
    public func problems() -> [Problem] {
        var texts = library(api.cuda) + library(api.nvml)
        texts +=
            duplicates(api.wire.map(\.id), "wire.json", "id") + duplicates(api.wire.map(\.name), "wire.json", "name")
        texts += api.wire.flatMap(command)
        let ids = WireCommands(api).all.map(\.id)
        texts += duplicates(ids, "the wire", "command id")
        return texts.map(Problem.init)
    }

    private func duplicates<T: Hashable>(_ values: [T], _ place: String, _ what: String) -> [String] {
        var seen: Set<T> = []
        return values.filter { !seen.insert($0).inserted }.map { "\(place): \(what) \($0) is there twice" }
    }

    private func library(_ library: LibraryDescription) -> [String] {
        let resolver = TypeResolver(library.types)
        var texts = duplicates(library.functions.map(\.id), library.source, "id")
        texts += duplicates(library.functions.map(\.name), library.source, "name")
        for function in library.functions {
            for parameter in function.parameters where resolver.kind(of: CType(parameter.type).name) == nil {
                texts.append("\(function.name): unknown type \(parameter.type) of \(parameter.name)")
            }
            if let sameAs = function.sameAs {
                let same = library.function(named: sameAs)
                if same == nil || same?.parameters.map(\.type) != function.parameters.map(\.type) {
                    texts.append("\(function.name): sameAs \(sameAs) has another signature")
                }
            }
            if function.call == .unsupported, function.reason == nil {
                texts.append("\(function.name): unsupported without a reason")
            }
            if function.call == .async || function.call == .sync {
                texts += generated(function, resolver)
            }
        }
        return texts
    }

    /// What a function needs so that its call can be generated.
    private func generated(_ function: FunctionDescription, _ resolver: TypeResolver) -> [String] {
        function.parameters.compactMap { parameter in
            let type = CType(parameter.type)
            let place = "\(function.name): \(parameter.name)"
            if type.pointers.isEmpty {
                return resolver.wireType(of: type.name) == nil ? "\(place) can't travel: \(parameter.type)" : nil
            }
            if parameter.handle != nil, parameter.handle == function.returnsHandle { return nil }
            if parameter.direction != .out, parameter.length == nil {
                return "\(place) is a pointer without a length"
            }
            if function.call == .async { return "\(place) is an output of an async function" }
            guard parameter.direction == .out, type.pointers.count == 1, resolver.wireType(of: type.name) != nil else {
                return "\(place) needs a custom call: \(parameter.type)"
            }
            return nil
        }
    }

    private func command(_ command: WireCommandDescription) -> [String] {
        var texts: [String] = []
        if command.call != .sync, command.call != .async { texts.append("\(command.name): call must be sync or async") }
        if command.call == .async, !command.outputs.isEmpty || command.bulkReply == true {
            texts.append("\(command.name): an async command has outputs")
        }
        if command.bulk == true, command.fields.first != WireField(name: "bulkByteCount", type: .u64) {
            texts.append("\(command.name): a bulk command begins with bulkByteCount")
        }
        for fields in [command.fields, command.outputs] where fields.dropLast().contains(where: { $0.type == .bytes }) {
            texts.append("\(command.name): bytes must be the last field")
        }
        if !(1..<1000).contains(command.id) { texts.append("\(command.name): ids below 1000 belong to wire.json") }
        return texts
    }
}
