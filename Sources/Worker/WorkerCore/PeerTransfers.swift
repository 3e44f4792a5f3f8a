import GPUBackend
import Synchronization
import Transport
import WireProtocol

// SAFETY: used by one thread at a time: the one that executes the stream's work.
/// The sending end of a transfer.
final class PeerSending: PeerTransfer, @unchecked Sendable {
    let isSending = true
    private let exchange: PeerExchange
    private let link: UInt32
    private let ticket: PeerTicket
    private let byteCount: UInt64
    private let processID: UInt32
    private var connection: Connection?
    private var movedByteCount: UInt64 = 0
    /// Whether the receiver said that it takes no bytes.
    private var isRefused = false
    private var isBroken = false
    private var hasEnded = false

    init(_ exchange: PeerExchange, link: UInt32, ticket: PeerTicket, byteCount: UInt64, processID: UInt32) {
        self.exchange = exchange
        self.link = link
        self.ticket = ticket
        self.byteCount = byteCount
        self.processID = processID
    }

    func begin() throws(BackendError) {
        try greet(status: 0)
        // The receiver's own context has the reason; here nothing went wrong.
        isRefused = try answer() != 0
    }

    func move(_ row: UnsafeMutableRawBufferPointer) -> Bool {
        guard let connection, !isRefused, !isBroken else { return false }
        isBroken = !connection.send(UnsafeRawBufferPointer(row))
        movedByteCount += UInt64(row.count)
        return !isBroken
    }

    func end(_ failure: BackendError?) throws(BackendError) {
        guard !hasEnded else { return }
        hasEnded = true
        defer { giveBack() }
        if connection == nil {
            // Nobody has told the receiver yet that nothing will come.
            try greet(status: failure?.status ?? BackendStatus.unknown)
            _ = try answer()
            return
        }
        guard !isRefused else { return }
        guard failure == nil, !isBroken, movedByteCount == byteCount else {
            isBroken = true
            if failure == nil { throw PeerSending.lost }
            return
        }
        _ = try answer()
        exchange.sentByteCount.add(byteCount, ordering: .relaxed)
    }

    private func giveBack() {
        guard let connection else { return }
        self.connection = nil
        exchange.giveBack(connection, to: link, isUsable: !isBroken)
    }

    private func greet(status: Int32) throws(BackendError) {
        // A kept connection may have died with its worker; a new one shows whether the worker is back.
        let made = try exchange.connection(to: link, ownProcessID: processID)
        connection = made
        let isSent = made.send(byteCount: PeerGreeting.byteCount) { writer in
            PeerGreeting(ticket: ticket, byteCount: byteCount, status: status).encode(into: &writer)
        }
        guard isSent else {
            isBroken = true
            throw PeerSending.lost
        }
    }

    private func answer() throws(BackendError) -> Int32 {
        guard let connection, let answer = connection.receiveAnswer() else {
            isBroken = true
            throw PeerSending.lost
        }
        return answer.status
    }

    static let lost = BackendError(BackendStatus.deviceUnavailable, "the connection to the other worker broke")
}

// SAFETY: used by one thread at a time: the one that executes the stream's work.
/// The receiving end of a transfer.
final class PeerReceiving: PeerTransfer, @unchecked Sendable {
    let isSending = false
    private let exchange: PeerExchange
    private let link: UInt32
    private let ticket: PeerTicket
    private let byteCount: UInt64
    private var arrival: PeerExchange.Arrival?
    private var movedByteCount: UInt64 = 0
    private var isBroken = false
    /// Whether the sender had nothing to send; its own context has the reason.
    private var isEmpty = false
    private var hasEnded = false

    init(_ exchange: PeerExchange, link: UInt32, ticket: PeerTicket, byteCount: UInt64) {
        self.exchange = exchange
        self.link = link
        self.ticket = ticket
        self.byteCount = byteCount
    }

    func begin() throws(BackendError) {
        let arrival = try exchange.arrival(with: ticket, link: link)
        self.arrival = arrival
        isEmpty = arrival.greeting.status != 0
        guard isEmpty || arrival.greeting.byteCount == byteCount else {
            throw BackendError(BackendStatus.invalidValue, "both ends of a copy between workers must be of one size")
        }
        try answer(0)
    }

    func move(_ row: UnsafeMutableRawBufferPointer) -> Bool {
        guard let arrival, !isBroken, !isEmpty else { return false }
        isBroken = !arrival.connection.receive(row)
        movedByteCount += UInt64(row.count)
        return !isBroken
    }

    func end(_ failure: BackendError?) throws(BackendError) {
        guard !hasEnded else { return }
        hasEnded = true
        defer { finish() }
        guard arrival != nil else {
            guard let failure, failure.status != BackendStatus.deinitialized else { return }
            // The sender still comes; without a word it would wait for ever.
            guard let late = try? exchange.arrival(with: ticket, link: link) else { return }
            arrival = late
            try answer(failure.status)
            return
        }
        if isEmpty { return }
        if let failure {
            // Bytes that are on their way can't be told from what comes next.
            isBroken = true
            if movedByteCount == 0 { try answer(failure.status) }
            return
        }
        guard !isBroken, movedByteCount == byteCount else {
            isBroken = true
            throw PeerSending.lost
        }
        try answer(0)
    }

    private func finish() {
        if isBroken { arrival?.connection.close() }
        exchange.finish(ticket)
    }

    private func answer(_ status: Int32) throws(BackendError) {
        let isSent =
            arrival?.connection.send(byteCount: PeerAnswer.byteCount) { writer in
                PeerAnswer(status: status).encode(into: &writer)
            } ?? false
        guard isSent else {
            isBroken = true
            throw PeerSending.lost
        }
    }
}

extension Connection {
    /// Sends what `encode` writes; false when the connection ended.
    func send(byteCount: Int, _ encode: (inout WireWriter) -> Void) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: byteCount, alignment: 8) { bytes in
            var writer = WireWriter(into: bytes)
            encode(&writer)
            return send(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[..<writer.byteCount]))
        }
    }

    /// Receives a greeting; nil when the connection ended or the bytes are none.
    func receiveGreeting() -> PeerGreeting? {
        withUnsafeTemporaryAllocation(byteCount: PeerGreeting.byteCount, alignment: 8) { bytes in
            guard receive(bytes) else { return nil }
            var reader = WireReader(UnsafeRawBufferPointer(bytes))
            return try? PeerGreeting(from: &reader)
        }
    }

    /// Receives an answer; nil when the connection ended.
    func receiveAnswer() -> PeerAnswer? {
        withUnsafeTemporaryAllocation(byteCount: PeerAnswer.byteCount, alignment: 8) { bytes in
            guard receive(bytes) else { return nil }
            var reader = WireReader(UnsafeRawBufferPointer(bytes))
            return try? PeerAnswer(from: &reader)
        }
    }
}
