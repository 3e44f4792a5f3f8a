import FleetModel
import FleetStore
import Foundation
import Hummingbird
import HummingbirdTesting
import Logging
import Synchronization
import Testing

@testable import ControlAPI

/// A clock that stands until it is moved.
final class StandingClock: Sendable {
    private let moment: Mutex<Timestamp>

    init() { moment = Mutex(Timestamp("2026-12-01T12:00:00Z") ?? Timestamp(milliseconds: 0)) }

    var now: Timestamp { moment.withLock { $0 } }

    func move(by span: TimeSpan) { moment.withLock { $0 = $0 + span } }

    /// Time stands; whoever waits does so until it is cancelled.
    var surroundings: Surroundings {
        Surroundings(
            now: { self.now },
            sleep: { _ in
                let (stream, _) = AsyncStream<Void>.makeStream()
                for await _ in stream {}
                throw CancellationError()
            },
            random: Surroundings.real.random)
    }
}

/// A folder of the test's own, gone when the test is over.
final class ScratchFolder: Sendable {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("roost-api-\(UUID().uuidString)").path

    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// What came back.
struct Reply {
    let status: Int
    let headers: HTTPFields
    let text: String

    var json: JSONValue { (try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))) ?? .null }
    var problem: Problem? { try? JSONDecoder().decode(Problem.self, from: Data(text.utf8)) }
    var etag: String? { headers[.eTag] }
}

/// An API over an empty store, with an administrator's token.
struct APIFixture {
    let store = MemoryFleetStore()
    let clock = StandingClock()
    let folder: ScratchFolder
    let audit: AuditLog
    let tokens: TokenStore
    let admin: String
    private(set) var parts: ControlParts

    init(_ change: (inout ControlParts) throws -> Void = { _ in }) async throws {
        folder = try ScratchFolder()
        audit = try AuditLog(folder: folder.path, surroundings: clock.surroundings)
        tokens = TokenStore(store: store, surroundings: clock.surroundings)
        admin = try await tokens.make(TokenRequest(subject: "root", grants: [Grant(.admin)]), by: "test").token
        parts = ControlParts(store: store, authenticator: Authenticator(tokens: tokens), audit: audit)
        parts.surroundings = clock.surroundings
        parts.version = "1.2.3"
        try change(&parts)
    }

    /// The same with other parts.
    func changed(_ change: (inout ControlParts) -> Void) -> APIFixture {
        var other = self
        change(&other.parts)
        return other
    }

    /// Takes a node out of the store.
    func deleteNode(_ name: String) async throws {
        let key = try ResourceReference(kind: .node, name: name).storeKey()
        let entry = try #require(try await store.get(key))
        _ = try await store.delete(key, expected: entry.revision)
    }

    /// A token for somebody.
    func token(_ subject: String, _ grants: Grant...) async throws -> String {
        try await tokens.make(TokenRequest(subject: subject, grants: grants), by: "test").token
    }

    /// Runs a body with a client that needs no socket.
    func run(_ body: @Sendable (Caller) async throws -> Void) async throws {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let settings = ListenSettings(address: ListenAddress(host: "127.0.0.1", port: 0))
        let server = try ControlServer(parts, listening: settings, logger: logger)
        try await server.prepare()
        try await server.application().test(.router) { client in try await body(Caller(client: client, token: admin)) }
    }
}

/// Sends requests with a token.
struct Caller: Sendable {
    let client: any TestClientProtocol
    var token: String?

    func with(_ token: String?) -> Caller { Caller(client: client, token: token) }

    func send(
        _ method: HTTPRequest.Method, _ path: String, _ json: JSONValue? = nil, headers: HTTPFields = [:]
    ) async throws -> Reply {
        var headers = headers
        if let token, headers[.authorization] == nil { headers[.authorization] = "Bearer \(token)" }
        if json != nil, headers[.contentType] == nil {
            headers[.contentType] = method == .patch ? "application/merge-patch+json" : "application/json"
        }
        let body = try json.map { ByteBuffer(bytes: try $0.encoded()) }
        return try await client.execute(uri: path, method: method, headers: headers, body: body) { response in
            Reply(status: response.status.code, headers: response.headers, text: String(buffer: response.body))
        }
    }

    func get(_ path: String, headers: HTTPFields = [:]) async throws -> Reply {
        try await send(.get, path, headers: headers)
    }
    func post(_ path: String, _ json: JSONValue, headers: HTTPFields = [:]) async throws -> Reply {
        try await send(.post, path, json, headers: headers)
    }
    func put(_ path: String, _ json: JSONValue, headers: HTTPFields = [:]) async throws -> Reply {
        try await send(.put, path, json, headers: headers)
    }
    func patch(_ path: String, _ json: JSONValue, headers: HTTPFields = [:]) async throws -> Reply {
        try await send(.patch, path, json, headers: headers)
    }
    func delete(_ path: String, headers: HTTPFields = [:]) async throws -> Reply {
        try await send(.delete, path, headers: headers)
    }
}

/// A manifest with a name.
func manifest(_ name: String, spec: JSONValue = [:], labels: JSONValue? = nil) -> JSONValue {
    var metadata: JSONValue = ["name": .string(name)]
    metadata["labels"] = labels
    return ["metadata": metadata, "spec": spec]
}

let workloads = "/api/v1/projects/default/workloads"
