import CPosix
import GPUBackend
import Logging
import Synchronization
import Transport
import WireProtocol

extension LaneHandler {
    func peerOffer(_ command: PeerOfferQuery, _ reply: inout PeerOfferQuery.Reply) throws(CommandError) {
        var offer = PeerOffer()
        (offer.nodeHigh, offer.nodeLow) = NodeIdentity.own
        offer.endpoints = session.worker.peerEndpoints.map { Array("\($0)".utf8) }
        offer.tickets = session.peers.issue(min(Int(command.ticketCount), PeerOffer.ticketCountMax))
        offer.encode(into: &reply.bytes)
    }

    func peerLink(_ command: PeerLink, _ reply: inout PeerLink.Reply) throws(CommandError) {
        let route: PeerRoute
        do throws(WireError) {
            var reader = WireReader(command.route)
            route = try PeerRoute(from: &reader)
        } catch {
            throw .invalidValue
        }
        for endpoint in PeerPlaces(route, node: NodeIdentity.own).endpoints {
            guard let connection = PeerExchange.connect(to: endpoint, route, session.processID) else { continue }
            guard session.peers.add(route, endpoint, as: command.link, connection) else {
                connection.close()
                throw .tooManyObjects
            }
            return
        }
        throw CommandError(BackendStatus.deviceUnavailable, "the other worker can't be reached from this one")
    }

    func peerSend(_ command: PeerSend) throws(CommandError) {
        let box = MemoryBox(
            address: command.address, pitch: command.pitch, slicePitch: command.slicePitch, width: command.width,
            height: command.height, depth: command.depth)
        let transfer = PeerSending(
            session.peers, link: command.link,
            ticket: PeerTicket(high: command.ticketHigh, low: command.ticketLow), byteCount: box.byteCount ?? 0,
            processID: session.processID)
        try exchange(box, command.stream, transfer)
    }

    func peerReceive(_ command: PeerReceive) throws(CommandError) {
        let box = MemoryBox(
            address: command.address, pitch: command.pitch, slicePitch: command.slicePitch, width: command.width,
            height: command.height, depth: command.depth)
        let transfer = PeerReceiving(
            session.peers, link: command.link,
            ticket: PeerTicket(high: command.ticketHigh, low: command.ticketLow), byteCount: box.byteCount ?? 0)
        try exchange(box, command.stream, transfer)
    }

    func peerRelayed(_ command: PeerRelayed) throws(CommandError) {
        session.worker.relayedByteCount.add(command.byteCount, ordering: .relaxed)
    }

    private func exchange(_ box: MemoryBox, _ stream: UInt64, _ transfer: any PeerTransfer) throws(CommandError) {
        do throws(CommandError) {
            let stream = try self.stream(stream)
            try translating { () throws(BackendError) in try stream.exchange(box, transfer) }
        } catch {
            // The other end waits for a word; one that was given already is not given again.
            try? transfer.end(BackendError(error.status, error.message))
            throw error
        }
    }
}

extension Worker {
    /// Where other workers may find this one: what it was told to say first.
    var peerEndpoints: [Endpoint] {
        let listening = withRegistry { $0.listeners.map { $0.endpoint } }
        return Array((configuration.peerEndpoints + listening).prefix(PeerOffer.endpointCountMax))
    }

    /// Serves a connection on which another worker sends memory.
    func servePeer(_ connection: Connection, _ hello: ReceivedHello) {
        let session = withRegistry { $0.sessions[hello.session] }
        guard let session, session.peers.welcome(connection, link: hello.laneIndex) else {
            connection.refuse(.unavailable, message: Array("there is no session that waits for memory".utf8))
            return
        }
        defer { session.peers.dismiss(connection, link: hello.laneIndex) }
        do throws(TransportError) {
            try connection.accept(hello)
        } catch {
            return
        }
        while let greeting = connection.receiveGreeting() {
            guard session.peers.serve(greeting, on: connection) else {
                logger.warning("a worker came with a ticket that opens nothing; its connection was closed")
                return
            }
        }
    }
}

/// Which machine a worker runs on.
enum NodeIdentity {
    /// 16 bytes that all workers on a machine share until it is started again; zeros where the system has none.
    static let own: (high: UInt64, low: UInt64) = {
        guard let text = readText("/proc/sys/kernel/random/boot_id") else { return (0, 0) }
        let digits = text.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
        guard digits.count >= 32 else { return (0, 0) }
        let high = digits[..<16].reduce(UInt64(0)) { $0 << 4 | UInt64($1) }
        return (high, digits[16..<32].reduce(UInt64(0)) { $0 << 4 | UInt64($1) })
    }()

    private static func readText(_ path: String) -> [UInt8]? {
        let descriptor = posix_open(path, Int32(POSIX_OPEN_READ), 0)
        guard descriptor >= 0 else { return nil }
        defer { _ = posix_close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = bytes.withUnsafeMutableBytes { bytes in
            bytes.baseAddress.map { posix_read(descriptor, $0, bytes.count) } ?? 0
        }
        return count > 0 ? Array(bytes[..<Int(count)]) : nil
    }
}

/// The places where a worker tries to reach another one, best first.
struct PeerPlaces {
    /// At most so many are tried, each for some seconds.
    static let countMax = 4

    let endpoints: [Endpoint]

    init(_ route: PeerRoute, node: (high: UInt64, low: UInt64)) {
        let isSameNode = route.nodeHigh == node.high && route.nodeLow == node.low && (node.high | node.low) != 0
        let named = route.endpoints.compactMap { Endpoint(utf8: $0) }
        var found: [Endpoint] = []
        func add(_ endpoint: Endpoint) {
            if !found.contains(endpoint) { found.append(endpoint) }
        }
        // Shared memory is the fastest way, and every Unix-domain socket can arrange it.
        if isSameNode { for case .some(let path) in named.map({ $0.path }) { add(.sharedMemory(path: path)) } }
        // A worker that can be reached encrypted is never reached otherwise: the token would go over the network.
        let isEncrypted = named.contains {
            if case .tls = $0 { true } else { false }
        }
        for endpoint in named {
            switch endpoint {
            case .unix, .sharedMemory: break
            case .tcp(let host, let port):
                guard !isEncrypted, let host = PeerPlaces.reachable(host, isSameNode) else { continue }
                add(.tcp(host: host, port: port))
            case .tls(let host, let port, let pin):
                guard let host = PeerPlaces.reachable(host, isSameNode) else { continue }
                add(.tls(host: host, port: port, pin: pin))
            }
        }
        endpoints = Array(found.prefix(PeerPlaces.countMax))
    }

    /// The host as another worker reaches it; nil where it can't.
    private static func reachable(_ host: [UInt8], _ isSameNode: Bool) -> [UInt8]? {
        let isWildcard = isWildcard(host)
        guard isWildcard || isLoopback(host) else { return host }
        guard isSameNode else { return nil }
        return isWildcard ? Array("127.0.0.1".utf8) : host
    }

    private static func isLoopback(_ host: [UInt8]) -> Bool {
        host.starts(with: "127.".utf8) || host == Array("localhost".utf8) || host == Array("::1".utf8)
    }

    private static func isWildcard(_ host: [UInt8]) -> Bool {
        host == Array("0.0.0.0".utf8) || host == Array("::".utf8)
    }
}
