public import FleetStore

/// What a writer acknowledged before it was killed, and whether a store still has it.
public struct CrashCheck: Sendable {
    private struct Acknowledgement {
        var line: String
        var revision: Int64
        /// Nil after a removal.
        var number: Int?
    }

    private var latest: [String: Acknowledgement] = [:]

    /// Reads the writer's lines: `+ key number revision` and `- key revision`.
    public init(lines: [String]) {
        for line in lines {
            let words = line.split(separator: " ").map(String.init)
            guard words.count >= 3, let revision = Int64(words[words.count - 1]) else { continue }
            let number = words[0] == "+" && words.count == 4 ? Int(words[2]) : nil
            // Each key has one writer, so its lines are in order.
            latest[words[1]] = Acknowledgement(line: line, revision: revision, number: number)
        }
    }

    /// The lines that would have led to what a store holds: what a later check may begin with.
    public static func lines(of store: any FleetStore) async throws(StoreError) -> [String] {
        try await store.listAll(.all).entries.map { entry in
            let number = String(decoding: entry.value.prefix(24), as: UTF8.self).split(separator: " ").first ?? "0"
            return "+ \(entry.key) \(number) \(entry.revision)"
        }
    }

    /// A value that tells its number, and is as long as it says.
    public static func value(number: Int, byteCount: Int) -> [UInt8] {
        Array("\(number) \(byteCount) ".utf8) + (0..<byteCount).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ number) }
    }

    /// The acknowledged lines that the store does not bear out. A write behind the last acknowledged one may be
    /// there or not.
    public func missing(in store: any FleetStore) async throws(StoreError) -> [String] {
        let (entries, revision) = try await store.listAll(.all)
        let present = Dictionary(uniqueKeysWithValues: entries.map { ($0.key.text, $0) })
        var missing: [String] = []
        for (key, acknowledged) in latest.sorted(by: { $0.key < $1.key }) {
            if acknowledged.revision > revision.rawValue {
                missing.append("\(acknowledged.line): ahead of \(revision)")
            }
            guard let entry = present[key] else {
                // One more write, a removal, may have been done.
                if acknowledged.number != nil, !(try await wasRemoved(key, after: acknowledged.revision, in: store)) {
                    missing.append("\(acknowledged.line): not there")
                }
                continue
            }
            if entry.revision.rawValue < acknowledged.revision {
                missing.append("\(acknowledged.line): older is there")
            }
            if entry.revision.rawValue == acknowledged.revision {
                let words = String(decoding: entry.value.prefix(24), as: UTF8.self).split(separator: " ")
                let byteCount = words.count > 1 ? Int(words[1]) ?? 0 : 0
                let isWhole = acknowledged.number.map {
                    entry.value == CrashCheck.value(number: $0, byteCount: byteCount)
                }
                if isWhole != true { missing.append("\(acknowledged.line): other bytes are there") }
            }
        }
        for entry in entries where entry.revision > revision { missing.append("\(entry.key) is ahead of the store") }
        return missing
    }

    private func wasRemoved(
        _ key: String, after revision: Int64, in store: any FleetStore
    ) async throws(StoreError) -> Bool {
        let (_, current) = try await store.listAll(.all, pageSize: 1)
        guard current.rawValue > revision else { return false }
        var start = Revision(rawValue: revision)
        // The object may be older than the history, which still has what the last writer did.
        do throws(StoreError) { _ = try await store.watch(.all, after: start) } catch {
            guard error.code == .compacted, let oldest = error.revision else { throw error }
            start = oldest
        }
        var watch = try await store.watch(.all, after: start).makeAsyncIterator()
        while let item = try await watch.next() {
            if case .change(let change) = item,
                change.events.contains(where: { $0 == .delete(StoreKey(unchecked: key)) })
            {
                return true
            }
            if item.revision >= current { return false }
        }
        return false
    }
}
