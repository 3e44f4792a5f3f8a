import FleetModel
import Foundation
import HTTPTypes
import Testing

@testable import ControlAPI

@Suite("Requests")
struct RequestTests {
    @Test("Addresses, methods, queries, headers and bodies that are wrong are problems that say what would be right")
    func wrongRequests() async throws {
        try await APIFixture().run { api in
            let unknown = try await api.get("/api/v1/pods")
            #expect(unknown.status == 404)
            #expect(try await api.get("/api/v1//pools").status == 404)
            #expect(try await api.get("/api/v1/pools/").status == 404)
            let method = try await api.send(.put, "/api/v1/pools", [:])
            #expect(method.status == 405)
            #expect(method.headers[.allow] == "GET, POST")
            #expect(try await api.send(.trace, "/api/v1/pools").status == 405)
            let query = try await api.get("/api/v1/pools?label=a")
            #expect(query.status == 400)
            #expect(query.problem?.detail.contains("did you mean labels?") == true)
            for bad in [
                "limit=0", "limit=x", "limit=1001", "limit=5&limit=6", "watch=yes", "labels=", "labels=a=b=c",
                "continue=x/", "continue=%zz",
            ] {
                #expect(try await api.get("/api/v1/pools?\(bad)").status == 400, "\(bad)")
            }
            // Right one by one, wrong together or here.
            for bad in ["continue=x", "revision=1", "watch=true&limit=5", "watch=false&revision=1"] {
                let reply = try await api.get("/api/v1/pools?\(bad)")
                #expect(reply.status == 422 && reply.problem?.code == .invalid, "\(bad)")
            }
            #expect(try await api.get("/api/v1/pools/UPPER").status == 400)
            #expect(try await api.get("/api/v1/pools/%2e%2e%2f").status == 400)
            #expect(try await api.get("/api/v1/pools/x", headers: [.ifNoneMatch: "17"]).status == 400)
            let type = try await api.put("/api/v1/pools/x", [:], headers: [.contentType: "text/plain"])
            #expect(type.status == 415)
            #expect(type.headers[.contentType] == "application/problem+json")
            #expect(type.problem?.instance?.isEmpty == false)
        }
    }

    @Test("A problem of the whole body names no field", arguments: ["/api/v1/nodes:join", "/api/v1/tokens"])
    func wholeBody(_ path: String) async throws {
        try await APIFixture().run { api in
            for body: JSONValue in [[1], "x", 5, .null] {
                let reply = try await api.post(path, body)
                #expect(reply.status == 422)
                let problem = try #require(reply.json["problems"]?.elements?.first)
                #expect(problem["field"] == nil && problem["reason"]?.text?.isEmpty == false, "\(reply.text)")
            }
        }
    }

    @Test("A body of more than 4 MiB is refused")
    func largeBody() async throws {
        try await APIFixture().run { api in
            let large = manifest("x", spec: ["description": .string(String(repeating: "x", count: 4 << 20))])
            let reply = try await api.put("/api/v1/projects/x", large)
            #expect(reply.status == 413)
        }
    }

    @Test("A manifest that a store's transaction could not hold is refused")
    func largeManifest() async throws {
        try await APIFixture().run { api in
            let annotations = JSONValue.object(
                Dictionary(
                    uniqueKeysWithValues: (0..<300).map { ("a\($0)", .string(String(repeating: "x", count: 1000))) }))
            let reply = try await api.put("/api/v1/pools/x", ["metadata": ["annotations": annotations]])
            #expect(reply.status == 422)
            #expect(reply.problem?.detail.contains("262144") == true)
        }
    }

    @Test("A request's id is the client's where it is one, and stands in answer, problem and audit log")
    func requestID() async throws {
        try await APIFixture().run { api in
            let name = try #require(HTTPField.Name("X-Request-Id"))
            let reply = try await api.get("/api/v1/pools/x", headers: [name: "abc-1"])
            #expect(reply.headers[name] == "abc-1")
            #expect(reply.problem?.instance == "abc-1")
            let other = try await api.get("/api/v1/pools/x", headers: [name: "<script>"])
            #expect(other.headers[name]?.wholeMatch(of: /[0-9a-f]{16}/) != nil)
            _ = try await api.put("/api/v1/pools/x", [:], headers: [name: "abc-2"])
            #expect(try await api.get("/api/v1/audit").json["items"]?.elements?.first?["request"] == "abc-2")
        }
    }

