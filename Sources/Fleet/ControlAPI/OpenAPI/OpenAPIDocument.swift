import FleetModel
import HTTPTypes

/// The OpenAPI 3.1 document, out of the route table and the kinds' fields.
public enum OpenAPIDocument {
    /// The document, indented and with sorted names: what `/openapi.json` serves and `API/openapi.json` holds.
    public static func text() throws -> [UInt8] { try cached.get() }

    private static let cached = Result { Array(try document.encoded(isPretty: true)) + [UInt8(ascii: "\n")] }

    private static let document: JSONValue = [
        "openapi": "3.1.0",
        "info": [
            "title": "Roost control plane", "version": "1",
            "description": "Pools GPUs: resources, placement, tokens. Described in Documentation/http-api.md.",
            "license": ["name": "Apache-2.0", "identifier": "Apache-2.0"],
        ],
        "servers": [["url": "/"]],
        "security": [["bearer": []]],
        "tags": .list(
            (ResourceKind.allCases.map(\.rawValue) + ["Fleet", "Access", "Server"]).map { ["name": .string($0)] }),
        "paths": paths,
        "components": [
            "securitySchemes": [
                "bearer": [
                    "type": "http", "scheme": "bearer",
                    "description": "A token of /api/v1/tokens, or an ID token of the OpenID Connect provider.",
                ]
            ],
            "schemas": .object(OpenAPISchemas.all), "responses": .object(problems),
        ],
    ]

    private static var paths: JSONValue {
        var paths: [String: JSONValue] = [:]
        for route in RouteTable.routes where route.isDocumented {
            var item = paths[route.path] ?? .object([:])
            item[route.method.rawValue.lowercased()] = operation(route)
            paths[route.path] = item
        }
        return .object(paths)
    }

    private static func operation(_ route: Route) -> JSONValue {
        var operation: JSONValue = [
            "operationId": .string(route.operation), "summary": .string(route.summary),
            "tags": [.string(tag(route))], "responses": responses(route),
        ]
        if !route.parameters.isEmpty { operation["parameters"] = .list(route.parameters.map(parameter)) }
        if let body = route.body {
            operation["requestBody"] = [
                "required": true,
                "content": .object([body.mediaType: ["schema": OpenAPISchemas.schema(body)]]),
            ]
        }
        switch route.access {
        case .open: operation["security"] = []
        case .known: break
        case .role(let verb, let target):
            let roles = AccessTable.roles(verb, target).map(\.rawValue)
            operation["description"] = .string("Needs one of the roles \(roles.joined(separator: ", ")).")
        }
        return operation
    }

    private static func tag(_ route: Route) -> String {
        switch route.answer {
        case .resource(let kind), .list(let kind): return kind.rawValue
        default: break
        }
        if ["Token", "Audit", "whoAmI"].contains(where: route.operation.contains) { return "Access" }
        return route.path.hasPrefix("/api/") ? "Fleet" : "Server"
    }

    private static func parameter(_ parameter: Parameter) -> JSONValue {
        [
            "name": .string(parameter.name), "in": .string(parameter.place.rawValue),
            "required": .boolean(parameter.place == .path || parameter.isRequired),
            "description": .string(parameter.summary),
            "schema": schema(parameter.form),
        ]
    }

    private static func schema(_ form: Parameter.Form) -> JSONValue {
        switch form {
        case .name: SchemaWriter.schema(.name)
        case .token: ["type": "string", "pattern": "^[0-9a-z]{1,32}$"]
        case .integer(let range): SchemaWriter.schema(.integer(range))
        case .boolean: ["type": "boolean"]
        case .selector:
            [
                "type": "string", "maxLength": .integer(Int64(LabelSelector.countMax)),
                "pattern": .string(LabelSelector.pattern),
            ]
        case .text(let max): ["type": "string", "minLength": 1, "maxLength": .integer(Int64(max))]
        case .span: SchemaWriter.schema(.span)
        case .moment: ["oneOf": [SchemaWriter.schema(.moment), SchemaWriter.schema(.span)]]
        case .base64(let max): ["type": "string", "pattern": .string("^[A-Za-z0-9_-]{1,\(max)}$")]
        case .entityTag: ["type": "string", "pattern": #"^(|\*|(W/)?"[!#-~]*")$"#]
        }
    }

    private static func responses(_ route: Route) -> JSONValue {
        var responses: [String: JSONValue] = [:]
        responses["\(route.status)"] = answer(route)
        if route.operation.hasPrefix("replace"), !route.operation.hasSuffix("Status") {
            responses["201"] = answer(route)
        }
        if route.parameters.contains(where: { $0.name == "If-None-Match" }), route.method == .get {
            responses["304"] = ["description": "It is still the one with this tag."]
        }
        for code in codes(route) { responses["\(code.status)"] = reference(code) }
        return .object(responses)
    }

    private static func codes(_ route: Route) -> [Problem.Code] {
        var codes = route.problems + [.badRequest, .tooManyRequests, .internal, .unavailable, .methodNotAllowed]
        if case .open = route.access {} else { codes += [.unauthenticated, .forbidden] }
        if route.operation == "createToken" || route.operation == "plan" { codes += [.forbidden] }
        if route.body != nil { codes += [.timeout, .tooLarge, .unsupportedMediaType] }
        return codes
    }

    private static func answer(_ route: Route) -> JSONValue {
        var answer: JSONValue = ["description": .string(route.status == 201 ? "It was made." : "As asked.")]
        var content: [String: JSONValue] = [:]
        switch route.answer {
        case .resource(let kind):
            content["application/json"] = ["schema": OpenAPISchemas.reference(kind.rawValue)]
            answer["headers"] = [
                "ETag": ["description": "The revision in quotes; not on dry runs.", "schema": ["type": "string"]]
            ]
        case .list(let kind):
            content["application/json"] = ["schema": OpenAPISchemas.reference("\(kind.rawValue)List")]
            content["application/x-ndjson"] = [
                "schema": ["type": "string", "description": "A WatchEvent in each line."]
            ]
        case .object(let name): content["application/json"] = ["schema": OpenAPISchemas.reference(name)]
        case .items(let name):
            content["application/json"] = [
                "schema": [
                    "type": "object", "required": ["items"],
                    "properties": ["items": ["type": "array", "items": OpenAPISchemas.reference(name)]],
                ]
            ]
        case .text(let mediaType): content[mediaType] = ["schema": ["type": "string"]]
        case .nothing: break
        }
        if !content.isEmpty { answer["content"] = .object(content) }
        return answer
    }

    private static func reference(_ code: Problem.Code) -> JSONValue {
        ["$ref": .string("#/components/responses/Problem\(code.status)")]
    }

    private static var problems: [String: JSONValue] {
        var responses: [String: JSONValue] = [:]
        for code in Problem.Code.allCases {
            let titles = Problem.Code.allCases.filter { $0.status == code.status }.map(\.title)
            responses["Problem\(code.status)"] = [
                "description": .string(titles.joined(separator: ". ") + "."),
                "content": ["application/problem+json": ["schema": OpenAPISchemas.reference("Problem")]],
            ]
        }
        return responses
    }
}
