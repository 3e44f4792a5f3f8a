import FleetModel

/// Writes fields as JSON Schema 2020-12, as OpenAPI 3.1 uses it. What a pattern allows is what the reader takes.
enum SchemaWriter {
    static func object(_ fields: [FieldSchema], summary: String? = nil) -> JSONValue {
        var written: JSONValue = [
            "type": "object", "additionalProperties": false,
            "properties": .object(
                Dictionary(uniqueKeysWithValues: fields.map { ($0.name, described(schema($0.type), $0)) })),
        ]
        let required = fields.filter(\.isRequired).map { JSONValue.string($0.name) }
        if !required.isEmpty { written["required"] = .list(required) }
        if let summary { written["description"] = .string(summary) }
        return written
    }

    static func schema(_ type: FieldType) -> JSONValue {
        switch type {
        case .text(let max): ["type": "string", "minLength": 1, "maxLength": .integer(Int64(max))]
        case .name: name
        case .word(let words): ["type": "string", "enum": .list(words.map(JSONValue.string))]
        case .integer(let range):
            ["type": "integer", "minimum": .integer(range.lowerBound), "maximum": .integer(range.upperBound)]
        case .number(let range):
            ["type": "number", "minimum": .number(range.lowerBound), "maximum": .number(range.upperBound)]
        case .boolean: ["type": "boolean"]
        case .memory: pattern(#"^(0|[1-9][0-9]{0,5}(MiB|GiB))$"#, "Memory, such as 512MiB or 4GiB.")
        case .compute:
            pattern(#"^([0-9]{1,4}%|[0-9]{1,6}(\.[0-9]{1,3})?(TFLOPS|TF))$"#, "Compute, such as 50% or 12.5TFLOPS.")
        case .percent: pattern("^[0-9]{1,9}%$", "A share of a whole, such as 80%.")
        case .span: pattern("^([0-9]{1,6}(ms|s|m|h|d))+$", "A length of time, such as 90s, 5m or 1h30m.")
        case .moment: ["type": "string", "format": "date-time"]
        case .labels: labels
        case .bounds(let element): bounds(schema(element))
        case .list(let element, let max):
            ["type": "array", "maxItems": .integer(Int64(max)), "items": schema(element)]
        case .object(let fields): object(fields)
        case .map(let element): ["type": "object", "additionalProperties": schema(element)]
        }
    }

    private static let name: JSONValue = [
        "type": "string", "minLength": 1, "maxLength": 63, "pattern": "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$",
    ]

    private static let labels: JSONValue = [
        "type": "object",
        "propertyNames": ["type": "string", "maxLength": 128, "pattern": "^[A-Za-z0-9._/-]+$"],
        "additionalProperties": ["type": "string", "maxLength": 256],
    ]

    /// The forms are examples of what is read, so that a check by the document alone never refuses too much.
    private static func pattern(_ pattern: String, _ summary: String) -> JSONValue {
        ["type": "string", "pattern": .string(pattern), "description": .string(summary)]
    }

    private static func bounds(_ element: JSONValue) -> JSONValue {
        [
            "oneOf": [
                element,
                [
                    "type": "object", "additionalProperties": false, "minProperties": 1,
                    "properties": ["request": element, "limit": element],
                ],
            ]
        ]
    }

    private static func described(_ schema: JSONValue, _ field: FieldSchema) -> JSONValue {
        var schema = schema
        var text = field.summary
        if let fallback = field.fallback { text += " Where it is missing: \(fallback)." }
        schema["description"] = .string(text)
        return schema
    }
}
