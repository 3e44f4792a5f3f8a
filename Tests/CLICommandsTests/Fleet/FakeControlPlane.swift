import FleetClient
import FleetModel
import Foundation
import Synchronization

@testable import CLICommands

/// A control plane that keeps resources in memory and writes down what it was asked.
final class FakeControlPlane: FleetConnection {
    private struct State {
        var resources: [ResourceReference: ResourceDocument] = [:]
        var revision: Int64 = 0
        var requests: [String] = []
        var refusal: FleetClientError?
        var changes: [[FleetClient.Change]] = []
    }

    private let state = Mutex(State())
    let whyAnswer: Explanation
    let planAnswer: Plan
    let authorityText: String

    init(
        why: Explanation = Explanation(
            workload: ResourceReference(kind: .workload, name: "x"), phase: .running, verdict: ""),
        plan: Plan = Plan(), authority: String = ""
    ) {
        authorityText = authority
        whyAnswer = why
        planAnswer = plan
    }

    /// What was asked, in order.
    var requests: [String] { state.withLock { $0.requests } }

    /// Refuses the next write.
    func refuseOnce(_ error: FleetClientError) { state.withLock { $0.refusal = error } }

    /// What the next watch tells.
    func willChange(_ changes: [FleetClient.Change]) { state.withLock { $0.changes.append(changes) } }

    func list(
        _ kind: ResourceKind, project: String?, labels: String?
    ) async throws -> (items: [ResourceDocument], revision: Int64) {
        state.withLock { state in
            state.requests.append("list \(kind.plural) \(project ?? "*") \(labels ?? "")")
            let items = state.resources.values.filter { item in
                item.kind == kind && (project == nil || item.metadata.project == project)
            }
            return (items, state.revision)
        }
    }

    func names(of kind: ResourceKind, project: String?) async throws -> [String] {
        try await list(kind, project: project, labels: nil).items.map(\.metadata.name)
    }

    func get(_ reference: ResourceReference) async throws -> ResourceDocument? {
        state.withLock { $0.resources[reference] }
    }

    func put(
        _ document: ResourceDocument, revision: Int64?, isDryRun: Bool
    ) async throws -> ResourceDocument {
        try state.withLock { state in
            let guarded = revision.map { " if \($0)" } ?? ""
            state.requests.append("put \(document.reference.title)\(guarded)\(isDryRun ? " dry" : "")")
            if let refusal = state.refusal {
                state.refusal = nil
                throw refusal
            }
            guard !isDryRun else { return document }
            state.revision += 1
            let stored = document.at(revision: state.revision)
            state.resources[document.reference] = stored
            return stored
        }
    }

    func patch(_ reference: ResourceReference, _ patch: JSONValue) async throws -> ResourceDocument {
        guard let before = try await get(reference) else { throw FakeControlPlane.missing }
        state.withLock { $0.requests.append("patch \(reference.title)") }
        return try await put(
            ResourceDocument(manifest: before.json.merging(patch)), revision: nil, isDryRun: false)
    }

    func delete(_ reference: ResourceReference, isDryRun: Bool) async throws {
        try state.withLock { state in
            guard state.resources[reference] != nil else { throw FakeControlPlane.missing }
            if !isDryRun { state.resources[reference] = nil }
        }
    }

    func watch(
        _ kind: ResourceKind, project: String?, after revision: Int64
    ) -> AsyncThrowingStream<FleetClient.Change, any Error> {
        let changes = state.withLock { state in
            state.requests.append("watch \(kind.plural) \(project ?? "*") after \(revision)")
            return state.changes.isEmpty ? [] : state.changes.removeFirst()
        }
        let isCompacted = changes.isEmpty && state.withLock { !$0.changes.isEmpty }
        return AsyncThrowingStream { continuation in
            changes.forEach { continuation.yield($0) }
            continuation.finish(
                throwing: isCompacted ? FleetClientError(status: 410, title: "Compacted", detail: "List again.") : nil)
        }
    }

    func why(_ workload: ResourceReference) async throws -> Explanation { whyAnswer }
    func plan(_ documents: [ResourceDocument]) async throws -> Plan { planAnswer }
    func snapshot() async throws -> JSONValue {
        try state.withLock { state in
            try RecordedFleet(
                Array(state.resources.values), revision: state.revision, version: "1",
                at: Timestamp(milliseconds: 1_000_000)
            ).json
        }
    }
    func whoami() async throws -> Identity {
        Identity(subject: "ann", grants: [Grant(.user, project: "research"), Grant(.viewer)], method: "token")
    }

    func authority() async throws -> String { authorityText }

    func createToken(_ request: TokenRequest) async throws -> NewToken {
        var made = NewToken(token: "secret", description: try await tokens()[0])
        if request.purpose == .join { made.authorityFingerprint = "sha256:12ab" }
        return made
    }

    func tokens() async throws -> [TokenDescription] {
        [
            TokenDescription(
                id: "1f", subject: "ann", purpose: .bearer, grants: [Grant(.user, project: "research")],
                createdAt: Timestamp(milliseconds: 0), createdBy: "root")
        ]
    }

    func revokeToken(id: String) async throws { state.withLock { $0.requests.append("revoke \(id)") } }

    static let missing = FleetClientError(status: 404, title: "Not found", detail: "There is none.")
}

/// A command's streams as text.
final class Streams: Sendable {
    private let written = Mutex<(lines: [String], notes: [String])>(([], []))

    /// What went to the standard output.
    var lines: [String] { written.withLock { $0.lines } }
    /// What went to the standard error.
    var notes: [String] { written.withLock { $0.notes } }

    func console(input: String = "") -> Console {
        Console(
            line: { line in self.written.withLock { $0.lines.append(line) } },
            note: { note in self.written.withLock { $0.notes.append(note) } },
            input: { Data(input.utf8) }, isColored: false)
    }

    /// A session with a control plane, at 1,000 seconds after 1970.
    func session(_ plane: FakeControlPlane, input: String = "") -> FleetSession {
        FleetSession(
            connection: plane, console: console(input: input), project: "default",
            server: "https://pool:7600", now: Timestamp(milliseconds: 1_000_000))
    }
}
