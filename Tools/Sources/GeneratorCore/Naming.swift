import APIModel

extension FunctionDescription {
    /// The name split into its root, the number of its variant and the suffix of the per-thread form.
    var nameParts: (root: String, number: Int, suffix: String) {
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

    /// Whether this is the form of a function for the per-thread default stream.
    var isPerThread: Bool { !nameParts.suffix.isEmpty }
}

extension String {
    /// The text with its first letter in upper case.
    var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }

    /// `GLInit` becomes `glInit`, `MemAlloc_v2` becomes `memAllocV2`.
    var lowerCamel: String {
        var letters = Array(self)
        var count = 0
        while count < letters.count, letters[count].isUppercase { count += 1 }
        let lowered = count <= 1 || count == letters.count ? count : count - 1
        for index in 0..<lowered { letters[index] = Character(letters[index].lowercased()) }
        let parts = String(letters).split(separator: "_")
        return parts.enumerated().map { $0.offset == 0 ? String($0.element) : String($0.element).capitalizedFirst }
            .joined()
    }

    private static let keywords: Set<String> = [
        "in", "class", "default", "func", "var", "let", "operator", "protocol", "case", "switch", "return", "self",
        "init", "struct", "enum", "import", "repeat", "where", "is", "as", "internal", "public", "extension",
    ]

    /// The name as Swift source may use it.
    var swiftIdentifier: String { String.keywords.contains(self) ? "`\(self)`" : self }
}

extension LibraryDescription {
    /// The function with a name.
    func function(named name: String) -> FunctionDescription? { functions.first { $0.name == name } }

    /// The name of the Swift function behind an export: that of `sameAs`, without per-thread suffix.
    func swiftName(of function: FunctionDescription) -> String {
        let (root, number, _) = function.nameParts
        if let sameAs = function.sameAs, sameAs != function.name, let same = self.function(named: sameAs) {
            return swiftName(of: same)
        }
        if function.isPerThread {
            let plain = number == 1 ? root : "\(root)_v\(number)"
            if let base = self.function(named: plain) { return swiftName(of: base) }
        }
        if let swiftName = function.swiftName { return swiftName }
        let plain = number == 1 ? root : "\(root)_v\(number)"
        return String(plain.dropFirst(prefix.count)).lowerCamel
    }

    /// The families in the order of their first function.
    var families: [String] {
        var seen: Set<String> = []
        return functions.map(\.family).filter { seen.insert($0).inserted }
    }
}
