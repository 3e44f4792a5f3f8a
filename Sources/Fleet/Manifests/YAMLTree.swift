import FleetModel
import Yams

/// A YAML document on its way to JSON, by the core schema of YAML 1.2: `no` and `on` are text.
struct YAMLTree {
    private static let depthMax = 100

    let file: String
    let document: Int
    private(set) var lines: [String: Int] = [:]
    private var valueCount = 0
    /// Aliases may blow a small text up. Without them a value takes two bytes of text at least.
    private let valueCountMax: Int

    init(file: String, document: Int, byteCount: Int) {
        self.file = file
        self.document = document
        valueCountMax = 10_000 + byteCount
    }

    /// The JSON form of a document.
    mutating func value(of root: Node) throws -> JSONValue { try value(of: root, path: "", depth: 0) }

    private mutating func value(of node: Node, path: String, depth: Int) throws -> JSONValue {
        valueCount += 1
        guard valueCount <= valueCountMax, depth <= YAMLTree.depthMax else {
            throw failure(node, "is too large or nested too deeply; look for aliases that hold one another")
        }
        switch node {
        case .scalar(let scalar): return YAMLScalar.value(of: scalar)
        case .sequence(let sequence):
            var elements: [JSONValue] = []
            for (index, element) in sequence.enumerated() {
                let place = "\(path)[\(index)]"
                lines[place] = element.mark?.line
                elements.append(try value(of: element, path: place, depth: depth + 1))
            }
            return .list(elements)
        case .mapping(let mapping): return try object(mapping, path: path, depth: depth)
        case .alias: throw failure(node, "holds an alias that leads nowhere")
        }
    }

    private mutating func object(_ mapping: Node.Mapping, path: String, depth: Int) throws -> JSONValue {
        var members: [String: JSONValue] = [:]
        var merged: [JSONValue] = []
        for (key, element) in mapping {
            guard let name = key.scalar?.string else { throw failure(key, "has a key that is no text") }
            if name == "<<", key.scalar?.style == .plain {
                let base = try value(of: element, path: "<<", depth: depth + 1)
                merged += base.elements ?? [base]
                continue
            }
            let place = path.isEmpty ? name : "\(path).\(name)"
            lines[place] = key.mark?.line
            members[name] = try value(of: element, path: place, depth: depth + 1)
        }
        for base in merged { members.merge(base.members ?? [:]) { own, _ in own } }
        return .object(members)
    }

    private func failure(_ node: Node, _ message: String) -> ManifestReadError {
        ManifestReadError([.init(file: file, document: document, line: node.mark?.line ?? 0, message: message)])
    }
}

/// What plain words of YAML stand for.
enum YAMLScalar {
    /// The value of a scalar; one in quotes, and one that says `!!str`, is text.
    static func value(of scalar: Node.Scalar) -> JSONValue {
        guard scalar.style == .plain || scalar.style == .any, scalar.tag != Tag(.str) else {
            return .string(scalar.string)
        }
        return value(ofPlain: scalar.string)
    }

    /// The value of a word without quotes.
    static func value(ofPlain text: String) -> JSONValue {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .boolean(true)
        case "false", "False", "FALSE": return .boolean(false)
        default: break
        }
        guard let first = text.first, first.isASCII, first.isNumber || "+-.".contains(first) else {
            return .string(text)
        }
        if let number = integer(text) { return .integer(number) }
        if isDecimal(text), let number = Double(text), number.isFinite { return .number(number) }
        return .string(text)
    }

    private static func integer(_ text: String) -> Int64? {
        if text.hasPrefix("0x") { return Int64(text.dropFirst(2), radix: 16) }
        if text.hasPrefix("0o") { return Int64(text.dropFirst(2), radix: 8) }
        return Int64(text)
    }

    /// Whether a text is a decimal number: digits, at most one point, an exponent.
    private static func isDecimal(_ text: String) -> Bool {
        text.wholeMatch(of: #/[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?/#) != nil
    }

    /// Whether a text may stand without quotes and is still text, for readers of YAML 1.1 too.
    static func isPlain(_ text: String) -> Bool {
        guard text.wholeMatch(of: #/[A-Za-z\/_][A-Za-z0-9 _.\/%+@=-]*|[0-9][A-Za-z0-9_.\/%+-]*/#) != nil else {
            return false
        }
        let words: Set = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"]
        guard !text.hasSuffix(" "), !words.contains(text.lowercased()) else { return false }
        guard case .string = value(ofPlain: text) else { return false }
        // 1_000, 0b1, 190:20:30 and 2026-12-01 are numbers and times of YAML 1.1.
        return text.wholeMatch(of: #/[0-9][0-9_.bxoeE-]*([A-Fa-f0-9]*)|[0-9]{4}-.*/#) == nil
    }
}
