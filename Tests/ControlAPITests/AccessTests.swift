import FleetModel
import Foundation
import HTTPTypes
import Testing

@testable import ControlAPI

@Suite("Access")
struct AccessTests {
    /// The whole table as people read it: kind, verb, the humblest role that suffices and others that do.
    /// Every pair that is not here is for nobody.
    private static let table: [String: String] = [
        "Project read": "viewer user poolAdmin admin system",
        "Project write": "admin system", "Project delete": "admin system", "Project writeStatus": "system",
        "Quota read": "viewer user poolAdmin admin system",
        "Quota write": "poolAdmin admin system", "Quota delete": "poolAdmin admin system",
        "Quota writeStatus": "system",
        "Pool read": "viewer user poolAdmin admin system",
        "Pool write": "poolAdmin admin system", "Pool delete": "poolAdmin admin system", "Pool writeStatus": "system",
        "Node read": "viewer user poolAdmin admin system node",
        "Node write": "poolAdmin admin system", "Node delete": "poolAdmin admin system",
        "Node writeStatus": "node system", "Node heartbeat": "node system",
        "Device read": "viewer user poolAdmin admin system node",
        "Device write": "system", "Device delete": "system", "Device writeStatus": "node system",
        "Profile read": "viewer user poolAdmin admin system",
        "Profile write": "user poolAdmin admin system", "Profile delete": "user poolAdmin admin system",
        "Profile writeStatus": "system",
        "Workload read": "viewer user poolAdmin admin system",
        "Workload write": "user poolAdmin admin system", "Workload delete": "user poolAdmin admin system",
        "Workload writeStatus": "system", "Workload explain": "viewer user poolAdmin admin system",
        "Workload hold": "user poolAdmin admin system", "Workload plan": "user poolAdmin admin system",
        "VirtualGPU read": "viewer user poolAdmin admin system node",
        "VirtualGPU write": "system", "VirtualGPU delete": "system", "VirtualGPU writeStatus": "node system",
        "VirtualGPU connect": "user poolAdmin admin system",
        "PriceList read": "viewer user poolAdmin admin system",
        "PriceList write": "poolAdmin admin system", "PriceList delete": "poolAdmin admin system",
        "PriceList writeStatus": "system",
        "AlertRule read": "viewer user poolAdmin admin system",
        "AlertRule write": "poolAdmin admin system", "AlertRule delete": "poolAdmin admin system",
        "AlertRule writeStatus": "system",
        "Event read": "viewer user poolAdmin admin system",
        "Event write": "system", "Event delete": "system", "Event writeStatus": "system",
        "tokens read": "admin system", "tokens write": "admin system", "tokens delete": "admin system",
        "the audit log read": "admin system",
        "snapshots of the fleet read": "poolAdmin admin system",
    ]

    @Test("Every verb with every target needs the roles of the table", arguments: AccessTarget.allCases)
    func tableIsRight(_ target: AccessTarget) {
        for verb in Verb.allCases {
            let expected = AccessTests.table["\(target.title) \(verb.rawValue)"] ?? ""
            let roles = AccessTable.roles(verb, target).map(\.rawValue).joined(separator: " ")
            #expect(roles == expected, "\(target.title) \(verb.rawValue)")
            for role in Role.allCases {
                let grant = Grant(role, node: role == .node ? "n" : nil)
                let identity = Identity(subject: "x", grants: [grant], method: "token")
                let isListed = expected.split(separator: " ").contains { $0 == role.rawValue }
                #expect(identity.may(verb, target, in: AccessScope(.everywhere, node: "n")) == isListed)
            }
        }
    }

    @Test("A role holds in its project and below it, and for its node alone")
    func scopes() {
        let inTeam = Identity(subject: "x", grants: [Grant(.user, project: "team")], method: "token")
        let write = { (chain: [String]) in
            inTeam.may(.write, .resource(.workload), in: AccessScope(.projects(chain)))
        }
        #expect(write(["team"]))
        #expect(write(["sub", "team", "org"]))
        #expect(!write(["org"]))
        #expect(!write(["other", "org"]))
        #expect(!inTeam.may(.write, .resource(.workload), in: AccessScope(.everywhere)))
        #expect(inTeam.may(.read, .resource(.pool), in: AccessScope(.anywhere)))
        #expect(!inTeam.may(.write, .resource(.pool), in: AccessScope(.anywhere)))
        let agent = Identity(subject: "node:a", grants: [Grant(.node, node: "a")], method: "token")
        #expect(agent.may(.heartbeat, .resource(.node), in: AccessScope(.everywhere, node: "a")))
        #expect(!agent.may(.heartbeat, .resource(.node), in: AccessScope(.everywhere, node: "b")))
        #expect(!agent.may(.read, .resource(.virtualGPU), in: AccessScope(.projects(["team"]), node: "b")))
        #expect(!agent.may(.read, .resource(.workload), in: AccessScope(.projects(["team"]), node: "a")))
    }

