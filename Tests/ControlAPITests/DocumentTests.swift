import FleetModel
import Foundation
import Testing

@testable import ControlAPI

@Suite("The OpenAPI document")
struct DocumentTests {
    private static let root: URL = {
        var folder = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
        while !FileManager.default.fileExists(atPath: folder.appendingPathComponent("Package.swift").path) {
            folder.deleteLastPathComponent()
        }
        return folder
    }()

    @Test("The document that is checked in is the one that is served: make openapi writes it")
    func checkedIn() throws {
        let file = DocumentTests.root.appendingPathComponent("API/openapi.json")
        let written = try String(contentsOf: file, encoding: .utf8)
        let isSame = written == String(decoding: try OpenAPIDocument.text(), as: UTF8.self)
        #expect(isSame, "run make openapi")
    }

    @Test("Every route stands in it once, by a name of its own")
    func operations() throws {
        let document = try JSONDecoder().decode(JSONValue.self, from: Data(try OpenAPIDocument.text()))
        let paths = try #require(document["paths"]?.members)
        let names = paths.values.flatMap { ($0.members ?? [:]).values.compactMap { $0["operationId"]?.text } }
        let documented = RouteTable.routes.filter(\.isDocumented).map(\.operation)
        #expect(names.sorted() == documented.sorted())
        #expect(Set(names).count == names.count)
        for route in RouteTable.routes {
            let inPath = Set(route.path.matches(of: /\{(\w+)\}/).map { String($0.1) })
            let declared = Set(route.parameters.filter { $0.place == .path }.map(\.name))
            #expect(inPath == declared || !route.isDocumented, "\(route.operation)")
        }
    }

    @Test("Every reference leads to a schema or a response")
    func references() throws {
        let document = try JSONDecoder().decode(JSONValue.self, from: Data(try OpenAPIDocument.text()))
        var targets: [String] = []
        func walk(_ value: JSONValue) {
            if let target = value["$ref"]?.text { targets.append(target) }
            for member in value.members?.values.map(\.self) ?? value.elements ?? [] { walk(member) }
        }
        walk(document)
        #expect(targets.count > 100)
        for target in Set(targets) {
            var place: JSONValue? = document
            for part in target.split(separator: "/").dropFirst() { place = place?[String(part)] }
            #expect(place != nil, "\(target)")
        }
    }

    @Test("The page about the API names every operation's address")
    func page() throws {
        let file = DocumentTests.root.appendingPathComponent("Documentation/http-api.md")
        let page = try String(contentsOf: file, encoding: .utf8)
        for kind in ResourceKind.allCases { #expect(page.contains("`\(kind.plural)`"), "\(kind.plural)") }
        for route in RouteTable.routes where route.isDocumented {
            if case .resource = route.answer, !route.operation.hasPrefix("hold") { continue }
            if case .list = route.answer { continue }
            #expect(page.contains("`\(route.path)`"), "\(route.operation) \(route.path)")
        }
        for code in Problem.Code.allCases { #expect(page.contains("`\(code.rawValue)`"), "\(code)") }
    }

    @Test(
        "What the reader takes fits the document's pattern, and what fits no pattern is refused",
        arguments: [
            (
                .memory, ["0", "4GiB", "1.5 GB", "512m", ".5G ", "1073741824", "2TiB", "8b"],
                ["", "GiB", "4 Gi", "-1G", "1e3"]
            ),
            (
                .compute, ["50%", "5 %", "12.5TFLOPS", "12.5 TF", "3tf", ".5TF", "5.TFLOPS"],
                ["", "%", "+5%", "5.5%", "1e3TF", "0x10TF", "nanTF", "-1TF", "5 T F", "."]
            ),
            (.percent(max: 1000), ["0%", "100%", "0005%", "7 %"], ["", "%", "+5%", "5", "1.5%"]),
            (.span, ["90s", "1h30m", "0000000009ms", "2d"], ["", "5", "m", "5x", "-1s", "+1s", "1 s"]),
        ] as [(FieldType, [String], [String])])
    func forms(_ type: FieldType, _ right: [String], _ wrong: [String]) throws {
        let pattern = try Regex(try #require(SchemaWriter.schema(type)["pattern"]?.text))
        let field = [FieldSchema("x", type, "")]
        for text in right + wrong {
            let isRight = SchemaCheck.problems(in: ["x": .string(text)], fields: field, path: "").isEmpty
            #expect(isRight == right.contains(text), "\(text)")
            #expect(try (pattern.wholeMatch(in: text) != nil) == right.contains(text), "\(text)")
        }
    }

    @Test("The schemas of messages have the fields that their Swift types write")
    func schemas() throws {
        let now = Timestamp(milliseconds: 1)
        var token = TokenDescription(
            id: "i", subject: "s", purpose: .bearer, grants: [Grant(.node, node: "n")], createdAt: now, createdBy: "c")
        (token.expiresAt, token.description) = (now, "d")
        var record = AuditRecord(
            subject: "s", operation: "o", object: "/", decision: .done, status: 200, request: "r")
        (record.address, record.before, record.after, record.hash) = ("a", "b", "c", "h")
        let workload = ResourceReference(kind: .workload, project: "p", name: "w")
        var explanation = Explanation(workload: workload, phase: .pending, verdict: "v")
        explanation.queuePosition = 1
        explanation.nearest = .init(node: "n", device: "d", missing: ResourceAmounts())
        var plan = Plan()
        (plan.pricePerHour, plan.currency) = (1, "USD")
        var made = NewToken(token: "t", description: token)
        made.authorityFingerprint = "f"
        let identity = IssuedCertificate(certificate: "c", authority: "a")
        var join = JoinRequest(token: "t", name: "n", epoch: 1, facts: NodeFacts(address: "a", version: "1"))
        join.certificateRequest = "r"
        let pairs: [(any Encodable, [FieldSchema])] = [
            (token, TokenDescription.fields), (record, AuditRecord.fields), (explanation, Explanation.fields),
            (plan, Plan.fields), (made, NewToken.fields),
            (Identity(subject: "s", grants: [], method: "m", expiresAt: now), Identity.fields),
            (VirtualGPUConnection(endpoints: [], token: "t", uuids: [], isSoftware: true), VirtualGPUConnection.fields),
            (JoinAnswer(token: "t", lease: .seconds(1), identity: identity), JoinAnswer.fields),
            (identity, IssuedCertificate.fields), (join, JoinRequest.fields),
            (RenewRequest(certificateRequest: "r"), RenewRequest.fields), (workload, ResourceReference.fields),
        ]
        for (value, fields) in pairs {
            let written = try JSONValue(encoding: value).members?.keys.sorted()
            #expect(written == fields.map(\.name).sorted(), "\(type(of: value))")
        }
    }
}
