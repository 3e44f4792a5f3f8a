import AsyncHTTPClient
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// The servers of one control plane, of which any does: the one that answered last is asked until it fails.
final class Servers: Sendable {
    private let addresses: [String]
    private let preferred = Atomic<Int>(0)

    init(_ addresses: [String]) {
        self.addresses = addresses
    }

    /// Asks one server after the other until one has answered. What a server may have done is not asked of the next,
    /// unless doing it twice is as good as once.
    ///
    /// - Throws: ``FleetClientError``: the refusal, or that none was reached.
    func ask<Answer>(isRepeatable: Bool, _ send: (String) async throws -> Answer) async throws -> Answer {
        let first = preferred.load(ordering: .relaxed)
        for offset in addresses.indices {
            let place = (first + offset) % addresses.count
            let isLast = offset + 1 == addresses.count
            do {
                return try await send(addresses[place])
            } catch let error as FleetClientError {
                // It ends, or can't reach its store; another one may.
                guard error.status == 503 else { throw error }
                moveOn(from: place)
                if isLast || !isRepeatable { throw error }
            } catch {
                if Task.isCancelled { throw FleetClientError.unreachable(addresses[place], error) }
                moveOn(from: place)
                if isLast || !(isRepeatable || Servers.isUnsent(error)) {
                    throw FleetClientError.unreachable(addresses.joined(separator: ", "), error)
                }
            }
        }
        throw FleetClientError(status: 0, title: "Bad address", detail: "No address of a control plane is named.")
    }

    /// Leaves a server, unless others have left it already.
    private func moveOn(from place: Int) {
        let next = (place + 1) % addresses.count
        _ = preferred.compareExchange(expected: place, desired: next, ordering: .relaxed)
    }

    /// Whether an error shows that no connection came about.
    private static func isUnsent(_ error: any Error) -> Bool {
        if error is NIOConnectionError || error is NIOSSLError { return true }
        if let error = error as? HTTPClientError {
            return [.connectTimeout, .getConnectionFromPoolTimeout].contains(error)
        }
        if let error = error as? IOError { return error.errnoCode == ECONNREFUSED }
        if case .connectTimeout? = error as? ChannelError { return true }
        return false
    }
}
