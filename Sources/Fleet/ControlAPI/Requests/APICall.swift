import FleetModel
import Foundation
import HTTPTypes

/// A request that was matched, authenticated and checked against its route's parameters.
struct APICall: Sendable {
    let route: Route
    let path: String
    let requestID: String
    let identity: Identity
    /// By what the sender was known, for looking again while a watch goes on.
    let credentials: Credentials
    /// Whether the connection is by TLS.
    let isEncrypted: Bool
    let parameters: [String: String]
    let query: [String: String]
    let headers: [String: String]
    let body: [UInt8]

    var isDryRun: Bool { query["dryRun"] == "true" }
    var ifMatch: EntityTag? { headers["If-Match"].flatMap(EntityTag.init) }
    var ifNoneMatch: EntityTag? { headers["If-None-Match"].flatMap(EntityTag.init) }

    /// A parameter of the path, which the route has.
    func parameter(_ name: String) throws -> String {
        guard let value = parameters[name] else { throw Problem(.internal, "the address has no parameter \(name)") }
        return value
    }

    /// The resource that the path names.
    func reference(_ kind: ResourceKind) throws -> ResourceReference {
        ResourceReference(kind: kind, project: parameters["project"], name: try parameter("name"))
    }

    /// The body as JSON.
    func json() throws -> JSONValue {
        do {
            return try JSONDecoder().decode(JSONValue.self, from: Data(body))
        } catch {
            throw Problem(.badRequest, "the body is no JSON: \(APICall.reason(error))")
        }
    }

    /// The body as a value of the model, checked field by field.
    func object<Value: Decodable>(_ type: Value.Type, fields: [FieldSchema]) throws -> Value {
        let json = try json()
        let problems = SchemaCheck.problems(in: json, fields: fields, path: "")
        guard problems.isEmpty else { throw Problem(.invalid, "the body's values are wrong", problems: problems) }
        do {
            return try json.decoded(as: type)
        } catch {
            throw Problem(.invalid, "the body can't be read: \(APICall.reason(error))")
        }
    }

    static func reason(_ error: any Error) -> String {
        if case DecodingError.dataCorrupted(let context) = error { return context.debugDescription }
        if case DecodingError.typeMismatch(_, let context) = error { return context.debugDescription }
        return "it has not the right form"
    }

    /// The parameters of a query, decoded and checked.
    static func checked(query: String?, of route: Route) throws -> [String: String] {
        var values: [String: String] = [:]
        for part in (query ?? "").split(separator: "&") {
            let halves = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = String(halves[0]).removingPercentEncoding,
                let value = halves.count == 2 ? String(halves[1]).removingPercentEncoding : ""
            else { throw Problem(.badRequest, "the query has a % without two hexadecimal digits of UTF-8 behind it") }
            guard let parameter = route.parameters.first(where: { $0.place == .query && $0.name == name }) else {
                let known = route.parameters.filter { $0.place == .query }.map(\.name)
                let hint = nearest(to: name, among: known).map { "; did you mean \($0)?" }
                let list = known.isEmpty ? "; there are none here" : "; there are \(known.joined(separator: ", "))"
                throw Problem(.badRequest, "\"\(name.prefix(80))\" is no parameter of this address\(hint ?? list)")
            }
            guard values[name] == nil else { throw Problem(.badRequest, "the query has \(name) twice") }
            if let reason = parameter.objection(to: value) {
                throw Problem(.badRequest, "\(name)=\(value.prefix(80)): \(reason)")
            }
            values[name] = value
        }
        return values
    }

    /// The headers that the route reads, checked.
    static func checked(headers: HTTPFields, of route: Route) throws -> [String: String] {
        var values: [String: String] = [:]
        for parameter in route.parameters where parameter.place == .header {
            guard let name = HTTPField.Name(parameter.name), let value = headers[name] else { continue }
            if let reason = parameter.objection(to: value) {
                throw Problem(.badRequest, "the header \(parameter.name) \(reason), not \(value.prefix(80))")
            }
            values[parameter.name] = value
        }
        return values
    }
}

/// What a handler answers.
struct APIAnswer: Sendable {
    /// What is sent.
    enum Body: Sendable {
        case nothing
        case bytes([UInt8], mediaType: String)
        case stream(WatchStream)
    }

    var status = 200
    var body: Body
    var headers: [HTTPField.Name: String] = [:]
    /// SHA-256 of what the store held before and after, for the audit log.
    var before: String?
    var after: String?

    /// Answers with a JSON text.
    static func json(_ bytes: [UInt8], status: Int = 200) -> APIAnswer {
        APIAnswer(status: status, body: .bytes(bytes, mediaType: "application/json"))
    }

    /// Answers with a value.
    static func value(_ value: some Encodable, status: Int = 200) throws -> APIAnswer {
        .json(try jsonBytes(value), status: status)
    }
}

/// A value as JSON text with sorted names.
func jsonBytes(_ value: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(value))
}
