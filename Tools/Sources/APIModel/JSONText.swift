/// Writes the description files: fixed key order, one small object a line, absent defaults.
public struct JSONText {
    private var text = ""

    private static func quoted(_ string: String) -> String {
        var result = "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    private static func pair(_ key: String, _ value: String) -> String { "\(quoted(key)): \(quoted(value))" }

    private mutating func list(_ lines: [String], indent: String) {
        text += lines.map { "\(indent)\($0)" }.joined(separator: ",\n")
        text += lines.isEmpty ? "" : "\n"
    }

    /// The text of a function file.
    public static func text(of file: FunctionFile) -> String {
        var writer = JSONText()
        writer.text = "{\n  \"functions\": [\n"
        writer.text += file.functions.map(functionText).joined(separator: ",\n")
        writer.text += "\n  ]\n}\n"
        return writer.text
    }

    private static func functionText(_ function: FunctionDescription) -> String {
        var head = ["\"id\": \(function.id)", pair("name", function.name)]
        if let swiftName = function.swiftName { head.append(pair("swiftName", swiftName)) }
        head.append("\"since\": \(function.since)")
        head.append(pair("family", function.family))
        head.append(pair("call", function.call.rawValue))
        var extra: [String] = []
        if let sameAs = function.sameAs { extra.append(pair("sameAs", sameAs)) }
        if let handle = function.returnsHandle { extra.append(pair("returnsHandle", handle)) }
        if let handle = function.destroysHandle { extra.append(pair("destroysHandle", handle)) }
        if let supplies = function.supplies { extra.append(pair("supplies", supplies)) }
        if let returns = function.returns { extra.append(pair("returns", returns)) }
        if let reason = function.reason { extra.append(pair("reason", reason)) }
        var text = "    {\n      " + head.joined(separator: ", ") + ",\n"
        if !extra.isEmpty { text += "      " + extra.joined(separator: ", ") + ",\n" }
        if function.parameters.isEmpty { return text + "      \"parameters\": []\n    }" }
        text += "      \"parameters\": [\n"
        text += function.parameters.map { "        " + parameterText($0) }.joined(separator: ",\n")
        return text + "\n      ]\n    }"
    }

    private static func parameterText(_ parameter: ParameterDescription) -> String {
        var pairs = [pair("name", parameter.name), pair("type", parameter.type)]
        if parameter.direction != .in { pairs.append(pair("direction", parameter.direction.rawValue)) }
        if let length = parameter.length { pairs.append(pair("length", length)) }
        if parameter.nullable { pairs.append("\"nullable\": true") }
        if let handle = parameter.handle { pairs.append(pair("handle", handle)) }
        if parameter.bulk { pairs.append("\"bulk\": true") }
        return "{" + pairs.joined(separator: ", ") + "}"
    }

    /// The text of a type file.
    public static func text(of file: TypeFile) -> String {
        var writer = JSONText()
        writer.text = "{\n  \"constants\": [\n"
        writer.list(
            file.constants.map { "{" + pair("name", $0.name) + ", " + pair("value", $0.value) + "}" }, indent: "    ")
        writer.text += "  ],\n  \"types\": [\n"
        writer.text += file.types.map(typeText).joined(separator: ",\n")
        writer.text += "\n  ]\n}\n"
        return writer.text
    }

    private static func typeText(_ type: TypeDescription) -> String {
        var head = [pair("kind", type.kind.rawValue), pair("name", type.name)]
        if let tag = type.tag { head.append(pair("tag", tag)) }
        if let aliased = type.type { head.append(pair("type", aliased)) }
        if let parameters = type.parameters {
            head.append("\"parameters\": [" + parameters.map(quoted).joined(separator: ", ") + "]")
        }
        var text = "    {" + head.joined(separator: ", ")
        if let values = type.values {
            let lines = values.map { "      {" + pair("name", $0.name) + ", \"value\": \($0.value)}" }
            text += ", \"values\": [\n" + lines.joined(separator: ",\n") + "\n    ]"
        }
        if let fields = type.fields {
            text += ", \"fields\": " + fieldsText(fields, indent: "    ")
        }
        return text + "}"
    }

    private static func fieldsText(_ fields: [FieldDescription], indent: String) -> String {
        let lines = fields.map { field -> String in
            var pairs = [pair("name", field.name), pair("type", field.type)]
            if let bounds = field.bounds { pairs.append(pair("bounds", bounds)) }
            if let bits = field.bits { pairs.append("\"bits\": \(bits)") }
            if let alignment = field.alignment { pairs.append("\"alignment\": \(alignment)") }
            if let record = field.record {
                let tag = record.tag.map { ", " + pair("tag", $0) } ?? ""
                pairs.append(
                    "\"record\": {" + pair("kind", record.kind.rawValue) + tag + ", \"fields\": "
                        + fieldsText(record.fields, indent: indent + "  ") + "}")
            }
            return indent + "  {" + pairs.joined(separator: ", ") + "}"
        }
        return "[\n" + lines.joined(separator: ",\n") + "\n" + indent + "]"
    }
}
