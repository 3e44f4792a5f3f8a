import FleetModel
import Foundation
import Testing

@testable import ControlAPI

@Suite("Admission")
struct AdmissionTests {
    @Test("What a resource names must exist", arguments: [
        ("/api/v1/projects/default/workloads/x", ["pool": "none"], "spec.pool"),
        ("/api/v1/projects/default/workloads/x", ["profile": "none"], "spec.profile"),
        ("/api/v1/projects/default/profiles/x", ["pool": "none"], "spec.pool"),
        ("/api/v1/projects/none/workloads/x", [:], "metadata.project"),
        ("/api/v1/projects/x", ["parent": "none"], "spec.parent"),
        ("/api/v1/quotas/x", ["project": "none"], "spec.project"),
        ("/api/v1/pools/x", ["priceList": "none"], "spec.priceList"),
        ("/api/v1/nodes/x", ["pool": "none"], "spec.pool"),
    ] as [(String, JSONValue, String)])
    func unknownReference(_ path: String, _ spec: JSONValue, _ field: String) async throws {
        try await APIFixture().run { api in
            let reply = try await api.put(path, ["spec": spec])
            #expect(reply.status == 422)
            #expect(reply.problem?.problems?.map(\.field) == [field])
            #expect(reply.problem?.problems?.first?.reason.contains("there is no") == true)
        }
    }

    @Test("What is named can't be deleted; the answer says by whom")
    func inUse() async throws {
        try await APIFixture().run { api in
            _ = try await api.put("/api/v1/pricelists/list", ["spec": ["currency": "EUR"]])
            _ = try await api.put("/api/v1/pools/pool", ["spec": ["priceList": "list"]])
            _ = try await api.put("/api/v1/projects/team", [:])
            _ = try await api.put("/api/v1/projects/sub", ["spec": ["parent": "team"]])
            _ = try await api.put("/api/v1/quotas/q", ["spec": ["project": "sub"]])
            _ = try await api.put("/api/v1/projects/team/profiles/small", [:])
            let workload = "/api/v1/projects/team/workloads/w"
            _ = try await api.put(workload, ["spec": ["pool": "pool", "profile": "small"]])
            let uses: [(String, [String])] = [
                ("/api/v1/pricelists/list", ["Pool pool"]), ("/api/v1/pools/pool", ["Workload team/w"]),
                ("/api/v1/projects/team", ["Project sub", "Profile team/small", "Workload team/w"]),
                ("/api/v1/projects/sub", ["Quota q"]), ("/api/v1/projects/team/profiles/small", ["Workload team/w"]),
            ]
            for (path, users) in uses {
                let reply = try await api.delete(path)
                #expect(reply.status == 409)
                #expect(reply.problem?.code == .inUse)
                #expect(reply.problem?.usedBy?.map(\.description) == users, "\(path)")
            }
            #expect(try await api.delete("/api/v1/projects/default").status == 409)
            for path in [
                workload, "/api/v1/projects/team/profiles/small", "/api/v1/pools/pool", "/api/v1/pricelists/list",
                "/api/v1/quotas/q", "/api/v1/projects/sub", "/api/v1/projects/team",
            ] {
                #expect(try await api.delete(path).status == 200, "\(path)")
            }
        }
    }

    @Test("Projects form a tree, not a circle")
    func circles() async throws {
        try await APIFixture().run { api in
            _ = try await api.put("/api/v1/projects/a", [:])
            _ = try await api.put("/api/v1/projects/b", ["spec": ["parent": "a"]])
            _ = try await api.put("/api/v1/projects/c", ["spec": ["parent": "b"]])
            for parent in ["a", "b", "c"] {
                let reply = try await api.put("/api/v1/projects/a", ["spec": ["parent": .string(parent)]])
                #expect(reply.problem?.problems?.first?.field == "spec.parent", "\(parent)")
            }
            #expect(try await api.put("/api/v1/projects/c", ["spec": ["parent": "a"]]).status == 200)
        }
    }

    /// Fills a label in and refuses one name.
    private struct Policy: AdmissionCheck {
        func review(_ change: ProposedChange) async throws -> AdmissionVerdict {
            guard let after = change.after, after.kind == .workload else { return .admitted }
            if after.metadata.name == "no" { return .refused([FieldProblem("metadata.name", "must not be no")]) }
            var metadata = after.metadata
            metadata.labels = ["filled": "in"]
            return .changed(try after.with(metadata, status: after.json["status"]))
        }
    }

    @Test("Further checks can refuse a change or fill values in")
    func furtherChecks() async throws {
        try await APIFixture { $0.checks = [Policy()] }.run { api in
            #expect(try await api.post(workloads, manifest("no")).status == 422)
            let made = try await api.post(workloads, manifest("yes"))
            #expect(made.json["metadata"]?["labels"] == ["filled": "in"])
        }
    }
}
