import FleetModel
import HTTPTypes

/// All operations of the API: this table registers them, checks their parameters and writes the OpenAPI document.
enum RouteTable {
    static let routes: [Route] =
        ResourceKind.allCases.flatMap { resourceRoutes($0) } + loopRoutes + tokenRoutes + serverRoutes + dashboardRoutes

    private static let loopRoutes: [Route] = [
        Route(
            method: .get, path: "/api/v1/projects/{project}/workloads/{name}/why", operation: "explainWorkload",
            summary: "Says why a workload is placed as it is, or waits.",
            access: .role(.explain, .resource(.workload)), parameters: [.project, .name],
            answer: .object("Explanation"), problems: [.notFound, .unavailable]
        ) { try await $0.explain($1) },
        Route(
            method: .post, path: "/api/v1/projects/{project}/workloads/{name}/hold", operation: "holdWorkload",
            summary: "Notes that somebody still wants a workload.", access: .role(.hold, .resource(.workload)),
            parameters: [.project, .name], answer: .resource(.workload), problems: [.notFound, .conflict]
        ) { try await $0.hold($1) },
        Route(
            method: .get, path: "/api/v1/projects/{project}/vgpus/{name}/connection", operation: "connectVirtualGPU",
            summary: "Says how a program reaches a vGPU. The answer is secret.",
            access: .role(.connect, .resource(.virtualGPU)), parameters: [.project, .name],
            answer: .object("VirtualGPUConnection"), problems: [.notFound, .unavailable], isAudited: true
        ) { try await $0.connection($1) },
        Route(
            method: .post, path: "/api/v1/plan", operation: "plan",
            summary: "Says where workloads would go and what they would cost; does nothing.",
            access: .role(.plan, .resource(.workload)), body: .object("PlanRequest"), answer: .object("Plan"),
            problems: [.invalid, .unavailable]
        ) { try await $0.plan($1) },
        Route(
            method: .get, path: "/api/v1/snapshot", operation: "getSnapshot",
            summary: "Records all that matters to placement in one document, for `roost simulate`; without secrets.",
            access: .role(.read, .snapshot), answer: .object("FleetSnapshot"), problems: [.unavailable],
            isAudited: true
        ) { try await $0.snapshot($1) },
        Route(
            method: .post, path: "/api/v1/nodes:join", operation: "joinNode",
            summary: "Lets a node in by a join token, and answers with its certificate or token.", access: .open,
            body: .object("JoinRequest"), answer: .object("JoinAnswer"),
            problems: [.unauthenticated, .invalid, .conflict, .unavailable], isAudited: true
        ) { try await $0.join($1) },
        Route(
            method: .post, path: "/api/v1/nodes/{name}/heartbeat", operation: "heartbeat",
            summary: "Takes in what a node tells of itself, and answers with the vGPUs that it should have.",
            access: .role(.heartbeat, .resource(.node)), parameters: [.name], body: .object("HeartbeatRequest"),
            answer: .object("HeartbeatAnswer"), problems: [.notFound, .invalid, .conflict, .unavailable]
        ) { try await $0.heartbeat($1) },
        Route(
            method: .post, path: "/api/v1/nodes/{name}/renew", operation: "renewNodeCertificate",
            summary: "Gives a node another certificate; those that it has stay good until they end.",
            access: .role(.heartbeat, .resource(.node)), parameters: [.name], body: .object("RenewRequest"),
            answer: .object("IssuedCertificate"), problems: [.invalid, .conflict, .unavailable], isAudited: true
        ) { try await $0.renew($1) },
    ]

