import FleetModel

/// Looks again who sent a request that goes on. Watches look all at the same time, and many are of one sender: those
/// that ask while a look is under way share it, so that a thousand watches do not ask the store a thousand times.
actor SenderChecks {
    private let look: @Sendable (Credentials) async throws -> Void
    private var underWay: [Credentials: (task: Task<Void, any Error>, waiterCount: Int)] = [:]

    init(look: @escaping @Sendable (_ credentials: Credentials) async throws -> Void) {
        self.look = look
    }

    /// Throws once the sender is not known any more. A store that can't be asked now says nothing about that; where it
    /// stays away, the server's own watch of it ends, and all others with it.
    func check(_ credentials: Credentials) async throws {
        do {
            try await outcome(credentials)
        } catch let problem as Problem where problem.code == .unavailable {
            return
        }
    }

    private func outcome(_ credentials: Credentials) async throws {
        if let look = underWay[credentials] {
            underWay[credentials]?.waiterCount += 1
            return try await look.task.value
        }
        let task = Task { [look] in try await look(credentials) }
        underWay[credentials] = (task, 1)
        defer { underWay[credentials] = nil }
        try await task.value
    }

    /// How many wait for a look that is under way.
    func waiterCount(of credentials: Credentials) -> Int { underWay[credentials]?.waiterCount ?? 0 }
}
