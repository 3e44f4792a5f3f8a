import FleetModel
import FleetStore

/// Asks the store, and tells of its refusals as problems of requests: the one place that does.
func storing<Output>(_ body: () async throws(StoreError) -> Output) async throws -> Output {
    do throws(StoreError) {
        return try await body()
    } catch {
        throw Problem(error)
    }
}

extension Problem {
    /// What a refusal of the store means for a request.
    init(_ error: StoreError) {
        switch error.code {
        case .notFound: self.init(.notFound, error.message)
        case .conflict: self.init(.conflict, error.message)
        case .exists: self.init(.exists, error.message)
        case .compacted: self.init(.compacted, error.message)
        case .invalid: self.init(.invalid, error.message)
        case .fenced, .unavailable, .unknownOutcome:
            self.init(.unavailable, "the store: \(error.message)")
            retryAfterSeconds = 1
        case .damaged: self.init(.internal, "the store: \(error.message)")
        }
    }

    /// What a refusal of a manifest means for a request.
    init(_ error: ManifestError) {
        self.init(.invalid, "the manifest's values are wrong; see problems", problems: error.problems)
    }
}
