// How workers move memory among themselves: what a client learns from one worker and tells the other, and what the
// two say to each other. `Documentation/designs/0006-several-workers.md` has the whole story.

/// Opens one transfer to the session that it was issued in, once.
public struct PeerTicket: Sendable, Hashable {
    public var high: UInt64
    public var low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

/// What `peerOffer` answers: how other workers reach this session.
public struct PeerOffer: Sendable {
    public static let endpointCountMax = 8
    public static let endpointByteCountMax = 512
    public static let ticketCountMax = 256

    /// Names the machine, the same for all workers on it.
    public var nodeHigh: UInt64 = 0
    public var nodeLow: UInt64 = 0
    /// Where the worker listens, as text.
    public var endpoints: [[UInt8]] = []
    public var tickets: [PeerTicket] = []

    public init() {}

    public func encode(into bytes: inout [UInt8]) {
        bytes.appendInteger(nodeHigh)
        bytes.appendInteger(nodeLow)
        bytes.appendInteger(UInt32(truncatingIfNeeded: min(endpoints.count, PeerOffer.endpointCountMax)))
        for endpoint in endpoints.prefix(PeerOffer.endpointCountMax) { bytes.appendBytes(endpoint) }
        bytes.appendInteger(UInt32(truncatingIfNeeded: tickets.count))
        for ticket in tickets {
            bytes.appendInteger(ticket.high)
            bytes.appendInteger(ticket.low)
        }
    }

    public init(from reader: inout WireReader) throws(WireError) {
        nodeHigh = try reader.read()
        nodeLow = try reader.read()
        let endpointCount = try reader.read(UInt32.self)
        guard endpointCount <= PeerOffer.endpointCountMax else { throw .oversized }
        for _ in 0..<endpointCount {
            endpoints.append([UInt8](try reader.readBytes(atMost: PeerOffer.endpointByteCountMax)))
        }
        let ticketCount = try reader.read(UInt32.self)
        guard ticketCount <= PeerOffer.ticketCountMax else { throw .oversized }
        for _ in 0..<ticketCount { tickets.append(PeerTicket(high: try reader.read(), low: try reader.read())) }
    }
}

/// What `peerLink` tells a worker: how it reaches a session of another one.
public struct PeerRoute: Sendable {
    /// The session at the other worker.
    public var session = SessionID(high: 0, low: 0)
    /// What this worker calls itself there.
    public var ownLink: UInt32 = 0
    /// The other worker's machine.
    public var nodeHigh: UInt64 = 0
    public var nodeLow: UInt64 = 0
    /// What the other worker wants to see.
    public var token: [UInt8] = []
    /// Where it may be, as text; the place where the client finds it comes first.
    public var endpoints: [[UInt8]] = []

    public init() {}

    public func encode(into bytes: inout [UInt8]) {
        bytes.appendInteger(session.high)
        bytes.appendInteger(session.low)
        bytes.appendInteger(ownLink)
        bytes.appendInteger(nodeHigh)
        bytes.appendInteger(nodeLow)
        bytes.appendBytes(token)
        let count = min(endpoints.count, PeerOffer.endpointCountMax + 1)
        bytes.appendInteger(UInt32(truncatingIfNeeded: count))
        for endpoint in endpoints.prefix(count) { bytes.appendBytes(endpoint) }
    }

    public init(from reader: inout WireReader) throws(WireError) {
        session = SessionID(high: try reader.read(), low: try reader.read())
        ownLink = try reader.read()
        nodeHigh = try reader.read()
        nodeLow = try reader.read()
        token = [UInt8](try reader.readBytes(atMost: WireLimits.tokenByteCountMax))
        let count = try reader.read(UInt32.self)
        guard count <= PeerOffer.endpointCountMax + 1 else { throw .oversized }
        for _ in 0..<count {
            endpoints.append([UInt8](try reader.readBytes(atMost: PeerOffer.endpointByteCountMax)))
        }
    }
}

/// From the sending worker to the receiving one, before each transfer.
public struct PeerGreeting: Sendable, Equatable {
    public static let byteCount = 32

    public var ticket: PeerTicket
    /// Raw bytes that come once the receiver is ready; 0 for a mere signal.
    public var byteCount: UInt64
    /// `CUresult`: not 0 when the sender has nothing to send after all.
    public var status: Int32

    public init(ticket: PeerTicket, byteCount: UInt64, status: Int32) {
        self.ticket = ticket
        self.byteCount = byteCount
        self.status = status
    }

    public func encode(into writer: inout WireWriter) {
        writer.write(ticket.high)
        writer.write(ticket.low)
        writer.write(byteCount)
        writer.write(status)
        writer.write(UInt32(0))
    }

    public init(from reader: inout WireReader) throws(WireError) {
        ticket = PeerTicket(high: try reader.read(), low: try reader.read())
        byteCount = try reader.read()
        status = try reader.read()
        _ = try reader.read(UInt32.self)
        guard byteCount <= WireLimits.bulkByteCountMax else { throw .oversized }
    }
}

/// From the receiving worker to the sending one: ready for the bytes, and later that they are in place.
public struct PeerAnswer: Sendable, Equatable {
    public static let byteCount = 8

    /// `CUresult`: when not 0, the transfer ends here.
    public var status: Int32

    public init(status: Int32) { self.status = status }

    public func encode(into writer: inout WireWriter) {
        writer.write(status)
        writer.write(UInt32(0))
    }

    public init(from reader: inout WireReader) throws(WireError) {
        status = try reader.read()
        _ = try reader.read(UInt32.self)
    }
}