    @Test("Every route that writes has a role that it needs, and names it when it is missing")
    func routesNeedRoles() async throws {
        let open = RouteTable.routes.filter { if case .open = $0.access { true } else { false } }.map(\.operation)
        #expect(
            Set(open) == [
                "joinNode", "getAuthority", "getDocument", "getHealth", "getLiveness", "getReadiness", "getVersion",
                "getDashboard",
            ])
        let fixture = try await APIFixture()
        let agent = try await fixture.token("node:z", Grant(.node, node: "z"))
        try await fixture.run { api in
            for route in RouteTable.routes where !open.contains(route.operation) {
                let path = route.path.replacingOccurrences(of: "{project}", with: "default")
                    .replacingOccurrences(of: "{name}", with: "x").replacingOccurrences(of: "{id}", with: "0")
                let type = route.body?.mediaType ?? "application/json"
                let anonymous = try await api.with(nil).send(route.method, path, [:], headers: [.contentType: type])
                #expect(anonymous.status == 401, "\(route.operation)")
                #expect(anonymous.headers[.wwwAuthenticate]?.hasPrefix("Bearer") == true)
                guard case .role(let verb, let target) = route.access else { continue }
                let isForNodes = AccessTable.roles(verb, target).contains(.node) && verb == .read
                guard !isForNodes else { continue }
                let body: JSONValue = [
                    "metadata": ["name": "x"], "spec": FullSpecs.spec(target), "status": FullSpecs.status(target),
                ]
                let sent: JSONValue = if case .mergePatch = route.body { [:] } else { body }
                let denied = try await api.with(agent).send(route.method, path, sent, headers: [.contentType: type])
                let isPlan = route.operation == "plan" || route.operation == "createToken"
                #expect(denied.status == 403 || isPlan, "\(route.operation): \(denied.status) \(denied.text)")
                if denied.status == 403 { #expect(denied.problem?.detail.contains("role") == true) }
            }
        }
    }

    @Test("A user sees and changes what is in its projects, and nothing else")
    func projects() async throws {
        let fixture = try await APIFixture()
        let user = try await fixture.token("u", Grant(.user, project: "team"))
        try await fixture.run { api in
            for (name, parent) in [("org", nil), ("team", "org"), ("sub", "team"), ("other", "org")] {
                let spec: JSONValue = parent.map { ["parent": .string($0)] } ?? [:]
                #expect(try await api.put("/api/v1/projects/\(name)", ["spec": spec]).status == 201)
                #expect(try await api.post("/api/v1/projects/\(name)/workloads", manifest("w-\(name)")).status == 201)
            }
            let mine = api.with(user)
            let seen = try await mine.get("/api/v1/workloads").json["items"]?.elements ?? []
            #expect(seen.compactMap { $0["metadata"]?["name"]?.text } == ["w-sub", "w-team"])
            let projects = try await mine.get("/api/v1/projects").json["items"]?.elements ?? []
            #expect(projects.compactMap { $0["metadata"]?["name"]?.text } == ["sub", "team"])
            #expect(try await mine.get("/api/v1/projects/other/workloads").status == 403)
            #expect(try await mine.get("/api/v1/projects/other/workloads/w-other").status == 403)
            #expect(try await mine.get("/api/v1/projects/other/workloads/none").status == 403)
            #expect(try await mine.get("/api/v1/projects/sub/workloads/w-sub").status == 200)
            #expect(try await mine.post("/api/v1/projects/sub/workloads", manifest("v")).status == 201)
            #expect(try await mine.post("/api/v1/projects/other/workloads", manifest("v")).status == 403)
            #expect(try await mine.delete("/api/v1/projects/other/workloads/w-other").status == 403)
            #expect(try await mine.get("/api/v1/pools").status == 200)
            #expect(try await mine.put("/api/v1/pools/p", [:]).status == 403)
            #expect(try await mine.get("/api/v1/audit").status == 403)
        }
    }

    @Test("Who leads a project can't change its own place and weight, and can make projects below it")
    func projectAdmin() async throws {
        let fixture = try await APIFixture()
        let lead = try await fixture.token("lead", Grant(.admin, project: "team"))
        try await fixture.run { api in
            _ = try await api.put("/api/v1/projects/team", [:])
            let mine = api.with(lead)
            #expect(try await mine.patch("/api/v1/projects/team", ["spec": ["weight": 100]]).status == 403)
            #expect(try await mine.put("/api/v1/projects/sub", ["spec": ["parent": "team"]]).status == 201)
            #expect(try await mine.patch("/api/v1/projects/sub", ["spec": ["weight": 2]]).status == 200)
            #expect(try await mine.put("/api/v1/projects/top", [:]).status == 403)
            #expect(try await mine.put("/api/v1/projects/sub", ["spec": [:]]).status == 403, "moves it to the top")
            #expect(try await mine.post("/api/v1/tokens", ["subject": "x"]).status == 403)
        }
    }
}

/// Values that a kind's manifest needs.
enum FullSpecs {
    static func spec(_ target: AccessTarget) -> JSONValue {
        guard case .resource(let kind) = target else { return [:] }
        switch kind {
        case .quota: return ["project": "default"]
        case .priceList: return ["currency": "USD"]
        case .device: return ["node": "n", "id": "0"]
        case .alertRule:
            return [
                "metric": "m", "comparison": "above", "threshold": 1, "severity": "info", "message": "m",
            ]
        case .event:
            return [
                "about": ["kind": "Node", "name": "n"], "level": "Normal", "reason": "r", "message": "m", "count": 1,
                "firstAt": "2026-12-01T12:00:00Z", "lastAt": "2026-12-01T12:00:00Z",
            ]
        case .virtualGPU:
            return [
                "workload": "w", "workloadUID": "u", "replica": 0, "pool": "p", "node": "n", "devices": ["0"],
                "compute": "50%", "memory": "1GiB", "isolation": "shared", "qos": "low", "priority": 0,
            ]
        default: return [:]
        }
    }

    static func status(_ target: AccessTarget) -> JSONValue {
        guard case .resource(let kind) = target else { return [:] }
        func initial<Spec: ResourceSpec>(_ type: Spec.Type) -> JSONValue {
            (try? JSONValue(encoding: Spec.initialStatus)) ?? [:]
        }
        return initial(kind.type)
    }
}
