/// Compares what a manifest says with what its kind's fields may hold.
public enum SchemaCheck {
    /// The most problems that one check lists.
    private static let problemCountMax = 50
    /// The most characters of a field's name in a problem: senders choose names as they like.
    private static let fieldCountMax = 256

    /// Everything that is wrong with an object's fields.
    ///
    /// - Parameters:
    ///   - value: The object.
    ///   - fields: What it may have.
    ///   - path: Where it stands, for messages.
    public static func problems(in value: JSONValue, fields: [FieldSchema], path: String) -> [FieldProblem] {
        var check = Check()
        check.object(value, fields: fields, path: path)
        return Array(check.problems.prefix(problemCountMax))
    }

    private struct Check {
        var problems: [FieldProblem] = []

        mutating func fail(_ path: String, _ reason: String) {
            problems.append(FieldProblem(path.isEmpty ? nil : String(path.prefix(fieldCountMax)), reason))
        }

        mutating func object(_ value: JSONValue, fields: [FieldSchema], path: String) {
            guard let members = value.members else { return fail(path, "must be an object, not \(value.kindName)") }
            for name in members.keys.sorted() where !fields.contains(where: { $0.name == name }) {
                let known = fields.map(\.name)
                let hint = nearest(to: name, among: known).map { "; did you mean \($0)?" }
                fail(join(path, name), "is not a field" + (hint ?? "; there are \(known.joined(separator: ", "))"))
            }
            for field in fields {
                guard let member = members[field.name], member != .null else {
                    if field.isRequired { fail(join(path, field.name), "is missing: \(field.summary)") }
                    continue
                }
                check(member, field.type, path: join(path, field.name))
            }
        }

        private mutating func check(_ value: JSONValue, _ type: FieldType, path: String) {
            switch type {
            case .object(let fields): object(value, fields: fields, path: path)
            case .list(let element, let max): list(value, of: element, max: max, path: path)
            case .map(let element): map(value, to: element, path: path)
            case .bounds(let element):
                guard case .object = value else { return check(value, element, path: path) }
                let fields = [
                    FieldSchema("request", element, "What is guaranteed."),
                    FieldSchema("limit", element, "What may be used at most."),
                ]
                if value.members?.isEmpty == true { fail(path, "needs request, limit or both") }
                object(value, fields: fields, path: path)
            case .labels: labels(value, path: path)
            default:
                if let reason = SchemaCheck.objection(to: value, as: type) { fail(path, reason) }
            }
        }

        private mutating func list(_ value: JSONValue, of element: FieldType, max: Int, path: String) {
            guard let elements = value.elements else { return fail(path, "must be a list, not \(value.kindName)") }
            guard elements.count <= max else {
                return fail(path, "has \(elements.count) entries; at most \(max) are allowed")
            }
            for (index, one) in elements.enumerated() { check(one, element, path: "\(path)[\(index)]") }
        }

        private mutating func map(_ value: JSONValue, to element: FieldType, path: String) {
            guard let members = value.members else { return fail(path, "must be an object, not \(value.kindName)") }
            for (name, one) in members.sorted(by: { $0.key < $1.key }) { check(one, element, path: join(path, name)) }
        }

        private mutating func labels(_ value: JSONValue, path: String) {
            guard let members = value.members else { return fail(path, "must be an object, not \(value.kindName)") }
            for (name, label) in members.sorted(by: { $0.key < $1.key }) {
                if !Names.isLabelName(name) {
                    fail(
                        join(path, name),
                        "is no label name: letters, digits, - _ . /, at most \(Names.labelByteCountMax)")
                }
                guard let text = label.text else {
                    fail(join(path, name), "must be text, not \(label.kindName); put it in quotes")
                    continue
                }
                if text.unicodeScalars.count > FieldType.labelCountMax {
                    fail(join(path, name), "has more than \(FieldType.labelCountMax) characters")
                }
            }
        }

        private func join(_ path: String, _ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }
    }

    /// Why a value is none of a simple type; nil where it is one.
    private static func objection(to value: JSONValue, as type: FieldType) -> String? {
        switch type {
        case .text(let max): textObjection(value, max: max)
        case .name: value.text.map(Names.objection) ?? "must be a name, not \(value.kindName)"
        case .word(let words):
            words.contains(value.text ?? "") ? nil : "must be \(listed(words)), not \(shown(value))"
        case .integer(let range): integerObjection(value, range)
        case .number(let range): numberObjection(value, range)
        case .boolean: if case .boolean = value { nil } else { "must be true or false, not \(shown(value))" }
        case .memory: parsed(value, "memory, such as 512MiB or 4GiB") { MemoryQuantity($0) != nil }
        case .compute:
            parsed(value, "compute, such as 50% or 12.5TFLOPS") { ComputeQuantity($0) != nil }
        case .percent(let max): percentObjection(value, max: max)
        case .span: parsed(value, "a time span, such as 90s, 5m or 1h30m") { TimeSpan($0) != nil }
        case .moment: parsed(value, "a time, such as 2026-12-01T12:00:00Z") { Timestamp($0) != nil }
        default: nil
        }
    }

    private static func textObjection(_ value: JSONValue, max: Int) -> String? {
        guard let text = value.text else { return "must be text, not \(shown(value)); put it in quotes" }
        if text.isEmpty { return "must not be empty" }
        // What JSON Schema counts.
        let count = text.unicodeScalars.count
        return count > max ? "has \(count) characters; at most \(max) are allowed" : nil
    }

    private static func integerObjection(_ value: JSONValue, _ range: ClosedRange<Int64>) -> String? {
        guard case .integer(let number) = value, range.contains(number) else {
            let bounds =
                range.upperBound == .max
                ? "of at least \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)"
            return "must be a whole number \(bounds), not \(shown(value))"
        }
        return nil
    }

    private static func numberObjection(_ value: JSONValue, _ range: ClosedRange<Double>) -> String? {
        let number: Double? =
            switch value {
            case .integer(let number): Double(number)
            case .number(let number): number
            default: nil
            }
        guard let number, range.contains(number) else {
            return "must be a number from \(range.lowerBound) to \(range.upperBound), not \(shown(value))"
        }
        return nil
    }

    private static func percentObjection(_ value: JSONValue, max: Int64) -> String? {
        if let text = value.text, let percent = Percent(text), percent.value <= max { return nil }
        return "must be a share from 0% to \(max)%, not \(shown(value))"
    }

    private static func parsed(_ value: JSONValue, _ what: String, _ isRight: (String) -> Bool) -> String? {
        if let text = value.text, isRight(text) { return nil }
        return "must be \(what), not \(shown(value))"
    }

    private static func listed(_ words: [String]) -> String {
        words.count < 2 ? words.joined() : words.dropLast().joined(separator: ", ") + " or " + words[words.count - 1]
    }

    private static func shown(_ value: JSONValue) -> String {
        switch value {
        case .string(let text): "\"\(text.prefix(80))\""
        case .integer(let number): "\(number)"
        case .number(let number): "\(number)"
        case .boolean(let value): "\(value)"
        default: value.kindName
        }
    }
}
