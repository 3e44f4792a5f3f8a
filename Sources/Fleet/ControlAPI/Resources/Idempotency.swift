import FleetModel
import FleetStore
import Foundation
import HTTPTypes

/// Remembers creations by the key that the client gave, in the store, in the same transaction as the creation.
struct IdempotencyRecord: Codable, Sendable {
    /// How long a key is good for.
    static let lifetime = TimeSpan.hours(24)
    static let prefix = "/idempotency/"

    /// SHA-256 of the request.
    var digest: String
    /// When it was done.
    var at: Timestamp
    /// The created resource, as the store held it.
    var key: String
    var resource: String

    /// Where the record of a key stands: each subject has keys of its own.
    static func storeKey(subject: String, key: String) throws(StoreError) -> StoreKey {
        try StoreKey(prefix + sha256(Array("\(subject)\u{0}\(key)".utf8)))
    }

    /// What tells two requests apart.
    static func digest(_ call: APICall) -> String {
        sha256(Array("\(call.route.method.rawValue) \(call.path) \(call.isDryRun)\u{0}".utf8) + call.body)
    }

    /// The answer of the first request: the revision is the record's own, since both were made at once.
    static func answer(_ entry: StoreEntry, digest: String, now: Timestamp) throws -> StoredText? {
        let record = try JSONDecoder().decode(IdempotencyRecord.self, from: Data(entry.value))
        guard now - record.at < lifetime else { return nil }
        guard record.digest == digest else {
            throw Problem(
                .keyReused, "the Idempotency-Key was used for another request at \(record.at); use a new one for each")
        }
        guard let reference = ResourceReference(key: record.key) else { return nil }
        return StoredText(
            reference: reference, revision: entry.revision.rawValue, bytes: Array(record.resource.utf8))
    }

    /// Forgets what is too old.
    static func sweep(_ store: any FleetStore, now: Timestamp) async throws {
        let entries = try await storing { () async throws(StoreError) in try await store.listAll(StorePrefix(prefix)).entries }
        for entry in entries {
            let record = try? JSONDecoder().decode(IdempotencyRecord.self, from: Data(entry.value))
            if let record, now - record.at < lifetime { continue }
            // Somebody who renewed it meanwhile is right.
            _ = try? await store.delete(entry.key, expected: entry.revision)
        }
    }
}
