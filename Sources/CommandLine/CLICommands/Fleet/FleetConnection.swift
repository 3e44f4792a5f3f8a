import FleetClient
import FleetModel

/// What commands ask of a control plane. Tests put one of their own in its place.
protocol FleetConnection: Sendable {
    func list(
        _ kind: ResourceKind, project: String?, labels: String?
    ) async throws -> (items: [ResourceDocument], revision: Int64)
    func names(of kind: ResourceKind, project: String?) async throws -> [String]
    func get(_ reference: ResourceReference) async throws -> ResourceDocument?
    func put(_ document: ResourceDocument, revision: Int64?, isDryRun: Bool) async throws -> ResourceDocument
    func patch(_ reference: ResourceReference, _ patch: JSONValue) async throws -> ResourceDocument
    func delete(_ reference: ResourceReference, isDryRun: Bool) async throws
    func watch(
        _ kind: ResourceKind, project: String?, after revision: Int64
    ) -> AsyncThrowingStream<FleetClient.Change, any Error>
    func why(_ workload: ResourceReference) async throws -> Explanation
    func plan(_ documents: [ResourceDocument]) async throws -> Plan
    func snapshot() async throws -> JSONValue
    func whoami() async throws -> Identity
    /// The certificate of the cluster's authority (PEM).
    func authority() async throws -> String
    func createToken(_ request: TokenRequest) async throws -> NewToken
    func tokens() async throws -> [TokenDescription]
    func revokeToken(id: String) async throws
}

extension FleetClient: FleetConnection {
    private struct TokenList: Codable, Sendable {
        var items: [TokenDescription]
    }

    func snapshot() async throws -> JSONValue { try await send(.get, "/api/v1/snapshot") }

    func whoami() async throws -> Identity { try await send(.get, "/api/v1/whoami") }

    func createToken(_ request: TokenRequest) async throws -> NewToken {
        try await send(.post, "/api/v1/tokens", body: request)
    }

    func tokens() async throws -> [TokenDescription] {
        let list: TokenList = try await send(.get, "/api/v1/tokens")
        return list.items
    }

    func revokeToken(id: String) async throws { _ = try await bytes(.delete, "/api/v1/tokens/\(id)") }
}

/// What a command on the fleet works with: the control plane, where it writes, and the time.
struct FleetSession: Sendable {
    /// The control plane.
    var connection: any FleetConnection
    /// Where results and notes go.
    var console: Console
    /// The project where none is named.
    var project: String
    /// The control plane's address.
    var server: String
    /// The time, for ages.
    var now: Timestamp

    /// Where a resource of a kind stands.
    func reference(_ kind: ResourceKind, _ name: String) -> ResourceReference {
        ResourceReference(kind: kind, project: kind.isInProject ? project : nil, name: name)
    }
}

extension ResourceReference {
    /// `workload/train`, as commands name a resource.
    var title: String { "\(kind.rawValue.lowercased())/\(name)" }
}

extension CommandFailure {
    /// A resource that should be there is not.
    static func missing(_ reference: ResourceReference) -> CommandFailure {
        let place = reference.project.map { " in project \($0)" } ?? ""
        let option = reference.project.map { " -p \($0)" } ?? ""
        return CommandFailure(
            status: CommandExit.failure,
            message:
                "There is no \(reference.title)\(place). `roost get \(reference.kind.plural)\(option)` lists those "
                + "that there are.")
    }

    /// What a control plane's refusal means for whoever typed the command.
    init(_ error: FleetClientError) {
        let next: String? =
            switch error.status {
            case 401: "`roost login URL` does so."
            case 403: "`roost whoami` shows what you may do."
            default: nil
            }
        let text = error.description
        let isSentence = text.last.map { ".?!".contains($0) } ?? false
        self.init(
            status: CommandExit.failure, message: next.map { "\(text)\(isSentence ? "" : ".") \($0)" } ?? text)
    }
}
