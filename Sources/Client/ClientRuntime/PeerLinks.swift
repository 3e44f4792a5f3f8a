internal import CPosix
public import Primitives
public import WireProtocol

/// How this process's workers reach each other, for copies between their devices.
public enum PeerLinks {
    private enum State {
        static let unknown: UInt8 = 0
        static let open: UInt8 = 1
        /// The workers can't reach each other: bytes pass through this process.
        static let closed: UInt8 = 2
    }

    // SAFETY: only touched under `lock`.
    nonisolated(unsafe) private static var states: [UInt8] = []
    nonisolated(unsafe) private static var tickets: [[PeerTicket]] = []
    nonisolated(unsafe) private static var relayed: UInt64 = 0
    nonisolated(unsafe) private static var hasSaidClosed = false
    private static let lock = Lock()
    private static let ticketCount: UInt32 = 32
    /// Held while the two halves of a transfer are sent, so that all workers get all transfers in one order: workers
    /// that wait for each other then never wait in a circle.
    public static let orderLock = Lock()

    /// A ticket for a transfer between two workers, whose way to each other is opened when it is first needed. Nil when
    /// there is none, so that the bytes must pass through this process.
    public static func ticket(from source: Worker, to destination: Worker, _ lanes: Lanes) -> PeerTicket? {
        lock.acquire()
        defer { lock.release() }
        if states.isEmpty {
            let count = ThreadState.workerCountMax
            states = [UInt8](repeating: State.unknown, count: count &* count)
            tickets = [[PeerTicket]](repeating: [], count: count)
        }
        let place =
            Int(source.state.pointee.index) &* ThreadState.workerCountMax &+ Int(destination.state.pointee.index)
        guard place >= 0, place < states.count else { return nil }
        if states[place] == State.unknown { states[place] = open(source, destination, lanes) }
        guard states[place] == State.open else { return nil }
        let index = Int(destination.state.pointee.index)
        if tickets[index].isEmpty { tickets[index] = offer(lanes.destination, lanes.destinationContext)?.tickets ?? [] }
        return tickets[index].popLast()
    }

    /// The calling thread's lanes to both workers, and a context at each.
    public struct Lanes {
        let source: Lane
        let destination: Lane
        let sourceContext: UInt64
        let destinationContext: UInt64

        public init(source: Lane, sourceContext: UInt64, destination: Lane, destinationContext: UInt64) {
            self.source = source
            self.sourceContext = sourceContext
            self.destination = destination
            self.destinationContext = destinationContext
        }
    }

    /// What one worker is called at another: its place in the process's list.
    public static func number(of worker: Worker) -> UInt32 { UInt32(bitPattern: worker.state.pointee.index) }

    /// Counts bytes that passed through this process.
    public static func noteRelayed(_ byteCount: UInt64) { lock.withLock { relayed &+= byteCount } }

    /// Bytes between devices that passed through this process, since workers could not reach each other.
    public static var relayedByteCount: UInt64 { lock.withLock { relayed } }

    private static func offer(_ lane: Lane, _ context: UInt64) -> PeerOffer? {
        var reply = PeerOfferQuery.Reply()
        let result = lane.call(PeerOfferQuery(ticketCount: ticketCount), reply: &reply, context: context)
        guard result.hasOutputs else { return nil }
        return reply.bytes.withUnsafeBytes { bytes -> PeerOffer? in
            var reader = WireReader(bytes)
            do throws(WireError) { return try PeerOffer(from: &reader) } catch { return nil }
        }
    }

    private static func open(_ source: Worker, _ destination: Worker, _ lanes: Lanes) -> UInt8 {
        if !Environment.isOff("ROOST_PEERS"), let offer = offer(lanes.destination, lanes.destinationContext) {
            tickets[Int(destination.state.pointee.index)] = offer.tickets
            let bytes = route(offer, source, destination)
            var reply = PeerLink.Reply()
            let result = bytes.withUnsafeBytes { bytes in
                lanes.source.call(
                    PeerLink(link: number(of: destination), route: bytes), reply: &reply, context: lanes.sourceContext)
            }
            if result.hasOutputs { return State.open }
        }
        if !hasSaidClosed {
            hasSaidClosed = true
            ClientLog.problem(
                "workers can't reach each other; copies between their devices pass through this process; from ",
                end(source))
            ClientLog.line("to ", end(destination))
        }
        return State.closed
    }

    private static func route(_ offer: PeerOffer, _ source: Worker, _ destination: Worker) -> [UInt8] {
        var route = PeerRoute()
        route.session = destination.state.pointee.session
        route.ownLink = number(of: source)
        route.nodeHigh = offer.nodeHigh
        route.nodeLow = offer.nodeLow
        if let token = destination.state.pointee.token {
            route.token = [UInt8](UnsafeRawBufferPointer(start: token, count: destination.state.pointee.tokenByteCount))
        }
        route.endpoints = [[UInt8](end(destination))] + offer.endpoints
        var bytes: [UInt8] = []
        route.encode(into: &bytes)
        return bytes
    }

    /// Where this process reaches a worker, as text.
    private static func end(_ worker: Worker) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: worker.state.pointee.endpoint, count: worker.state.pointee.endpointByteCount)
    }
}
