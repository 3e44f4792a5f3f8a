public import Certificates
public import FleetStore
import Foundation

/// Keeps the cluster's certificate authority in the store, so that all servers on it sign as one.
public enum ClusterAuthority {
    private struct Record: Codable {
        var certificate: String
        var key: String
    }

    private static let key = "/secrets/authority"

    /// The store's authority; makes it where there is none. Of servers that start at once, one does.
    public static func ensure(in store: any FleetStore, surroundings: Surroundings) async throws -> CertificateAuthority
    {
        let key = try StoreKey(key)
        if let known = try await read(key, store) { return known }
        let made = try CertificateAuthority(madeAt: surroundings.now())
        let record = Record(certificate: made.certificatePEM, key: made.keyPEM)
        do throws(StoreError) {
            _ = try await store.create(key, try bytes(record))
            return made
        } catch {
            // Another server was faster, or the answer was lost.
            guard error.code == .exists || error.code == .unknownOutcome else { throw error }
        }
        guard let known = try await read(key, store) else {
            throw ServerError("can't keep the certificate authority in the store; start the server again")
        }
        return known
    }

    private static func read(_ key: StoreKey, _ store: any FleetStore) async throws -> CertificateAuthority? {
        guard let entry = try await store.get(key) else { return nil }
        do {
            let record = try JSONDecoder().decode(Record.self, from: Data(entry.value))
            return try CertificateAuthority(certificatePEM: record.certificate, keyPEM: record.key)
        } catch {
            // Not the error itself, which may quote what it could not read.
            throw ServerError("the store's certificate authority can't be read; restore the store from a backup")
        }
    }

    private static func bytes(_ record: Record) throws(StoreError) -> [UInt8] {
        do { return Array(try JSONEncoder().encode(record)) } catch {
            throw .invalid("the authority's record can't be written")
        }
    }
}
