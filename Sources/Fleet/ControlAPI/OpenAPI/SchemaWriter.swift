import FleetModel

/// Writes fields as JSON Schema 2020-12, as OpenAPI 3.1 uses it. What the reader takes fits the schema.
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
        case .memory:
            pattern(
                #"^([0-9]+(\.[0-9]*)?|\.[0-9]+) *([KMGTkmgt]([Ii]?[Bb])?|[Bb])? *$"#, "Memory, such as 512MiB or 4GiB.")
        case .compute:
            pattern(
                #"^([0-9]+ *%|([0-9]+(\.[0-9]*)?|\.[0-9]+) *[Tt][Ff]([Ll][Oo][Pp][Ss])?)$"#,
                "Compute, such as 50% or 12.5TFLOPS.")
        case .percent: pattern("^[0-9]+ *%$", "A share of a whole, such as 80%.")
        case .span: pattern("^([0-9]+(ms|s|m|h|d))+$", "A length of time, such as 90s, 5m or 1h30m.")
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
        "propertyNames": [
            "type": "string", "maxLength": .integer(Int64(Names.labelByteCountMax)), "pattern": "^[A-Za-z0-9._/-]+$",
        ],
        "additionalProperties": ["type": "string", "maxLength": .integer(Int64(FieldType.labelCountMax))],
    ]

    /// The forms hold all that is read, so that a check by the document alone never refuses too much; what is too
    /// large is left to the reader.
    private static func pattern(_ pattern: String, _ summary: String) -> JSONValue {
        ["type": "string", "pattern": .string(pattern), "description": .string(summary)]
    }

    private static func bounds(_ element: JSONValue) -> JSONValue {
        [
            "oneOf": [
                element,
                [
                    "type": "object", "additionalProperties": false, "minProperties": 1,
                    "properties": ["request": nullable(element), "limit": nullable(element)],
                ],
            ]
        ]
    }

    /// The schema, and null: the reader takes it for a field that is left out.
    private static func nullable(_ schema: JSONValue) -> JSONValue {
        var schema = schema
        if let type = schema["type"] {
            schema["type"] = [type, "null"]
            if let words = schema["enum"]?.elements { schema["enum"] = .list(words + [.null]) }
        } else if let choices = schema["oneOf"]?.elements {
            schema["oneOf"] = .list(choices + [["type": "null"]])
        }
        return schema
    }

    private static func described(_ schema: JSONValue, _ field: FieldSchema) -> JSONValue {
        var schema = field.isRequired ? schema : nullable(schema)
        var text = field.summary
        if let fallback = field.fallback { text += " Where it is missing: \(fallback)." }
        schema["description"] = .string(text)
        return schema
    }
}
