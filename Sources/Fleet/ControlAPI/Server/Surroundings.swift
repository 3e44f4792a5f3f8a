public import FleetModel
import Foundation

/// Clock and randomness, so that tests hold them still.
public struct Surroundings: Sendable {
    /// The time.
    public var now: @Sendable () -> Timestamp
    /// Waits.
    public var sleep: @Sendable (Duration) async throws -> Void
    /// Random bytes, fit for secrets.
    public var random: @Sendable (Int) -> [UInt8]

    /// Takes the three.
    public init(
        now: @escaping @Sendable () -> Timestamp, sleep: @escaping @Sendable (Duration) async throws -> Void,
        random: @escaping @Sendable (Int) -> [UInt8]
    ) {
        self.now = now
        self.sleep = sleep
        self.random = random
    }

    /// The machine's.
    public static let real = Surroundings(
        now: { Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000)) },
        sleep: { try await ContinuousClock().sleep(for: $0) },
        random: { count in
            var generator = SystemRandomNumberGenerator()
            return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
        })
}

/// Why a server can't start or go on.
public struct ServerError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What happened, with which value, and what to do next.
    public let description: String

    /// Describes a failure.
    public init(_ description: String) {
        self.description = description
    }
}
