import GPUBackend
import Synchronization
import Transport
import WireProtocol

// SAFETY: all mutable properties are read and written under `monitor`.
/// A session's transfers with other workers: tickets that it issued, connections that came, and routes to others.
final class PeerExchange: @unchecked Sendable {
    /// A sender that has come with a ticket.
    final class Arrival {
        let connection: Connection
        let greeting: PeerGreeting
        fileprivate var isFinished = false

        fileprivate init(_ connection: Connection, _ greeting: PeerGreeting) {
            self.connection = connection
            self.greeting = greeting
        }
    }

    private struct Route {
        var endpoint: Endpoint
        var details: PeerRoute
        var idle: [Connection] = []
    }

    /// Tickets of a session that wait for their transfer.
    static let ticketCountMax = 4096
    static let connectionCountMax = 256

    private let monitor = Monitor()
    /// Issued tickets, and who has come with them.
    private var tickets: [PeerTicket: Arrival?] = [:]
    /// Open connections of other workers, by what those call themselves.
    private var visitorCounts: [UInt32: Int] = [:]
    private var routes: [UInt32: Route] = [:]
    /// All connections, so that cancelling can end them.
    private var connections: [ObjectIdentifier: Connection] = [:]
    private var isCancelled = false
    /// Bytes that left for other workers.
    let sentByteCount = Atomic<UInt64>(0)

    /// Ends every transfer, and what waits for one.
    func cancel() {
        let open = monitor.withLock { () -> [Connection] in
            isCancelled = true
            monitor.signalAll()
            return Array(connections.values)
        }
        for connection in open { connection.close() }
    }

    // MARK: - Receiving

    /// Makes tickets; fewer when too many wait already.
    func issue(_ count: Int) -> [PeerTicket] {
        var generator = SystemRandomNumberGenerator()
        return monitor.withLock {
            (0..<max(0, min(count, PeerExchange.ticketCountMax - tickets.count))).map { _ in
                let ticket = PeerTicket(high: generator.next(), low: generator.next())
                tickets[ticket] = .some(nil)
                return ticket
            }
        }
    }

    /// Adds a connection of another worker; false when there are too many or the session ends.
    func welcome(_ connection: Connection, link: UInt32) -> Bool {
        monitor.withLock {
            guard !isCancelled, connections.count < PeerExchange.connectionCountMax else { return false }
            connections[ObjectIdentifier(connection)] = connection
            visitorCounts[link, default: 0] += 1
            return true
        }
    }

    /// A connection of another worker ended.
    func dismiss(_ connection: Connection, link: UInt32) {
        monitor.withLock {
            connections[ObjectIdentifier(connection)] = nil
            visitorCounts[link, default: 1] -= 1
            monitor.signalAll()
        }
    }

    /// A sender shows a ticket: waits until its transfer is over. False when the ticket opens nothing.
    func serve(_ greeting: PeerGreeting, on connection: Connection) -> Bool {
        monitor.withLock {
            guard let slot = tickets[greeting.ticket], slot == nil else { return false }
            let arrival = Arrival(connection, greeting)
            tickets[greeting.ticket] = arrival
            monitor.signalAll()
            while !arrival.isFinished, !isCancelled { monitor.wait() }
            return arrival.isFinished
        }
    }

    /// Waits for the sender with this ticket. Throws when it is gone, or the ticket was never issued.
    func arrival(with ticket: PeerTicket, link: UInt32) throws(BackendError) -> Arrival {
        monitor.lock()
        defer { monitor.unlock() }
        while true {
            guard !isCancelled else { throw BackendError(BackendStatus.deinitialized) }
            guard let slot = tickets[ticket] else { throw BackendError(BackendStatus.invalidValue) }
            if let arrival = slot { return arrival }
            guard visitorCounts[link, default: 0] > 0 else {
                tickets[ticket] = nil
                throw BackendError(BackendStatus.deviceUnavailable, "the worker that was to send memory is gone")
            }
            monitor.wait()
        }
    }

    /// The transfer is over: the ticket is used up, and the sender's connection may bring the next one.
    func finish(_ ticket: PeerTicket) {
        monitor.withLock {
            if let arrival = tickets.removeValue(forKey: ticket) ?? nil { arrival.isFinished = true }
            monitor.signalAll()
        }
    }

    // MARK: - Sending

    /// Remembers the way to another worker's session, which a first connection has proved.
    func add(_ details: PeerRoute, _ endpoint: Endpoint, as link: UInt32, _ connection: Connection) -> Bool {
        monitor.withLock {
            guard !isCancelled, routes.count < 64 || routes[link] != nil else { return false }
            let old = routes[link]?.idle ?? []
            for connection in old { connection.close() }
            routes[link] = Route(endpoint: endpoint, details: details, idle: [connection])
            connections[ObjectIdentifier(connection)] = connection
            return true
        }
    }

    /// A connection for one transfer: one that is idle, or a new one.
    func connection(to link: UInt32, ownProcessID: UInt32) throws(BackendError) -> Connection {
        let (idle, route) = monitor.withLock { () -> (Connection?, Route?) in
            guard !isCancelled else { return (nil, nil) }
            return (routes[link]?.idle.popLast(), routes[link])
        }
        if let idle { return idle }
        guard let route else { throw BackendError(BackendStatus.invalidHandle, "no way to that worker was opened") }
        guard let made = PeerExchange.connect(to: route.endpoint, route.details, ownProcessID) else {
            throw BackendError(BackendStatus.deviceUnavailable, "the other worker can't be reached any more")
        }
        let isKept = monitor.withLock { () -> Bool in
            guard !isCancelled, connections.count < PeerExchange.connectionCountMax else { return false }
            connections[ObjectIdentifier(made)] = made
            return true
        }
        guard isKept else {
            made.close()
            throw BackendError(BackendStatus.deinitialized)
        }
        return made
    }

    /// Takes a connection back after a transfer; one that broke is closed.
    func giveBack(_ connection: Connection, to link: UInt32, isUsable: Bool) {
        let isKept = monitor.withLock { () -> Bool in
            guard isUsable, !isCancelled, routes[link] != nil else {
                connections[ObjectIdentifier(connection)] = nil
                return false
            }
            routes[link]?.idle.append(connection)
            return true
        }
        if !isKept { connection.close() }
    }

    /// Connects to a session of another worker and greets it; nil when it can't be reached there or refuses.
    static func connect(to endpoint: Endpoint, _ route: PeerRoute, _ processID: UInt32) -> Connection? {
        var hello = Hello(
            descriptionHash: DescriptionHash.value, role: .peer, flags: 0, session: route.session,
            laneIndex: route.ownLink, processID: processID)
        return route.token.withUnsafeBytes { token in
            hello.token = token
            guard let greeting = try? Connection.connect(to: endpoint, hello: hello, timeoutMilliseconds: 2_000),
                greeting.status == .accepted
            else { return nil }
            return greeting.connection
        }
    }
}