    private static let tokenRoutes: [Route] = [
        Route(
            method: .get, path: "/api/v1/tokens", operation: "listTokens",
            summary: "Lists tokens, without their secrets.", access: .role(.read, .tokens),
            answer: .items("TokenDescription")
        ) { try await $0.listTokens($1) },
        Route(
            method: .post, path: "/api/v1/tokens", operation: "createToken",
            summary: "Makes a token. Its text is in this answer alone.", access: .role(.write, .tokens),
            body: .object("TokenRequest"), answer: .object("NewToken"), status: 201, problems: [.invalid],
            isAudited: true
        ) { try await $0.makeToken($1) },
        Route(
            method: .get, path: "/api/v1/tokens/{id}", operation: "getToken",
            summary: "Describes a token, without its secret.", access: .role(.read, .tokens), parameters: [.id],
            answer: .object("TokenDescription"), problems: [.notFound]
        ) { try await $0.getToken($1) },
        Route(
            method: .delete, path: "/api/v1/tokens/{id}", operation: "revokeToken", summary: "Ends a token at once.",
            access: .role(.delete, .tokens), parameters: [.id], answer: .nothing, status: 204,
            problems: [.notFound, .conflict], isAudited: true
        ) { try await $0.revokeToken($1) },
        Route(
            method: .get, path: "/api/v1/audit", operation: "listAuditRecords",
            summary: "Lists the audit log's records.",
            access: .role(.read, .auditLog), parameters: [.after, .limit], answer: .object("AuditPage")
        ) { try await $0.auditRecords($1) },
        Route(
            method: .get, path: "/api/v1/whoami", operation: "whoAmI", summary: "Says who the sender is and may do.",
            access: .known, answer: .object("Identity")
        ) { try await $0.identity($1) },
    ]

    private static let serverRoutes: [Route] = [
        Route(
            method: .get, path: "/api/v1/ca", operation: "getAuthority",
            summary: "The certificate of the cluster's authority (PEM).", access: .open,
            answer: .text("application/x-pem-file"), problems: [.unavailable]
        ) { try await $0.authority($1) },
        Route(
            method: .get, path: "/openapi.json", operation: "getDocument", summary: "This document.", access: .open,
            answer: .object("AnyObject")
        ) { _, _ in .json(try OpenAPIDocument.text()) },
        Route(
            method: .get, path: "/metrics", operation: "getMetrics",
            summary: "Metrics in Prometheus' text form; needs a role that reads everywhere.",
            access: .role(.read, .resource(.node)), answer: .text("text/plain"), problems: [.unavailable]
        ) { try await $0.metrics($1) },
        Route(
            method: .get, path: "/api/v1/history", operation: "getHistory",
            summary: "Says what a metric's series were over a time; needs a role that reads everywhere.",
            access: .role(.read, .resource(.node)), parameters: [.metric, .labels, .since, .until, .step],
            answer: .object("HistoryAnswer"), problems: [.notFound, .invalid, .unavailable]
        ) { try await $0.history($1) },
        Route(
            method: .get, path: "/healthz", operation: "getHealth", summary: "Says that the server runs.",
            access: .open,
            answer: .text("text/plain")
        ) { _, _ in .plain("ok\n") },
        Route(
            method: .get, path: "/livez", operation: "getLiveness", summary: "Says that the server runs.",
            access: .open, answer: .text("text/plain")
        ) { _, _ in .plain("ok\n") },
        Route(
            method: .get, path: "/readyz", operation: "getReadiness",
            summary: "Says that the store answers and its changes are followed.", access: .open,
            answer: .text("text/plain"), problems: [.unavailable]
        ) { try await $0.ready($1) },
        Route(
            method: .get, path: "/version", operation: "getVersion", summary: "Says which version runs.", access: .open,
            answer: .object("Version")
        ) { try await $0.version($1) },
    ]

    private static let dashboardRoutes: [Route] = ["/", "/ui", "/ui/{file}", "/ui/{folder}/{file}"].map { path in
        Route(
            method: .get, path: path, operation: "getDashboard", summary: "The dashboard's files.", access: .open,
            parameters: [.ifNoneMatch], answer: .text("text/html"), isDocumented: false
        ) { service, call in
            let parts = [call.parameters["folder"], call.parameters["file"]].compactMap(\.self)
            return try await service.dashboard(call, parts.joined(separator: "/"))
        }
    }
}
