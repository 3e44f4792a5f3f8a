import FleetModel
import FleetStore
import Foundation
import HTTPTypes
import Testing

@testable import ControlAPI

@Suite("Tokens")
struct TokenTests {
    @Test("A token's text is shown once; the store holds its hash")
    func secrets() async throws {
        let fixture = try await APIFixture()
        try await fixture.run { api in
            let body: JSONValue = [
                "subject": "ci", "grants": [["role": "user", "project": "default"]], "expiresIn": "1h",
            ]
            let made = try await api.post("/api/v1/tokens", body)
            #expect(made.status == 201)
            let text = try #require(made.json["token"]?.text)
            let id = try #require(made.json["description"]?["id"]?.text)
            let secret = try #require(TokenText(text)?.secret)
            #expect(secret.utf8.count == 43, "32 bytes in base64url")
            #expect(try await api.with(text).get("/api/v1/whoami").json["subject"] == "ci")
            let entries = try await fixture.store.listAll(.all).entries
            #expect(!entries.contains { String(decoding: $0.value, as: UTF8.self).contains(secret) })
            for path in ["/api/v1/tokens", "/api/v1/tokens/\(id)", "/api/v1/audit"] {
                let reply = try await api.get(path)
                #expect(reply.status == 200)
                #expect(!reply.text.contains(secret))
                #expect(!reply.text.contains(sha256(Array(secret.utf8))), "\(path) shows the hash")
            }
            let audit = try String(contentsOfFile: fixture.folder.path + "/audit.jsonl", encoding: .utf8)
            #expect(audit.contains("createToken"))
            #expect(!audit.contains(secret))
        }
    }

    @Test("An expired, a revoked, a changed and a made-up token are nobody's")
    func refused() async throws {
        let fixture = try await APIFixture()
        let short = try await fixture.tokens.make(
            TokenRequest(subject: "s", grants: [Grant(.viewer)], expiresIn: .seconds(60)), by: "t")
        let revoked = try await fixture.tokens.make(TokenRequest(subject: "r", grants: [Grant(.viewer)]), by: "t")
        try await fixture.run { api in
            #expect(try await api.with(short.token).get("/api/v1/whoami").status == 200)
            fixture.clock.move(by: .seconds(60))
            #expect(try await api.with(short.token).get("/api/v1/whoami").status == 401)
            #expect(try await api.with(revoked.token).get("/api/v1/whoami").status == 200)
            #expect(try await api.delete("/api/v1/tokens/\(revoked.description.id)").status == 204)
            #expect(try await api.with(revoked.token).get("/api/v1/whoami").status == 401)
            let last: Character = fixture.admin.last == "A" ? "B" : "A"
            let changed = String(fixture.admin.dropLast()) + String(last)
            for text in [changed, "x", "roost_0011223344556677_x", "roost_" + String(repeating: "z", count: 80)] {
                #expect(try await api.with(text).get("/api/v1/whoami").status == 401, "\(text)")
            }
            for value in ["", "Bearer", "Basic \(fixture.admin)", "Bearer  \(fixture.admin)"] {
                let reply = try await api.with(nil).get("/api/v1/whoami", headers: [.authorization: value])
                #expect(reply.status == 401, "\(value)")
            }
        }
    }

    @Test(
        "A token's request is checked",
        arguments: [
            (["subject": "x"], "grants"), (["subject": "x", "grants": []], "grants"),
            (["subject": "x", "grants": [["role": "king"]]], "grants[0].role"),
            (["subject": "x", "grants": [["role": "node"]]], "grants[0].node"),
            (["subject": "x", "grants": [["role": "user", "project": "No"]]], "grants[0].project"),
            (["subject": "x", "purpose": "join", "grants": [["role": "user"]]], "grants"),
            (["subject": "x", "grants": [["role": "user"]], "expiresIn": "0s"], "expiresIn"),
            (["grants": [["role": "user"]]], "subject"),
        ] as [(JSONValue, String)])
    func requests(_ body: JSONValue, _ field: String) async throws {
        try await APIFixture().run { api in
            let reply = try await api.post("/api/v1/tokens", body)
            #expect(reply.status == 422)
            #expect(reply.problem?.problems?.first?.field == field)
        }
    }

    @Test("Only a control plane makes tokens of a control plane")
    func systemTokens() async throws {
        try await APIFixture().run { api in
            let reply = try await api.post("/api/v1/tokens", ["subject": "x", "grants": [["role": "system"]]])
            #expect(reply.status == 403)
        }
    }

    @Test("The first administrator's token is in a file of its owner's, and stays good")
    func bootstrap() async throws {
        let fixture = try await APIFixture()
        let bootstrap = BootstrapToken(folder: fixture.folder.path, tokens: fixture.tokens)
        try await bootstrap.ensure()
        let text = try String(contentsOfFile: bootstrap.path, encoding: .utf8)
        let mode = try FileManager.default.attributesOfItem(atPath: bootstrap.path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        try await bootstrap.ensure()
        #expect(try String(contentsOfFile: bootstrap.path, encoding: .utf8) == text)
        let token = text.trimmingCharacters(in: .whitespacesAndNewlines)
        try await fixture.run { api in
            #expect(try await api.with(token).get("/api/v1/tokens").status == 200)
            try await fixture.tokens.revoke(try #require(TokenText(token)).id)
        }
        try await bootstrap.ensure()
        #expect(try String(contentsOfFile: bootstrap.path, encoding: .utf8) != text, "a revoked one is replaced")
    }

    @Test("Texts are compared as a whole")
    func comparison() {
        #expect(TokenText.isEqual("abc", "abc"))
        #expect(!TokenText.isEqual("abc", "abd"))
        #expect(!TokenText.isEqual("abc", "ab"))
        #expect(TokenText.isEqual("", ""))
    }

    @Test("A join token lets one node in, once")
    func join() async throws {
        let loop = MockOperations()
        let fixture = try await APIFixture { $0.operations = loop }
        try await fixture.run { api in
            let made = try await api.post("/api/v1/tokens", ["subject": "new nodes", "purpose": "join"])
            let token = try #require(made.json["token"]?.text)
            #expect(try await api.with(token).get("/api/v1/whoami").status == 401, "it speaks for nobody")
            let body: JSONValue = [
                "token": .string(token), "name": "gpu-1", "epoch": 1, "facts": ["address": "10.0.0.1", "version": "1"],
            ]
            loop.refuseJoin(Problem(.conflict, "there is another node of that name"))
            #expect(try await api.with(nil).post("/api/v1/nodes:join", body).status == 409)
            loop.refuseJoin(nil)
            let joined = try await api.with(nil).post("/api/v1/nodes:join", body)
            #expect(joined.status == 200)
            #expect(joined.json["lease"] == "10s")
            let own = try #require(joined.json["token"]?.text)
            #expect(try await api.with(nil).post("/api/v1/nodes:join", body).status == 401)
            let beat: JSONValue = [
                "epoch": 1, "facts": ["address": "10.0.0.1", "version": "1"], "devices": [], "vgpus": [],
            ]
            let answer = try await api.with(own).post("/api/v1/nodes/gpu-1/heartbeat", beat)
            #expect(answer.status == 200)
            #expect(answer.json == ["lease": "10s", "revision": 0, "vgpus": []])
            #expect(try await api.with(own).post("/api/v1/nodes/gpu-2/heartbeat", beat).status == 403)
            #expect(try await api.with(own).get("/api/v1/workloads").status == 403)
        }
    }
}
