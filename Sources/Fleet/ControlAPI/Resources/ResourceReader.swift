import FleetModel
import FleetStore
import Foundation

/// Gets and lists resources, as far as somebody may see them.
struct ResourceReader: Sendable {
    /// How many entries of the store one answer looks at, at most: a selector that fits little ends with a `continue`.
    private static let scanMax = 5000
    private static let limitDefault = 500

    let store: any FleetStore

    /// One resource; throws `notFound`.
    func get(_ reference: ResourceReference) async throws -> StoredText {
        guard let text = try await find(reference) else { throw ResourceReader.missing(reference) }
        return text
    }

    /// One resource, or nil.
    func find(_ reference: ResourceReference) async throws -> StoredText? {
        try await storing { () async throws(StoreError) in try await store.get(reference.storeKey()) }.flatMap(
            StoredText.init)
    }

    static func missing(_ reference: ResourceReference) -> Problem {
        Problem(.notFound, "there is no \(reference)")
    }

    /// The body of a list's answer.
    func list(_ selection: ResourceSelection, limit: Int?, from token: String?) async throws -> [UInt8] {
        let limit = limit ?? ResourceReader.limitDefault
        let prefix = try selection.prefix()
        var place = try token.map { try PageToken.read($0, in: prefix) }
        var items: [[UInt8]] = []
        var scanned = 0
        var revision: Revision?
        repeat {
            let from = place
            let page = try await storing { () async throws(StoreError) in
                try await store.list(prefix, limit: limit - items.count, from: from)
            }
            revision = page.revision
            for entry in page.entries {
                scanned += 1
                guard let text = StoredText(entry), try await selection.includes(text) else { continue }
                items.append(try text.text())
            }
            place = page.continuation
        } while place != nil && items.count < limit && scanned < ResourceReader.scanMax
        return ResourceReader.body(selection.kind, items, revision: revision, next: place)
    }

    /// Every resource that is selected, at one revision.
    func all(_ selection: ResourceSelection) async throws -> (items: [StoredText], revision: Revision) {
        let prefix = try selection.prefix()
        let (entries, revision) = try await storing { () async throws(StoreError) in try await store.listAll(prefix) }
        var items: [StoredText] = []
        for entry in entries {
            guard let text = StoredText(entry), try await selection.includes(text) else { continue }
            items.append(text)
        }
        return (items, revision)
    }

    private static func body(
        _ kind: ResourceKind, _ items: [[UInt8]], revision: Revision?, next: StoreContinuation?
    ) -> [UInt8] {
        let goesOn = next.map { ",\"continue\":\"\(PageToken.text($0))\"" } ?? ""
        var body = Array(
            """
            {"apiVersion":"\(resourceAPIVersion)","kind":"\(kind.rawValue)List",\
            "metadata":{"revision":\(revision?.rawValue ?? 0)\(goesOn)},"items":[
            """.utf8)
        body.reserveCapacity(items.reduce(body.count + 2) { $0 + $1.count + 1 })
        for (index, item) in items.enumerated() {
            if index > 0 { body.append(UInt8(ascii: ",")) }
            body += item
        }
        return body + Array("]}".utf8)
    }
}

/// Where a list goes on, as clients get it: nothing that they should look into.
enum PageToken {
    static func text(_ place: StoreContinuation) -> String {
        Data("\(place.revision) \(place.after)".utf8).base64EncodedString()
            .replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")
            .replacingOccurrences(of: "=", with: "")
    }

    /// Reads what a client sends back. Somebody may have made it up: it can only lead into the list's own folder.
    static func read(_ text: String, in prefix: StorePrefix) throws -> StoreContinuation {
        let wrong = Problem(.invalid, "continue is none that a list answered with; list again without it")
        var base64 = text.replacingOccurrences(of: "-", with: "+").replacingOccurrences(of: "_", with: "/")
        base64 += String(repeating: "=", count: (4 - base64.utf8.count % 4) % 4)
        guard let bytes = Data(base64Encoded: base64) else { throw wrong }
        let parts = String(decoding: bytes, as: UTF8.self).split(separator: " ", maxSplits: 1)
        guard parts.count == 2, let revision = Int64(parts[0]), revision >= 0,
            let key = try? StoreKey(String(parts[1])), prefix.contains(key)
        else { throw wrong }
        return StoreContinuation(revision: Revision(rawValue: revision), after: key)
    }
}

/// Which resources somebody asks for and may see.
struct ResourceSelection: Sendable {
    let kind: ResourceKind
    /// Only of this project.
    var project: String?
    var labels: LabelSelector?
    let sight: Sight

    func prefix() throws -> StorePrefix {
        let folder = project.map { "\($0)/" } ?? ""
        do { return try StorePrefix("/\(kind.plural)/\(folder)") } catch { throw Problem(error) }
    }

    /// Whether a resource is chosen and may be seen.
    func includes(_ text: StoredText) async throws -> Bool {
        guard project == nil || text.reference.project == project else { return false }
        guard try await sight.sees(text) else { return false }
        guard let labels else { return true }
        return labels.matches(try text.document().metadata.labels ?? [:])
    }
}
