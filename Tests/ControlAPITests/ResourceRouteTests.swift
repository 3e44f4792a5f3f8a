import FleetModel
import FleetStore
import Foundation
import HTTPTypes
import HummingbirdTesting
import NIOCore
import Synchronization
import Testing

@testable import ControlAPI

@Suite("Routes of resources")
struct ResourceRouteTests {
    @Test("What is created can be read, with what the control plane adds")
    func createAndGet() async throws {
        try await APIFixture().run { api in
            let made = try await api.post(workloads, manifest("train", spec: ["replicas": 3], labels: ["team": "a"]))
            #expect(made.status == 201)
            #expect(made.headers[.location] == "\(workloads)/train")
            let metadata = try #require(made.json["metadata"])
            #expect(metadata["uid"]?.text?.count == 32)
            #expect(metadata["generation"] == 1)
            #expect(metadata["createdBy"] == "root")
            #expect(metadata["createdAt"] == "2026-12-01T12:00:00Z")
            #expect(made.json["status"]?["phase"] == "Pending")
            let read = try await api.get("\(workloads)/train")
            #expect(read.status == 200)
            #expect(read.json == made.json)
            #expect(read.etag == made.etag)
            guard case .integer(let revision)? = read.json["metadata"]?["revision"] else { return #expect(Bool(false)) }
            #expect(read.etag == "\"\(revision)\"")
            let again = try await api.get("\(workloads)/train", headers: [.ifNoneMatch: read.etag ?? ""])
            #expect(again.status == 304)
            #expect(again.text.isEmpty)
        }
    }

    @Test("A name can be taken once")
    func exists() async throws {
        try await APIFixture().run { api in
            _ = try await api.post(workloads, manifest("train"))
            let second = try await api.post(workloads, manifest("train"))
            #expect(second.status == 409)
            #expect(second.problem?.code == .exists)
            #expect(second.headers[.contentType] == "application/problem+json")
        }
    }

    @Test("PUT creates, then replaces the spec and keeps the status; the generation counts changes of the spec")
    func put() async throws {
        try await APIFixture().run { api in
            let made = try await api.put("/api/v1/pools/a", ["spec": ["remote": false]])
            #expect(made.status == 201)
            #expect(made.json["metadata"]?["name"] == "a")
            let status: JSONValue = [
                "nodes": 2, "readyNodes": 1, "devices": 4, "capacity": [:], "allocated": [:],
            ]
            let fixture = try await api.put("/api/v1/pools/a/status", ["status": status])
            #expect(fixture.status == 403)
            let changed = try await api.put("/api/v1/pools/a", ["spec": ["remote": true], "status": status])
            #expect(changed.status == 200)
            #expect(changed.json["metadata"]?["generation"] == 2)
            #expect(changed.json["metadata"]?["uid"] == made.json["metadata"]?["uid"])
            #expect(changed.json["status"]?["nodes"] == 0)
            let same = try await api.put("/api/v1/pools/a", ["spec": ["remote": true]])
            #expect(same.etag == changed.etag, "what changes nothing makes no revision")
            let labelled = try await api.put(
                "/api/v1/pools/a", manifest("a", spec: ["remote": true], labels: ["x": "y"]))
            #expect(labelled.json["metadata"]?["generation"] == 2)
            #expect(labelled.etag != changed.etag)
        }
    }

    @Test("Conditions keep a change out that was made for an older state")
    func conditions() async throws {
        try await APIFixture().run { api in
            let made = try await api.put("/api/v1/pools/a", [:])
            let old = try #require(made.etag)
            _ = try await api.put("/api/v1/pools/a", ["spec": ["remote": true]])
            let late = try await api.put("/api/v1/pools/a", ["spec": [:]], headers: [.ifMatch: old])
            #expect(late.status == 412)
            #expect(try await api.patch("/api/v1/pools/a", ["spec": [:]], headers: [.ifMatch: old]).status == 412)
            #expect(try await api.delete("/api/v1/pools/a", headers: [.ifMatch: old]).status == 412)
            #expect(try await api.put("/api/v1/pools/a", [:], headers: [.ifNoneMatch: "*"]).status == 412)
            #expect(try await api.put("/api/v1/pools/b", [:], headers: [.ifMatch: "*"]).status == 412)
            #expect(try await api.put("/api/v1/pools/b", [:], headers: [.ifNoneMatch: "*"]).status == 201)
            let inBody = try await api.put("/api/v1/pools/a", ["metadata": ["revision": 1], "spec": [:]])
            #expect(inBody.status == 412)
            let otherUID = try await api.put("/api/v1/pools/a", ["metadata": ["uid": "other"], "spec": [:]])
            #expect(otherUID.status == 409)
        }
    }

    @Test("A body is looked at before the condition under which it would count")
    func bodyFirst() async throws {
        try await APIFixture().run { api in
            let old = try #require(try await api.put("/api/v1/pools/a", [:]).etag)
            _ = try await api.put("/api/v1/pools/a", ["spec": ["remote": true]])
            let headers: HTTPFields = [.ifMatch: old]
            for body: JSONValue in [["spec": ["remote": 5]], ["spec": []], ["other": 1], [1], ["metadata": 1]] {
                #expect(try await api.put("/api/v1/pools/a", body, headers: headers).status == 422, "\(body)")
                #expect(try await api.patch("/api/v1/pools/a", body, headers: headers).status == 422, "\(body)")
            }
            let labels: JSONValue = ["metadata": ["labels": "x"]]
            #expect(try await api.patch("/api/v1/pools/none", labels, headers: headers).status == 422)
        }
    }

    @Test(
        "A spec may be left out where the document says so: where no field of it is needed",
        arguments: ResourceKind.allCases)
    func specLeftOut(_ kind: ResourceKind) async throws {
        let fixture = try await APIFixture()
        let system = try await fixture.token("loop", Grant(.system))
        let document = try JSONDecoder().decode(JSONValue.self, from: Data(try OpenAPIDocument.text()))
        let schema = document["components"]?["schemas"]?["\(kind.rawValue)Replacement"]
        let isNeeded = schema?["required"]?.elements?.contains("spec") ?? false
        try await fixture.run { api in
            let folder = kind.isInProject ? "/api/v1/projects/default/\(kind.plural)" : "/api/v1/\(kind.plural)"
            for body: JSONValue in [[:], ["spec": .null], ["metadata": ["name": "x", "labels": .null]]] {
                let reply = try await api.with(system).put("\(folder)/x?dryRun=true", body)
                #expect((reply.status == 422) == isNeeded, "\(reply.text)")
                #expect([201, 422].contains(reply.status))
            }
        }
    }

    @Test("A merge patch changes what it names; what it can't change is refused by name")
    func patch() async throws {
        try await APIFixture().run { api in
            _ = try await api.post(workloads, manifest("w", spec: ["replicas": 2, "qos": "high"], labels: ["a": "b"]))
            let path = "\(workloads)/w"
            let changed = try await api.patch(
                path, ["spec": ["replicas": 5, "qos": .null], "metadata": ["labels": ["c": "d"]]])
            #expect(changed.status == 200)
            #expect(changed.json["spec"] == ["replicas": 5])
            #expect(changed.json["metadata"]?["labels"] == ["a": "b", "c": "d"])
            #expect(changed.json["metadata"]?["generation"] == 2)
            let wrong = try await api.patch(path, ["status": [:], "metadata": ["name": "other"]])
            #expect(wrong.status == 422)
            #expect(wrong.problem?.problems?.map(\.field) == ["status", "metadata.name"])
            #expect(try await api.patch("\(workloads)/none", [:]).status == 404)
            #expect(try await api.patch(path, ["spec": ["replicas": "x"]]).status == 422)
        }
    }

    @Test("DELETE answers what it was; then there is nothing")
    func delete() async throws {
        try await APIFixture().run { api in
            let made = try await api.post(workloads, manifest("w"))
            let gone = try await api.delete("\(workloads)/w")
            #expect(gone.status == 200)
            #expect(gone.json == made.json)
            #expect(try await api.get("\(workloads)/w").status == 404)
            #expect(try await api.delete("\(workloads)/w").status == 404)
        }
    }

    @Test("A dry run checks and answers, and stores nothing")
    func dryRun() async throws {
        try await APIFixture().run { api in
            #expect(try await api.post("\(workloads)?dryRun=true", manifest("w")).status == 201)
            #expect(try await api.get("\(workloads)/w").status == 404)
            #expect(try await api.post("\(workloads)?dryRun=true", manifest("w", spec: ["pool": "x"])).status == 422)
            _ = try await api.post(workloads, manifest("w"))
            let put = try await api.put("\(workloads)/w?dryRun=true", ["spec": ["replicas": 9]])
            #expect(put.json["spec"]?["replicas"] == 9)
            #expect(put.etag == nil)
            _ = try await api.delete("\(workloads)/w?dryRun=true")
            #expect(try await api.get("\(workloads)/w").json["spec"] == [:])
        }
    }

    @Test("An idempotency key makes a creation happen once, for 24 hours")
    func idempotency() async throws {
        let fixture = try await APIFixture()
        let other = try await fixture.token("other", Grant(.user))
        try await fixture.run { api in
            let key = try #require(HTTPField.Name("Idempotency-Key"))
            let headers: HTTPFields = [key: "k1"]
            let first = try await api.post(workloads, manifest("w"), headers: headers)
            _ = try await api.patch("\(workloads)/w", ["spec": ["replicas": 7]])
            let second = try await api.post(workloads, manifest("w"), headers: headers)
            #expect(second.status == 201)
            #expect(second.text == first.text)
            #expect(second.etag == first.etag)
            let different = try await api.post(workloads, manifest("v"), headers: headers)
            #expect(different.status == 422)
            #expect(different.problem?.code == .keyReused)
            // Keys are each subject's own.
            #expect(try await api.with(other).post(workloads, manifest("u"), headers: headers).status == 201)
            fixture.clock.move(by: .hours(25))
            #expect(try await api.post(workloads, manifest("v"), headers: headers).status == 201)
        }
    }

    @Test("The same request sent many times at once creates one resource and gets one answer")
    func idempotencyRace() async throws {
        try await APIFixture().run { api in
            let key = try #require(HTTPField.Name("Idempotency-Key"))
            let texts = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<16 {
                    group.addTask { try await api.post(workloads, manifest("w"), headers: [key: "k"]).text }
                }
                return try await group.reduce(into: Set()) { $0.insert($1) }
            }
            #expect(texts.count == 1)
            #expect(texts.first?.contains("\"kind\":\"Workload\"") == true)
        }
    }

