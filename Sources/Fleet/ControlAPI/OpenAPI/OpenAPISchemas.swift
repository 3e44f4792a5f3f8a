import FleetModel

/// The schemas that the document's operations name.
enum OpenAPISchemas {
    static func reference(_ name: String) -> JSONValue { ["$ref": .string("#/components/schemas/\(name)")] }

    static func schema(_ body: RouteBody) -> JSONValue {
        switch body {
        case .manifest(let kind): reference("\(kind.rawValue)Manifest")
        case .replacement(let kind): reference("\(kind.rawValue)Replacement")
        case .mergePatch(let kind): reference("\(kind.rawValue)Patch")
        case .status: reference("StatusChange")
        case .object(let name): reference(name)
        }
    }

    static var all: [String: JSONValue] {
        var schemas = fixed
        for kind in ResourceKind.allCases {
            schemas[kind.rawValue] = resource(kind)
            schemas["\(kind.rawValue)Spec"] = SchemaWriter.object(kind.type.fields, summary: kind.summary)
            schemas["\(kind.rawValue)Manifest"] = manifest(kind, isNamed: false)
            schemas["\(kind.rawValue)Replacement"] = manifest(kind, isNamed: true)
            schemas["\(kind.rawValue)Patch"] = patch
            schemas["\(kind.rawValue)List"] = list(kind)
        }
        return schemas
    }

    private static let objects: [(name: String, fields: [FieldSchema], summary: String)] = [
        ("FieldProblem", fieldProblem, "One thing that is wrong with a manifest."),
        ("Identity", Identity.fields, "Who asks, and what it may do."),
        ("TokenRequest", TokenRequest.fields, "Asks for a token."),
        ("TokenDescription", TokenDescription.fields, "A token, without its secret."),
        ("NewToken", NewToken.fields, "A token with its secret, which is not shown again."),
        ("AuditRecord", AuditRecord.fields, "One line of the audit log."),
        ("Explanation", Explanation.fields, "Why a workload is placed as it is, or waits."),
        ("Plan", Plan.fields, "Where workloads would go, and what they would cost."),
        ("HistoryAnswer", HistoryAnswer.fields, "What a metric's series were over a time, in equal steps."),
        ("VirtualGPUConnection", VirtualGPUConnection.fields, "How a program reaches a vGPU. Secret."),
        ("JoinRequest", JoinRequest.fields, "A node's first words."),
        ("JoinAnswer", JoinAnswer.fields, "What a node needs to send heartbeats."),
        ("RenewRequest", RenewRequest.fields, "Asks for another certificate for a node."),
        ("IssuedCertificate", IssuedCertificate.fields, "A certificate and who signed it."),
        ("HeartbeatRequest", HeartbeatRequest.fields, "A node's sign of life."),
    ]

    private static let fieldProblem: [FieldSchema] = [
        FieldSchema("field", .text(max: 1024), "The field, such as spec.resources.memory; without it, the whole body."),
        .required("reason", .text(max: 4096), "What is wrong, with the value, and what would be right."),
    ]

    private static var fixed: [String: JSONValue] {
        var schemas = Dictionary(
            uniqueKeysWithValues: objects.map { ($0.name, SchemaWriter.object($0.fields, summary: $0.summary)) })
        schemas["Metadata"] = SchemaWriter.object(metadataFields, summary: "What every resource has.")
        schemas["Problem"] = problem
        schemas["AnyObject"] = ["type": "object"]
        schemas["Version"] = SchemaWriter.object([
            .required("version", .text(max: 63), "The program's version."),
            .required("apiVersion", .text(max: 63), "The version of the resources' form."),
        ])
        schemas["StatusChange"] = [
            "type": "object", "required": ["status"], "properties": ["status": ["type": "object"]],
            "description": "The whole status, as the kind has it; other members are left aside.",
        ]
        schemas["PlanRequest"] = [
            "type": "object", "required": ["items"], "additionalProperties": false,
            "properties": ["items": ["type": "array", "maxItems": 1000, "items": reference("WorkloadManifest")]],
        ]
        schemas["HeartbeatAnswer"] = [
            "type": "object", "required": ["lease", "vgpus"],
            "properties": [
                "lease": SchemaWriter.schema(.span), "vgpus": ["type": "array", "items": reference("VirtualGPU")],
            ],
        ]
        schemas["AuditPage"] = [
            "type": "object", "required": ["items", "head"],
            "properties": [
                "items": ["type": "array", "items": reference("AuditRecord")],
                "head": [
                    "type": "object", "required": ["sequence", "hash"],
                    "properties": ["sequence": ["type": "integer"], "hash": ["type": "string"]],
                ],
            ],
        ]
        schemas["WatchEvent"] = watchEvent
        schemas["FleetSnapshot"] = snapshot
        return schemas
    }

