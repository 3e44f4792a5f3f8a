public import FleetModel
public import FleetStore
import Foundation

/// Keeps tokens in the store: for each a record without its secret.
public struct TokenStore: Sendable {
    /// What the store holds of a token.
    private struct Record: Codable {
        var description: TokenDescription
        /// SHA-256 of the secret.
        var digest: String
    }

    private let store: any FleetStore
    private let surroundings: Surroundings
    private static let prefix = "/tokens/"
    private static let bearerSpan = TimeSpan.hours(24 * 30)
    private static let joinSpan = TimeSpan.hours(1)

    /// Keeps tokens in a store.
    public init(store: any FleetStore, surroundings: Surroundings) {
        self.store = store
        self.surroundings = surroundings
    }

    /// Makes a token.
    public func make(_ request: TokenRequest, by subject: String) async throws -> NewToken {
        let problems = request.problems
        guard problems.isEmpty else { throw Problem(.invalid, "the token's values are wrong", problems: problems) }
        let purpose = request.purpose ?? .bearer
        let (token, record) = prepare(request, purpose: purpose, by: subject)
        try await storing { () async throws(StoreError) in
            _ = try await store.create(TokenStore.key(token.id), TokenStore.bytes(record))
        }
        return NewToken(token: token.text, description: record.description)
    }

    /// Who sends a token; throws `unauthenticated` where nobody does.
    public func identity(of text: String) async throws -> Identity {
        let description = try await verify(text, purpose: .bearer)
        return Identity(
            subject: description.subject, grants: description.grants, method: "token", expiresAt: description.expiresAt)
    }

    /// Uses a join token up, and makes the node's own token in the same transaction if it is to have one. `admit` runs
    /// in between, and says what else belongs to the transaction.
    func join(
        _ text: String, node: String, hasOwnToken: Bool, admit: () async throws -> [StoreOperation]
    ) async throws -> String? {
        guard let token = TokenText(text), let entry = try await entry(token.id) else { throw TokenStore.unknown }
        let description = try check(token, entry, purpose: .join)
        var operations = [StoreOperation.delete(entry.key, expected: entry.revision)] + (try await admit())
        let own = hasOwnToken ? try prepareOwn(node: node, by: description.subject, &operations) : nil
        let transaction = StoreTransaction(operations)
        do {
            try await storing { () async throws(StoreError) in _ = try await store.commit(transaction) }
        } catch let problem as Problem where problem.code == .notFound || problem.code == .conflict {
            throw Problem(.unauthenticated, "the join token was used by somebody else; ask for another one")
        }
        return own
    }

    private func prepareOwn(node: String, by subject: String, _ operations: inout [StoreOperation]) throws -> String {
        let request = TokenRequest(
            subject: "node:\(node)", grants: [Grant(.node, node: node)], description: "made when the node joined")
        var (own, record) = prepare(request, purpose: .bearer, by: subject)
        record.description.expiresAt = nil
        operations.append(.create(try TokenStore.key(own.id), value: try TokenStore.bytes(record)))
        return own.text
    }

    /// All tokens, without their secrets.
    func list() async throws -> [TokenDescription] {
        let entries = try await storing { () async throws(StoreError) in
            try await store.listAll(StorePrefix(TokenStore.prefix)).entries
        }
        return try entries.map { try TokenStore.record($0).description }
    }

    /// One token, without its secret.
    func description(_ id: String) async throws -> TokenDescription {
        guard let entry = try await entry(id) else { throw TokenStore.missing(id) }
        return try TokenStore.record(entry).description
    }

    /// Ends a token at once.
    func revoke(_ id: String) async throws {
        guard let entry = try await entry(id) else { throw TokenStore.missing(id) }
        try await storing { () async throws(StoreError) in
            _ = try await store.delete(entry.key, expected: entry.revision)
        }
    }

    private func prepare(
        _ request: TokenRequest, purpose: TokenPurpose, by subject: String
    ) -> (token: TokenText, record: Record) {
        let token = TokenText(random: surroundings.random)
        let now = surroundings.now()
        var description = TokenDescription(
            id: token.id, subject: request.subject, purpose: purpose, grants: request.grants ?? [], createdAt: now,
            createdBy: subject)
        let span = purpose == .join ? TokenStore.joinSpan : TokenStore.bearerSpan
        description.expiresAt = now + (request.expiresIn ?? span)
        description.description = request.description
        return (token, Record(description: description, digest: token.digest))
    }

    private func verify(_ text: String, purpose: TokenPurpose) async throws -> TokenDescription {
        guard let token = TokenText(text), let entry = try await entry(token.id) else { throw TokenStore.unknown }
        return try check(token, entry, purpose: purpose)
    }

    private func check(_ token: TokenText, _ entry: StoreEntry, purpose: TokenPurpose) throws -> TokenDescription {
        let record = try TokenStore.record(entry)
        // One answer for every reason, so that nobody learns which ids there are.
        guard TokenText.isEqual(record.digest, token.digest), record.description.purpose == purpose else {
            throw TokenStore.unknown
        }
        if let expiresAt = record.description.expiresAt, expiresAt <= surroundings.now() { throw TokenStore.unknown }
        return record.description
    }

    private func entry(_ id: String) async throws -> StoreEntry? {
        guard !id.isEmpty, id.utf8.count <= 32, id.utf8.allSatisfy({ isalnum(Int32($0)) != 0 }) else { return nil }
        return try await storing { () async throws(StoreError) in try await store.get(TokenStore.key(id)) }
    }

    private static let unknown = Problem(
        .unauthenticated, "the token is unknown, revoked or expired; ask for another one, or log in again")

    private static func missing(_ id: String) -> Problem { Problem(.notFound, "there is no token with id \(id)") }

    private static func key(_ id: String) throws(StoreError) -> StoreKey { try StoreKey(prefix + id) }

    private static func bytes(_ record: Record) throws(StoreError) -> [UInt8] {
        do { return Array(try JSONEncoder().encode(record)) } catch {
            throw .invalid("a token's record can't be written: \(error)")
        }
    }

    private static func record(_ entry: StoreEntry) throws -> Record {
        try JSONDecoder().decode(Record.self, from: Data(entry.value))
    }
}