    @Test("Changes without conditions that meet are all done")
    func concurrentPatches() async throws {
        try await APIFixture().run { api in
            _ = try await api.post(workloads, manifest("w"))
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for index in 0..<8 {
                    let label = JSONValue.object(["l\(index)": "x"])
                    group.addTask {
                        try await api.patch("\(workloads)/w", ["metadata": ["labels": label]]).status
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.allSatisfy { $0 == 200 })
            #expect(try await api.get("\(workloads)/w").json["metadata"]?["labels"]?.members?.count == 8)
        }
    }

    @Test(
        "A manifest's problems are listed with their fields",
        arguments: [
            ("[1]", 422), ("{", 400), ("", 400), (#"{"metadata":{"name":"A"},"spec":{"replica":1}}"#, 422),
            (#"{"kind":"Pool","metadata":{"name":"a"},"spec":{}}"#, 422),
            (#"{"metadata":{"name":"a","project":"b"},"spec":{}}"#, 422),
            (String(repeating: "[", count: 100_000), 400), (#"{"metadata":{"name":"a\u0000"}}"#, 422),
        ])
    func badManifests(_ body: String, _ status: Int) async throws {
        try await APIFixture().run { api in
            let reply = try await api.client.execute(
                uri: workloads, method: .post,
                headers: [.authorization: "Bearer \(api.token ?? "")", .contentType: "application/json"],
                body: .init(string: body)
            ) { $0 }
            #expect(reply.status.code == status, "\(body.prefix(40)): \(String(buffer: reply.body))")
            #expect(reply.headers[.contentType] == "application/problem+json")
        }
    }
}

@Suite("Snapshots of the fleet")
struct SnapshotRouteTests {
    @Test("A snapshot has all that matters to placement, no secrets, and is for administrators of pools")
    func snapshot() async throws {
        let fixture = try await APIFixture()
        let user = try await fixture.token("ann", Grant(.user))
        let bob = try await fixture.token("bob", Grant(.poolAdmin))
        try await fixture.run { api in
            _ = try await api.post("/api/v1/pools", manifest("main", spec: ["default": true]))
            let program: JSONValue = ["command": ["x"], "environment": ["KEY": "hidden"]]
            _ = try await api.post(workloads, manifest("train", spec: ["program": program]))
            let refused = try await api.with(user).get("/api/v1/snapshot")
            #expect(refused.status == 403)
            let answer = try await api.with(bob).get("/api/v1/snapshot")
            #expect(answer.status == 200)
            let recorded = try RecordedFleet(json: answer.json)
            #expect(
                recorded.resources.map(\.reference.description) == [
                    "Pool main", "Project default", "Workload default/train",
                ])
            #expect(recorded.version == "1.2.3" && recorded.takenAt == fixture.clock.now)
            #expect(!answer.text.contains("hidden") && !answer.text.contains("rst_"))
        }
    }
}
