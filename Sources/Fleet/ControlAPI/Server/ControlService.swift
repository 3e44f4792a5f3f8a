public import FleetModel
public import FleetStore
import Foundation
public import Traces

/// What a request was and how long it took, for metrics.
public struct RequestMeasure: Sendable, Hashable {
    /// The operation's name in the OpenAPI document; `none` where the address leads nowhere.
    public let operation: String
    /// The status of the answer.
    public let status: Int
    /// From the request's head to the answer's head.
    public let duration: Duration
}

/// What an API is put together from.
public struct ControlParts: Sendable {
    /// Where resources and tokens are.
    public var store: any FleetStore
    /// The control loop.
    public var operations: any FleetOperations
    /// Who somebody is.
    public var authenticator: Authenticator
    /// Nodes' certificates; nil where nodes get tokens alone.
    public var certificates: NodeCertificates?
    /// What was written and denied.
    public var audit: AuditLog
    /// Looks at changes after the API's own checks.
    public var checks: [any AdmissionCheck] = []
    /// The Prometheus text of `/metrics`; nil where none is collected.
    public var metrics: (@Sendable () async throws -> String)?
    /// What metrics were before; nil where nobody keeps it.
    public var history: (@Sendable (HistoryRequest) async throws -> HistoryAnswer)?
    /// Where spans of requests go; nil where nobody wants them.
    public var spans: SpanQueue?
    /// Told of each request.
    public var observe: @Sendable (RequestMeasure) -> Void = { _ in }
    /// The dashboard.
    public var dashboard = DashboardFiles()
    /// The program's version.
    public var version = "0"
    /// Clock and randomness.
    public var surroundings = Surroundings.real
    /// How many requests a subject may send.
    public var rateLimit = RateLimit(burst: 1000, perSecond: 500)

    /// Puts an API together that has no control loop yet.
    public init(store: any FleetStore, authenticator: Authenticator, audit: AuditLog) {
        self.store = store
        operations = NoFleetOperations()
        self.authenticator = authenticator
        self.audit = audit
    }
}

/// The API, as its handlers see it.
final class ControlService: Sendable {
    let parts: ControlParts
    let tokens: TokenStore
    let fans: [ResourceKind: WatchFan]
    let senders: SenderChecks
    let writer: ResourceWriter
    let reader: ResourceReader
    let scopes: AccessScopes

    init(_ parts: ControlParts, watching limits: WatchFan.Limits = WatchFan.Limits()) {
        self.parts = parts
        tokens = TokenStore(store: parts.store, surroundings: parts.surroundings)
        fans = Dictionary(
            uniqueKeysWithValues: ResourceKind.allCases.map {
                ($0, WatchFan($0, store: parts.store, surroundings: parts.surroundings, limits: limits))
            })
        senders = SenderChecks { [authenticator = parts.authenticator] credentials in
            _ = try await authenticator.identity(credentials)
        }
        writer = ResourceWriter(
            store: parts.store, surroundings: parts.surroundings,
            checks: [ReferenceCheck(store: parts.store)] + parts.checks)
        reader = ResourceReader(store: parts.store)
        scopes = AccessScopes(tree: ProjectTree(store: parts.store))
    }

    /// Follows the store's changes, and forgets old idempotency keys, until the task is cancelled.
    func run() async {
        await withTaskGroup { group in
            for fan in fans.values { group.addTask { await fan.run() } }
            group.addTask {
                let (store, surroundings) = (self.parts.store, self.parts.surroundings)
                repeat {
                    try? await IdempotencyRecord.sweep(store, now: surroundings.now())
                } while (try? await surroundings.sleep(.seconds(3600))) != nil
            }
            await group.waitForAll()
        }
    }

    /// Ends what would go on until its client leaves: watches, and heartbeats that wait for news.
    func endWaits() {
        for fan in fans.values { fan.close() }
        Task { [operations = parts.operations] in await operations.endWaits() }
    }

    /// Makes what every control plane has: the project of resources that name none.
    func prepareStore() async throws {
        let reference = ResourceReference(kind: .project, name: defaultProject)
        guard try await reader.find(reference) == nil else { return }
        var metadata = Metadata(name: defaultProject)
        metadata.uid = hexadecimal(parts.surroundings.random(16))
        metadata.generation = 1
        metadata.createdAt = parts.surroundings.now()
        metadata.createdBy = "roost-server"
        let spec = ProjectSpec(description: "Where resources go that name no project.")
        let bytes = try ResourceDocument(Resource(metadata, spec)).storedBytes()
        do {
            _ = try await storing { () async throws(StoreError) in
                try await parts.store.create(reference.storeKey(), bytes)
            }
        } catch let problem as Problem where problem.code == .exists {
            // Another control plane was faster.
        }
    }
}