    /// The fields of metadata that the control plane writes are free of the bounds of those that people write.
    private static let metadataFields: [FieldSchema] = Metadata.fields

    private static var problem: JSONValue {
        var schema = SchemaWriter.object([
            .required("type", .text(max: 256), "Names the kind of problem: urn:roost:problem: and a word."),
            .required("title", .text(max: 256), "The kind of problem in words."),
            .required("status", .integer(400...599), "The status of the answer."),
            .required("detail", .text(max: 16_384), "What happened, with which value, and what to do next."),
            FieldSchema("instance", .text(max: 128), "The request's id."),
            FieldSchema("problems", .list(.object(fieldProblem), max: 1000), "What is wrong, field by field."),
            FieldSchema("usedBy", .list(.object(ResourceReference.fields), max: 100), "What still uses it."),
            FieldSchema("allow", .list(.text(max: 20), max: 20), "The methods that the address knows."),
            FieldSchema("retryAfterSeconds", .integer(1...86_400), "After how many seconds to try again."),
        ])
        schema["description"] = "What the API has against a request (RFC 9457)."
        return schema
    }

    private static let watchEvent: JSONValue = [
        "type": "object", "required": ["type"],
        "description": "A line of a watch: PUT with the object, DELETE with its kind and name, PROGRESS, ERROR.",
        "properties": [
            "type": ["type": "string", "enum": ["PUT", "DELETE", "PROGRESS", "ERROR"]], "object": ["type": "object"],
            "revision": ["type": "integer"], "problem": reference("Problem"),
        ],
    ]

    private static var snapshot: JSONValue {
        var schema = SchemaWriter.object(
            RecordedFleet.fields, summary: "All resources that matter to placement, as of one moment.")
        let kinds = RecordedFleet.kinds.map { reference($0.rawValue) }
        schema["properties"]?["items"] = ["type": "array", "items": ["oneOf": .list(kinds)]]
        schema["required"] = .list((schema["required"]?.elements ?? []) + ["items"])
        return schema
    }

    private static func resource(_ kind: ResourceKind) -> JSONValue {
        var properties: [String: JSONValue] = [
            "apiVersion": ["const": .string(resourceAPIVersion)], "kind": ["const": .string(kind.rawValue)],
            "metadata": reference("Metadata"), "spec": reference("\(kind.rawValue)Spec"),
        ]
        if RouteTable.hasStatus(kind) { properties["status"] = ["type": "object"] }
        return [
            "type": "object", "required": ["apiVersion", "kind", "metadata", "spec"], "additionalProperties": false,
            "properties": .object(properties), "description": .string(kind.summary),
        ]
    }

    /// What clients send. An address that names the resource says what the manifest leaves out.
    private static func manifest(_ kind: ResourceKind, isNamed: Bool) -> JSONValue {
        let fields = Metadata.fields.filter { kind.isInProject || $0.name != "project" }
        var metadata = SchemaWriter.object(fields)
        if isNamed { metadata["required"] = nil }
        var spec = reference("\(kind.rawValue)Spec")
        let isSpecNeeded = kind.type.fields.contains(where: \.isRequired)
        if !isSpecNeeded { spec = ["anyOf": [spec, ["type": "null"]]] }
        let required: [JSONValue] = (isNamed ? [] : ["metadata"]) + (isSpecNeeded ? ["spec"] : [])
        var manifest: JSONValue = [
            "type": "object",
            "properties": [
                "apiVersion": ["const": .string(resourceAPIVersion)], "kind": ["const": .string(kind.rawValue)],
                "metadata": metadata, "spec": spec, "status": ["description": "Left aside."],
            ],
            "additionalProperties": false,
        ]
        if !required.isEmpty { manifest["required"] = .list(required) }
        return manifest
    }

    private static let patch: JSONValue = [
        "type": "object", "additionalProperties": false,
        "properties": [
            "metadata": [
                "type": "object", "additionalProperties": false,
                "properties": [
                    "labels": ["type": ["object", "null"]], "annotations": ["type": ["object", "null"]],
                ],
            ],
            "spec": ["type": ["object", "null"]],
        ],
        "description": "A merge patch (RFC 7386): null takes a member away.",
    ]

    private static func list(_ kind: ResourceKind) -> JSONValue {
        [
            "type": "object", "required": ["apiVersion", "kind", "metadata", "items"], "additionalProperties": false,
            "properties": [
                "apiVersion": ["const": .string(resourceAPIVersion)],
                "kind": ["const": .string("\(kind.rawValue)List")],
                "metadata": [
                    "type": "object", "required": ["revision"], "additionalProperties": false,
                    "properties": ["revision": ["type": "integer"], "continue": ["type": "string"]],
                ],
                "items": ["type": "array", "items": reference(kind.rawValue)],
            ],
        ]
    }
}
