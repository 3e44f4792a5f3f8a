import FleetModel
import FleetStore
import Foundation

/// A resource as the store holds it: its bytes go to clients without being read, with the revision put in.
struct StoredText: Sendable {
    let reference: ResourceReference
    let revision: Int64
    let bytes: [UInt8]

    /// Takes an entry of the store; nil where it is no resource.
    init?(_ entry: StoreEntry) {
        guard let reference = ResourceReference(key: entry.key.text) else { return nil }
        self.init(reference: reference, revision: entry.revision.rawValue, bytes: entry.value)
    }

    init(reference: ResourceReference, revision: Int64, bytes: [UInt8]) {
        self.reference = reference
        self.revision = revision
        self.bytes = bytes
    }

    /// The entity tag of the API.
    var entityTag: String { "\"\(revision)\"" }

    /// The resource, read.
    func document() throws -> ResourceDocument { try ResourceDocument(stored: bytes, revision: revision) }

    /// The JSON text with the revision.
    func text() throws -> [UInt8] {
        // Names are sorted, so that what stands before the metadata's members is the same in all of a kind.
        let start = Array(
            #"{"apiVersion":"\#(resourceAPIVersion)","kind":"\#(reference.kind.rawValue)","metadata":{"#.utf8)
        guard bytes.starts(with: start), bytes.count > start.count, bytes[start.count] != UInt8(ascii: "}") else {
            return Array(try document().json.encoded())
        }
        var text = start
        text.reserveCapacity(bytes.count + 32)
        text += Array("\"revision\":\(revision),".utf8)
        text += bytes[start.count...]
        return text
    }
}
