public import FleetStore

/// What clients and watchers of one store saw, and what must hold between them.
public struct StoreHistory: Sendable {
    /// The clients' calls.
    public var calls: [RecordedCall]
    /// What each watcher was told, from its beginning.
    public var transcripts: [[WatchItem]]

    /// Puts together what was recorded.
    public init(calls: [RecordedCall] = [], transcripts: [[WatchItem]] = []) {
        self.calls = calls
        self.transcripts = transcripts
    }

    /// Everything that cannot be, in words; empty for a store that keeps its promises. The first transcript must
    /// reach from before the first write to behind the last, over all keys.
    public func violations(finally entries: [StoreEntry]) -> [String] {
        var found: [String] = []
        if let violation = LinearizabilityChecker.violation(in: calls) { found.append(violation.description) }
        found += revisionViolations()
        for (index, transcript) in transcripts.enumerated() {
            found += StoreHistory.orderViolations(transcript).map { "watcher \(index): \($0)" }
        }
        guard let first = transcripts.first else { return found }
        let changes = StoreHistory.changes(first)
        found += agreementViolations(changes)
        for (index, transcript) in transcripts.enumerated().dropFirst() {
            let other = StoreHistory.changes(transcript)
            // A watcher that began later lacks the beginning, and nothing else.
            guard other != changes.suffix(other.count) else { continue }
            found.append("watcher \(index) saw other changes than the first")
        }
        let replayed = StoreHistory.replay(changes)
        if replayed != entries.sorted(by: { $0.key < $1.key }) {
            found.append(
                "the watched changes lead to \(replayed.count) objects, other than the store's \(entries.count)"
            )
        }
        return found
    }

    /// The changes of a transcript, without the marks.
    public static func changes(_ transcript: [WatchItem]) -> [StoreChange] {
        transcript.compactMap { item in
            if case .change(let change) = item { change } else { nil }
        }
    }

    /// The objects that changes lead to, from nothing.
    public static func replay(_ changes: [StoreChange]) -> [StoreEntry] {
        var entries: [StoreKey: StoreEntry] = [:]
        for event in changes.flatMap(\.events) {
            switch event {
            case .put(let entry): entries[entry.key] = entry
            case .delete(let key): entries[key] = nil
            }
        }
        return entries.values.sorted { $0.key < $1.key }
    }

    /// Revisions grow, and a mark never runs ahead of what is still to come.
    static func orderViolations(_ transcript: [WatchItem]) -> [String] {
        var found: [String] = []
        var reached = Revision.zero
        for item in transcript {
            switch item {
            case .change(let change):
                if change.revision <= reached { found.append("revision \(change.revision) came after \(reached)") }
                if change.events.isEmpty { found.append("revision \(change.revision) came without events") }
            case .progress(let mark):
                if mark < reached { found.append("the mark \(mark) came after \(reached)") }
            }
            reached = max(reached, item.revision)
        }
        return found
    }

    /// Writes have revisions of their own, in the order of real time.
    private func revisionViolations() -> [String] {
        var writes: [(start: Int, end: Int, revision: Revision)] = []
        for call in calls {
            if case .written(let revision) = call.output { writes.append((call.start, call.end, revision)) }
        }
        writes.sort { $0.revision < $1.revision }
        var found: [String] = []
        var latestStart = Int.min
        for (index, write) in writes.enumerated() {
            if index > 0, writes[index - 1].revision == write.revision {
                found.append("two writes have revision \(write.revision)")
            }
            if write.end < latestStart { found.append("revision \(write.revision) ended before an earlier one began") }
            latestStart = max(latestStart, write.start)
        }
        return found
    }

    /// Every acknowledged write was watched, and nothing was watched that nobody wrote.
    private func agreementViolations(_ changes: [StoreChange]) -> [String] {
        var watched: [Revision: StoreEvent] = [:]
        for change in changes { for event in change.events { watched[change.revision] = event } }
        var found: [String] = []
        var possible = Set<[UInt8]>()
        var deletesThatMayBe = Set<StoreKey>()
        var acknowledged = Set<Revision>()
        for call in calls {
            switch (call.input, call.output) {
            case (.create(let value), .written(let revision)), (.replace(let value, _), .written(let revision)):
                acknowledged.insert(revision)
                if case .put(let entry)? = watched[revision], entry.key == call.key, entry.value == value { continue }
                found.append("the write of \(call.key) at \(revision) was not watched")
            case (.delete, .written(let revision)):
                acknowledged.insert(revision)
                if watched[revision] != .delete(call.key) {
                    found.append("the removal of \(call.key) at \(revision) was not watched")
                }
            case (.create(let value), .unknown), (.replace(let value, _), .unknown): possible.insert(value)
            case (.delete, .unknown): deletesThatMayBe.insert(call.key)
            default: break
            }
        }
        for (revision, event) in watched where !acknowledged.contains(revision) {
            switch event {
            case .put(let entry) where possible.contains(entry.value): break
            case .delete(let key) where deletesThatMayBe.contains(key): break
            default: found.append("\(event) at \(revision) was watched, but nobody wrote it")
            }
        }
        return found
    }
}
