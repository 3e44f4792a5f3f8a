public import FleetModel

/// Spans in the JSON form of OTLP, as `/v1/traces` takes it.
public enum OTLPDocument {
    /// Who the spans are of.
    public struct Source: Sendable, Hashable {
        /// `service.name`, `service.version` and `service.instance.id`.
        public var service: String
        public var version: String
        public var instance: String

        /// Names a process.
        public init(service: String, version: String, instance: String) {
            self.service = service
            self.version = version
            self.instance = instance
        }
    }

    /// The request's body.
    public static func json(_ spans: [Span], of source: Source) -> JSONValue {
        let resource: [String: Span.Value] = [
            "service.name": .text(source.service), "service.version": .text(source.version),
            "service.instance.id": .text(source.instance),
        ]
        return [
            "resourceSpans": [
                [
                    "resource": ["attributes": attributes(resource)],
                    "scopeSpans": [
                        [
                            "scope": ["name": "roost", "version": .string(source.version)],
                            "spans": .list(spans.map(json)),
                        ]
                    ],
                ]
            ]
        ]
    }

    private static func json(_ span: Span) -> JSONValue {
        // 64-bit numbers are texts in this form, ids are hexadecimal.
        var json: JSONValue = [
            "traceId": .string(span.context.traceID), "spanId": .string(span.context.spanID),
            "name": .string(span.name), "kind": .integer(span.kind.rawValue),
            "startTimeUnixNano": .string(String(span.start)), "endTimeUnixNano": .string(String(span.end)),
            "attributes": attributes(span.attributes), "flags": .integer(1),
            "status": span.failure.map { ["code": 2, "message": .string($0)] } ?? ["code": 0],
        ]
        json["parentSpanId"] = span.parentID.map(JSONValue.string)
        return json
    }

    private static func attributes(_ attributes: [String: Span.Value]) -> JSONValue {
        .list(
            attributes.sorted { $0.key < $1.key }.map { key, value in
                let written: JSONValue =
                    switch value {
                    case .text(let text): ["stringValue": .string(text)]
                    case .number(let number): ["intValue": .string(String(number))]
                    }
                return ["key": .string(key), "value": written]
            })
    }
}