    @Test("A subject that sends too much waits, and nobody else does")
    func rateLimit() async throws {
        let fixture = try await APIFixture { $0.rateLimit = RateLimit(burst: 5, perSecond: 1) }
        let other = try await fixture.token("other", Grant(.viewer))
        try await fixture.run { api in
            for _ in 0..<5 { #expect(try await api.get("/api/v1/pools").status == 200) }
            let limited = try await api.get("/api/v1/pools")
            #expect(limited.status == 429)
            #expect(limited.headers[.retryAfter] == "1")
            #expect(try await api.with(other).get("/api/v1/pools").status == 200)
            fixture.clock.move(by: .seconds(2))
            #expect(try await api.get("/api/v1/pools").status == 200)
            #expect(try await api.get("/api/v1/pools").status == 200)
            #expect(try await api.get("/api/v1/pools").status == 429)
            var statuses: [Int] = []
            for _ in 0..<8 { statuses.append(try await api.with("guess").get("/api/v1/pools").status) }
            #expect(statuses == [401, 401, 401, 401, 401, 429, 429, 429])
        }
    }

    @Test("The limiter forgets whom it need not know")
    func limiterMemory() {
        let limiter = RateLimiter(RateLimit(burst: 2, perSecond: 1), countMax: 3)
        let start = Timestamp(milliseconds: 0)
        for name in ["a", "b", "c"] { #expect(limiter.take(name, now: start) == nil) }
        #expect(limiter.take("a", now: start) == nil)
        #expect(limiter.take("a", now: start) == 1)
        let later = Timestamp(milliseconds: 1000)
        #expect(limiter.take("d", now: later) == nil, "b and c are full again and forgotten")
        #expect(limiter.take("a", now: later) == nil)
        #expect(limiter.take("a", now: later) == 1)
    }

    @Test("Health, version, metrics and the document")
    func server() async throws {
        let fixture = try await APIFixture { $0.metrics = { "roost_up 1\n" } }
        let team = try await fixture.token("t", Grant(.viewer, project: "default"))
        try await fixture.run { api in
            let nobody = api.with(nil)
            let health = try await nobody.get("/healthz")
            #expect(health.text == "ok\n")
            #expect(try await nobody.get("/livez").status == 200)
            #expect(try await nobody.get("/version").json == ["apiVersion": "roost/v1", "version": "1.2.3"])
            #expect(try await nobody.get("/openapi.json").json["openapi"] == "3.1.0")
            #expect(try await api.get("/metrics").text == "roost_up 1\n")
            #expect(try await api.with(team).get("/metrics").status == 403, "metrics show every project")
            #expect(try await api.send(.head, "/api/v1/pools").status == 200)
            #expect(try await nobody.get("/").status == 404)
        }
    }

    @Test("Without a control loop, what it would answer is not available; with one, it is asked")
    func operations() async throws {
        try await APIFixture().run { api in
            _ = try await api.post(workloads, manifest("w"))
            let why = try await api.get("\(workloads)/w/why")
            #expect(why.status == 503)
            #expect(why.headers[.retryAfter] == "5")
            #expect(try await api.get("\(workloads)/none/why").status == 404)
        }
        let fixture = try await APIFixture { $0.operations = MockOperations() }
        let viewer = try await fixture.token("v", Grant(.viewer))
        try await fixture.run { api in
            _ = try await api.post(workloads, manifest("w"))
            let why = try await api.with(viewer).get("\(workloads)/w/why")
            #expect(why.json["verdict"] == "no device has 80GiB")
            let plan = try await api.post("/api/v1/plan", ["items": [manifest("a"), manifest("b")]])
            #expect(plan.json["placements"]?.elements?.count == 2)
            #expect(try await api.post("/api/v1/plan", ["items": [manifest("A")]]).status == 422)
            #expect(try await api.post("/api/v1/plan", ["item": []]).status == 422)
            #expect(try await api.with(viewer).post("/api/v1/plan", ["items": [manifest("a")]]).status == 403)
            let held = try await api.post("\(workloads)/w/hold", [:])
            #expect(held.json["status"]?["heldAt"] == "2026-12-01T12:00:00Z")
            #expect(held.json["metadata"]?["generation"] == 1)
            #expect(try await api.with(viewer).post("\(workloads)/w/hold", [:]).status == 403)
        }
    }

    @Test("How a vGPU is reached is told to users alone, and to nobody's log")
    func connection() async throws {
        let fixture = try await APIFixture { $0.operations = MockOperations() }
        let system = try await fixture.token("loop", Grant(.system))
        let viewer = try await fixture.token("v", Grant(.viewer))
        try await fixture.run { api in
            let loop = api.with(system)
            _ = try await loop.put("/api/v1/nodes/n", [:])
            _ = try await loop.put("/api/v1/pools/p", [:])
            _ = try await loop.post(workloads, manifest("w"))
            let path = "/api/v1/projects/default/vgpus/w-0"
            let made = try await loop.put(path, ["spec": FullSpecs.spec(.resource(.virtualGPU))])
            #expect(made.status == 201, "\(made.text)")
            let connection = try await api.get("\(path)/connection")
            #expect(connection.json["token"] == "worker-secret")
            #expect(try await api.with(viewer).get("\(path)/connection").status == 403)
            #expect(try await api.get(path).text.contains("worker-secret") == false)
            #expect(try await api.get("/api/v1/audit").text.contains("connectVirtualGPU"))
            let audit = try String(contentsOfFile: fixture.folder.path + "/audit.jsonl", encoding: .utf8)
            #expect(!audit.contains("worker-secret"))
        }
    }
}

@Suite("Requests about the history of metrics")
struct HistoryRequestTests {
    private static let path = "/api/v1/history"

    /// An API whose history answers what it was asked.
    private func fixture() async throws -> APIFixture {
        try await APIFixture { parts in
            parts.history = { request in
                var answer = HistoryAnswer(
                    metric: request.metric, since: request.since, until: request.until,
                    step: request.step ?? .seconds(10))
                answer.series = [["node": "a"], ["node": "b"]].filter { request.matches($0) }
                    .map { .init(labels: $0, points: [.init(at: request.since, value: 0.5)]) }
                return answer
            }
        }
    }

    @Test("Times are moments or say how long ago, labels choose, and an hour is the default")
    func forms() async throws {
        let fixture = try await fixture()
        try await fixture.run { api in
            let plain = try await api.get("\(HistoryRequestTests.path)?metric=m")
            #expect(plain.status == 200)
            #expect(plain.json["since"] == "2026-12-01T11:00:00Z" && plain.json["until"] == "2026-12-01T12:00:00Z")
            #expect(plain.json["series"]?.elements?.count == 2)
            let query = "metric=m&labels=node=b&since=6h&until=2026-12-01T09:00:00Z&step=5m"
            let narrow = try await api.get("\(HistoryRequestTests.path)?\(query)")
            #expect(narrow.json["since"] == "2026-12-01T06:00:00Z" && narrow.json["until"] == "2026-12-01T09:00:00Z")
            #expect(narrow.json["step"] == "5m")
            #expect(narrow.json["series"]?.elements?.map { $0["labels"] } == [["node": "b"]])
        }
    }

    @Test(
        "A wrong value is named with its reason",
        arguments: [
            ("", 400, "which metric"), ("metric=m&since=yesterday", 400, "since=yesterday"),
            ("metric=m&step=0s", 422, "step=0s"), ("metric=m&step=x", 400, "step=x"),
            ("metric=m&since=1h&until=2h", 422, "must not be after"), ("metric=m&labels==", 400, "labels=="),
        ])
    func refusals(_ query: String, _ status: Int, _ reason: String) async throws {
        let fixture = try await fixture()
        try await fixture.run { api in
            let answer = try await api.get("\(HistoryRequestTests.path)?\(query)")
            #expect(answer.status == status)
            #expect(answer.problem?.detail.contains(reason) == true, "\(answer.text)")
        }
    }

    @Test("Whoever may not read everywhere may not read the history, and a server without one says so")
    func access() async throws {
        let fixture = try await fixture()
        let narrow = try await fixture.token("ann", Grant(.viewer, project: "default"))
        let wide = try await fixture.token("bob", Grant(.viewer))
        try await fixture.run { api in
            let path = "\(HistoryRequestTests.path)?metric=m"
            let refused = try await api.with(narrow).get(path)
            let answered = try await api.with(wide).get(path)
            #expect(refused.status == 403 && answered.status == 200)
        }
        try await APIFixture().run { api in
            let answer = try await api.get("\(HistoryRequestTests.path)?metric=m")
            #expect(answer.status == 503)
        }
    }
}
