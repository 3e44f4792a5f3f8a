public import FleetModel
import Yams

/// Writes manifests so that people like to read them: `apiVersion`, `kind`, `metadata`, `spec`, `status`, and the
/// fields of each kind in the order of its description.
public enum ManifestWriter {
    /// YAML, with `---` between several documents.
    public static func yaml(_ documents: [JSONValue]) throws -> String {
        try documents.map { document in
            let node = node(document, order: .document(kindName: document["kind"]?.text))
            return try Yams.serialize(node: node, indent: 2, width: -1, allowUnicode: true)
        }.joined(separator: "---\n")
    }

    /// Indented JSON: the value itself.
    public static func json(_ value: JSONValue) -> String {
        var text = ""
        write(value, order: .document(kindName: value["kind"]?.text), indent: "", to: &text)
        return text
    }

    /// The order of an object's members.
    private indirect enum Order {
        case document(kindName: String?)
        case fields([FieldSchema])
        case alphabetic

        func sorted(_ members: [String: JSONValue]) -> [(key: String, value: JSONValue)] {
            let names: [String] =
                switch self {
                case .document: ["apiVersion", "kind", "metadata", "spec", "status", "type", "data"]
                case .fields(let fields): fields.map(\.name)
                case .alphabetic: []
                }
            let known = names.filter { members[$0] != nil }
            let others = members.keys.filter { !known.contains($0) }.sorted()
            return (known + others).compactMap { name in members[name].map { (name, $0) } }
        }

        func of(_ name: String) -> Order {
            switch self {
            case .document(let kindName):
                if name == "metadata" {
                    return .fields(["name", "project", "labels", "annotations"].map { FieldSchema($0, .labels, "") })
                }
                guard name == "spec", let kind = kindName.flatMap(ResourceKind.init(rawValue:)) else {
                    return .alphabetic
                }
                return .fields(kind.type.fields)
            case .fields(let fields):
                guard let type = fields.first(where: { $0.name == name })?.type else { return .alphabetic }
                if case .bounds = type { return .fields(Order.bounds) }
                return type.fields.map(Order.fields) ?? .alphabetic
            case .alphabetic: return .alphabetic
            }
        }

        private static let bounds = [FieldSchema("request", .boolean, ""), FieldSchema("limit", .boolean, "")]
    }

    private static func node(_ value: JSONValue, order: Order) -> Node {
        switch value {
        case .null: return Node("null")
        case .boolean(let value): return Node(value ? "true" : "false")
        case .integer(let number): return Node("\(number)")
        case .number(let number): return Node("\(number)")
        case .string(let text):
            if YAMLScalar.isPlain(text) { return Node(text) }
            return Node(text, Tag(.str), text.contains("\n") ? .literal : .doubleQuoted)
        case .list(let elements): return Node(elements.map { node($0, order: itemOrder(order, $0)) })
        case .object(let members):
            return Node(order.sorted(members).map { (key($0.key), node($0.value, order: order.of($0.key))) })
        }
    }

    private static func key(_ name: String) -> Node {
        YAMLScalar.isPlain(name) ? Node(name) : Node(name, Tag(.str), .doubleQuoted)
    }

    /// Lists hold resources, or objects of the fields that the list's own order names.
    private static func itemOrder(_ order: Order, _ item: JSONValue) -> Order {
        item["apiVersion"] == nil ? order : .document(kindName: item["kind"]?.text)
    }

    private static func write(_ value: JSONValue, order: Order, indent: String, to text: inout String) {
        let inner = indent + "  "
        switch value {
        case .list(let elements) where !elements.isEmpty:
            text += "["
            for (index, element) in elements.enumerated() {
                text += (index == 0 ? "\n" : ",\n") + inner
                write(element, order: itemOrder(order, element), indent: inner, to: &text)
            }
            text += "\n\(indent)]"
        case .object(let members) where !members.isEmpty:
            text += "{"
            for (index, member) in order.sorted(members).enumerated() {
                text += (index == 0 ? "\n" : ",\n") + inner
                write(.string(member.key), order: .alphabetic, indent: inner, to: &text)
                text += ": "
                write(member.value, order: order.of(member.key), indent: inner, to: &text)
            }
            text += "\n\(indent)}"
        default:
            text += (try? value.encoded()).map { String(decoding: $0, as: UTF8.self) } ?? "null"
        }
    }
}
