internal import CPosix
internal import Primitives
internal import Transport
internal import WireProtocol

/// What a worker asks of the client while streams work. All run on the client's thread for events, in order.
public struct HostRequests: Sendable {
    /// A function.
    public var call: @Sendable (_ token: UInt64) -> Void
    /// To take bytes: each call of `receive` fills a piece, until it answers false.
    public var take:
        @Sendable (_ token: UInt64, _ byteCount: UInt64, _ receive: (UnsafeMutableRawBufferPointer) -> Bool) -> Void
    /// To give bytes: each call of `send` takes a piece, until it answers false.
    public var give: @Sendable (_ token: UInt64, _ byteCount: UInt64, _ send: (UnsafeRawBufferPointer) -> Bool) -> Void

    public init(
        call: @escaping @Sendable (UInt64) -> Void,
        take: @escaping @Sendable (UInt64, UInt64, (UnsafeMutableRawBufferPointer) -> Bool) -> Void,
        give: @escaping @Sendable (UInt64, UInt64, (UnsafeRawBufferPointer) -> Bool) -> Void
    ) {
        self.call = call
        self.take = take
        self.give = give
    }
}

/// The connection on which a worker asks the client to run host functions and for its memory, and the thread that does
/// so in order.
// SAFETY: the connection is read by one thread only, which also is its only writer; `nextSequence` belongs to that
// thread.
public final class EventsLink: @unchecked Sendable {
    private let worker: Worker
    private let connection: Connection
    private let requests: HostRequests
    private var nextSequence: UInt64 = 1

    private struct Event {
        var kind: EventKind
        var token: UInt64
        var byteCount: UInt64 = 0
    }

    private static let bodyByteCountMax = 24

    private init(worker: Worker, connection: Connection, requests: HostRequests) {
        self.worker = worker
        self.connection = connection
        self.requests = requests
    }

    /// Connects and starts the thread.
    public static func start(worker: Worker, _ requests: HostRequests) -> EventsLink? {
        guard let connection = worker.connect(role: .events, laneIndex: 0) else { return nil }
        let link = EventsLink(worker: worker, connection: connection, requests: requests)
        guard OSThread.start("roost-events", { link.serve() }) != nil else { return nil }
        return link
    }

    private func serve() {
        ThreadState.mine?.pointee.runsHostFunctions = true
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: FrameHeader.byteCount &+ EventsLink.bodyByteCountMax &+ 8, alignment: 8)
        defer { buffer.deallocate() }
        while true {
            guard let byteCount = readHeader(buffer) else { return }
            let body = UnsafeMutableRawBufferPointer(rebasing: buffer[0..<min(byteCount, buffer.count)])
            guard byteCount <= EventsLink.bodyByteCountMax else { return lose() }
            guard receive(body) else { return }
            guard let event = event(in: UnsafeRawBufferPointer(body)) else { return lose() }
            switch event.kind {
            case .call:
                requests.call(event.token)
                guard answer(HostFunctionDone(token: event.token), flags: 0, buffer) else { return }
            case .give:
                guard take(event), answer(HostFunctionDone(token: event.token), flags: 0, buffer) else { return }
            case .take:
                let command = HostBytes(bulkByteCount: event.byteCount, token: event.token)
                guard answer(command, flags: CommandHeader.bulkFlag, buffer), give(event) else { return }
            }
        }
    }

    private func lose() {
        worker.markLost("it sent an event that this client does not understand")
        connection.close()
    }

    /// The bytes of the next event's body; nil at the end of the connection.
    private func readHeader(_ buffer: UnsafeMutableRawBufferPointer) -> Int? {
        let header = UnsafeMutableRawBufferPointer(rebasing: buffer[0..<FrameHeader.byteCount])
        guard receive(header) else { return nil }
        var reader = WireReader(UnsafeRawBufferPointer(header))
        do throws(WireError) {
            let frame = try FrameHeader(from: &reader)
            return frame.kind == .event ? Int(frame.bodyByteCount) : Int.max
        } catch {
            return Int.max
        }
    }

    private func event(in body: UnsafeRawBufferPointer) -> Event? {
        var reader = WireReader(body)
        do throws(WireError) {
            guard let kind = EventKind(rawValue: try reader.read(UInt32.self)) else { return nil }
            _ = try reader.read(UInt32.self)
            var event = Event(kind: kind, token: try reader.read(UInt64.self))
            if kind != .call { event.byteCount = try reader.read(UInt64.self) }
            return reader.remainingByteCount == 0 ? event : nil
        } catch {
            return nil
        }
    }

    private func receive(_ buffer: UnsafeMutableRawBufferPointer) -> Bool {
        do throws(TransportError) {
            try connection.read(exactly: buffer)
            return true
        } catch {
            return false
        }
    }

    private func send(_ bytes: UnsafeRawBufferPointer) -> Bool {
        do throws(TransportError) {
            try connection.write(bytes)
            return true
        } catch {
            return false
        }
    }

    /// Takes an event's bytes, also those that nobody wants.
    private func take(_ event: Event) -> Bool {
        var rest = event.byteCount
        var isConnected = true
        requests.take(event.token, event.byteCount) { piece in
            guard isConnected, UInt64(piece.count) <= rest else { return false }
            isConnected = receive(piece)
            rest &-= UInt64(piece.count)
            return isConnected
        }
        return pass(rest, isConnected) { receive($0) }
    }

    /// Gives as many bytes as the answer announced; zeros where there are none.
    private func give(_ event: Event) -> Bool {
        var rest = event.byteCount
        var isConnected = true
        requests.give(event.token, event.byteCount) { piece in
            guard isConnected, UInt64(piece.count) <= rest else { return false }
            isConnected = send(piece)
            rest &-= UInt64(piece.count)
            return isConnected
        }
        return pass(rest, isConnected) { send(UnsafeRawBufferPointer($0)) }
    }

    private func pass(
        _ byteCount: UInt64, _ isConnected: Bool, _ body: (UnsafeMutableRawBufferPointer) -> Bool
    ) -> Bool {
        guard isConnected else { return false }
        guard byteCount > 0 else { return true }
        let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
        defer { scratch.deallocate() }
        scratch.initializeMemory(as: UInt8.self, repeating: 0)
        var rest = byteCount
        while rest > 0 {
            let count = Int(min(rest, UInt64(scratch.count)))
            guard body(UnsafeMutableRawBufferPointer(rebasing: scratch[0..<count])) else { return false }
            rest &-= UInt64(count)
        }
        return true
    }

    private func answer<Command: AsyncCommand>(
        _ command: Command, flags: UInt16, _ buffer: UnsafeMutableRawBufferPointer
    ) -> Bool {
        var writer = WireWriter(into: buffer)
        FrameHeader(
            bodyByteCount: UInt32(truncatingIfNeeded: CommandHeader.byteCount &+ command.encodedByteCount),
            kind: .commands, count: 1, sequence: nextSequence
        ).encode(into: &writer)
        CommandHeader(
            id: Command.id, flags: flags, payloadByteCount: UInt32(truncatingIfNeeded: command.encodedByteCount)
        ).encode(into: &writer)
        command.encode(into: &writer)
        nextSequence &+= 1
        return send(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[0..<writer.byteCount]))
    }
}
