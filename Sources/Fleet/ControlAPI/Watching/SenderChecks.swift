import FleetModel

/// Looks again who sent a request that goes on. Watches look all at the same time, and many are of one sender: those
/// that ask while a look is under way share it, so that a thousand watches do not ask the store a thousand times.
actor SenderChecks {
    private let look: @Sendable (String?) async throws -> Void
    private var underWay: [String?: (task: Task<Void, any Error>, waiterCount: Int)] = [:]

    init(look: @escaping @Sendable (_ authorization: String?) async throws -> Void) {
        self.look = look
    }

    /// Throws once the sender is not known any more. A store that can't be asked now says nothing about that; where it
    /// stays away, the server's own watch of it ends, and all others with it.
    func check(_ authorization: String?) async throws {
        do {
            try await outcome(authorization)
        } catch let problem as Problem where problem.code == .unavailable {
            return
        }
    }

    private func outcome(_ authorization: String?) async throws {
        if let look = underWay[authorization] {
            underWay[authorization]?.waiterCount += 1
            return try await look.task.value
        }
        let task = Task { [look] in try await look(authorization) }
        underWay[authorization] = (task, 1)
        defer { underWay[authorization] = nil }
        try await task.value
    }

    /// How many wait for a look that is under way.
    func waiterCount(of authorization: String?) -> Int { underWay[authorization]?.waiterCount ?? 0 }
}
