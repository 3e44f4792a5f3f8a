import APIModel

/// Brings what the headers say into a description without losing what people wrote there.
struct Merge {
    /// The family of a function that is new.
    let family: (String) -> String
    /// The version that introduced each exported name.
    let versions: [String: Int]
    /// The result type that is not written down for each function.
    let resultType: String
    /// The kinds of object by the name of their handle type.
    let handles: [String: String]

    func merge(_ declared: [DeclaredFunction], into existing: [FunctionDescription]) -> [FunctionDescription] {
        var result = existing
        var places: [String: Int] = [:]
        for (index, function) in existing.enumerated() { places[function.name] = index }
        var nextID = (existing.map(\.id).max() ?? 0) + 1
        for function in declared {
            if let place = places[function.name] {
                result[place].parameters = parameters(function, old: result[place].parameters)
                if result[place].since == 0 { result[place].since = versions[function.name] ?? 0 }
                continue
            }
            var description = FunctionDescription(
                id: nextID, name: function.name, since: versions[function.name] ?? 0,
                family: family(function.name), call: .unsupported, parameters: parameters(function, old: []))
            if function.returns != resultType { description.returns = function.returns }
            places[function.name] = result.count
            result.append(description)
            nextID += 1
        }
        return result
    }

    private func parameters(_ function: DeclaredFunction, old: [ParameterDescription]) -> [ParameterDescription] {
        function.parameters.enumerated().map { index, declared in
            if var kept = old.first(where: { $0.name == declared.name }) {
                kept.type = declared.type
                return kept
            }
            var parameter = ParameterDescription(name: declared.name, type: declared.type)
            if Directions.isOutput(name: declared.name, type: declared.type) {
                parameter.direction = .out
                let rest = function.parameters.dropFirst(index + 1)
                if declared.type == "char *", let next = rest.first, Directions.isLength(next.name) {
                    parameter.length = next.name
                }
            }
            if declared.type == "const char *" { parameter.length = "string" }
            let target = declared.type.filter { $0 != "*" && $0 != " " }
            parameter.handle = declared.type.hasPrefix("const ") ? nil : handles[target]
            return parameter
        }
    }
}

/// Guesses what a pointer is for; people correct it in the description.
enum Directions {
    /// Arrays that functions only read although their type does not say so.
    private static let inputNames: Set<String> = [
        "options", "optionValues", "jitOptions", "jitOptionsValues", "libraryOptions", "libraryOptionValues",
        "kernelParams", "extra", "userData", "paramsArray", "dependencies", "nodeParams", "dptrs", "sizes", "resources",
        "attributes", "prefetchLocs", "prefetchLocIdxs", "args", "ctxCreateParams", "mapInfoList", "attrs", "attrsIdxs",
        "opList", "prop", "handle",
    ]

    static func isOutput(name: String, type: String) -> Bool {
        guard type.hasSuffix("*"), !type.hasPrefix("const ") || type.hasSuffix("**") else { return false }
        if type == "void *" { return name.hasPrefix("dst") || name == "data" || name == "value" }
        return !inputNames.contains(name)
    }

    static func isLength(_ name: String) -> Bool { ["len", "length", "bufferSize"].contains(name) }
}

/// Finds the version in which each exported variant of a function appeared.
enum Versions {
    /// Corrections where the headers of two generations disagree.
    private static let patches: [String: Int] = [
        "cuLogsRegisterCallback": 12080, "cuLogsUnregisterCallback": 12080, "cuLogsCurrent": 12080,
        "cuLogsDumpToFile": 12080, "cuLogsDumpToMemory": 12080,
    ]

    /// `cuMemAlloc_v2_ptsz` is variant 2 of `cuMemAlloc` for the per-thread stream.
    static func parts(of name: String) -> (root: String, number: Int, suffix: String) {
        var rest = Substring(name)
        var suffix = ""
        for candidate in ["_ptsz", "_ptds"] where rest.hasSuffix(candidate) {
            suffix = candidate
            rest = rest.dropLast(candidate.count)
        }
        guard let mark = rest.lastIndex(of: "_"), rest[mark...].hasPrefix("_v"),
            let number = Int(rest[mark...].dropFirst(2))
        else { return (String(rest), 1, suffix) }
        return (String(rest[..<mark]), number, suffix)
    }

    /// The n-th version of a name belongs to its n-th variant.
    static func table(functions: [DeclaredFunction], versionedNames: Set<String>) -> [String: Int] {
        var versions: [String: Set<Int>] = [:]
        for name in versionedNames {
            let (root, number, suffix) = parts(of: name)
            versions[root + suffix, default: []].insert(number)
        }
        var variants: [String: [(number: Int, name: String)]] = [:]
        for function in functions {
            let (root, number, suffix) = parts(of: function.name)
            variants[root + suffix, default: []].append((number, function.name))
        }
        var result: [String: Int] = [:]
        for (key, list) in variants {
            let sorted = list.sorted { $0.number < $1.number }
            for (variant, version) in zip(sorted, (versions[key] ?? []).sorted()) { result[variant.name] = version }
        }
        return result.merging(patches) { _, patch in patch }
    }
}
