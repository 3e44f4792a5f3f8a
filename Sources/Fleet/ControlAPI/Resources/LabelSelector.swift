import FleetModel

/// Chooses by labels: `a=b,c!=d,e,!f`.
struct LabelSelector: Sendable, Hashable {
    private enum Term: Sendable, Hashable {
        case equals(String, String)
        case differs(String, String)
        case has(String)
        case lacks(String)
    }

    /// The most characters of a selector: escaped, they still fit into an address of 16 KiB.
    static let countMax = 1024
    /// The form as an ECMA regular expression, for the OpenAPI document.
    static let pattern: String = {
        let name = "[A-Za-z0-9._/-]{1,\(Names.labelByteCountMax)}"
        let term = "(!\(name)|\(name)(!?=[^!=,]*)?)"
        return "^\(term)(,\(term))*$"
    }()

    private let terms: [Term]

    /// Reads a selector; nil where the text is none.
    init?(_ text: String) {
        var terms: [Term] = []
        // Scalars, not characters: a sign is itself whatever accent stands behind it.
        let scalars = text.unicodeScalars
        guard scalars.count <= LabelSelector.countMax else { return nil }
        for part in scalars.split(separator: ",", omittingEmptySubsequences: false) {
            guard let term = LabelSelector.term(part) else { return nil }
            terms.append(term)
        }
        self.terms = terms
    }

    /// Whether labels are those that it chooses.
    func matches(_ labels: [String: String]) -> Bool {
        terms.allSatisfy { term in
            switch term {
            case .equals(let name, let value): labels[name] == value
            case .differs(let name, let value): labels[name] != value
            case .has(let name): labels[name] != nil
            case .lacks(let name): labels[name] == nil
            }
        }
    }

    private static func term(_ text: Substring.UnicodeScalarView) -> Term? {
        let isBarred = text.first == "!"
        let rest = isBarred ? text.dropFirst() : text
        let name = String(rest.prefix { $0 != "!" && $0 != "=" })
        var value = rest.dropFirst(name.unicodeScalars.count)
        guard Names.isLabelName(name) else { return nil }
        if value.isEmpty { return isBarred ? .lacks(name) : .has(name) }
        let isDifferent = value.first == "!"
        if isDifferent { value = value.dropFirst() }
        guard !isBarred, value.first == "=" else { return nil }
        value = value.dropFirst()
        guard !value.contains(where: { $0 == "!" || $0 == "=" }) else { return nil }
        return isDifferent ? .differs(name, String(value)) : .equals(name, String(value))
    }
}
