import FleetModel

/// Chooses by labels: `a=b,c!=d,e,!f`.
struct LabelSelector: Sendable, Hashable {
    private enum Term: Sendable, Hashable {
        case equals(String, String)
        case differs(String, String)
        case has(String)
        case lacks(String)
    }

    private let terms: [Term]

    /// Reads a selector; nil where the text is none.
    init?(_ text: String) {
        var terms: [Term] = []
        guard !text.isEmpty, text.utf8.count <= 4096 else { return nil }
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
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

    private static func term(_ text: Substring) -> Term? {
        guard let match = text.wholeMatch(of: /(!?)([^!=]+)(?:(!?=)([^!=]*))?/) else { return nil }
        let name = String(match.2)
        guard Names.isLabelName(name) else { return nil }
        guard let sign = match.3 else { return match.1.isEmpty ? .has(name) : .lacks(name) }
        guard match.1.isEmpty else { return nil }
        return sign == "=" ? .equals(name, String(match.4 ?? "")) : .differs(name, String(match.4 ?? ""))
    }
}
