internal import CNVML
internal import CPosix
internal import ClientRuntime
internal import Transport
internal import WireProtocol

/// The status of one worker's vGPU, asked for over a connection of its own.
///
/// Not safe for several threads at once: ``MonitorTable`` takes care.
final class Monitor {
    /// How long an answer counts as fresh, in nanoseconds: a tool asks ten questions about each device in a row.
    private static let freshNanoseconds: UInt64 = 50_000_000
    private static let timeoutMilliseconds: Int32 = 2_000

    private let endpoint: Endpoint
    private let token: [UInt8]
    private var connection: Connection?
    private var sequence: UInt64 = 0
    private var status: VGPUStatus?
    private var askedAt: UInt64 = 0

    init(_ endpoint: Endpoint, token: [UInt8]) {
        self.token = token
        // Rings are for lanes: a few questions per second don't need shared memory.
        if case .sharedMemory(let path) = endpoint {
            self.endpoint = .unix(path: path)
        } else {
            self.endpoint = endpoint
        }
    }

    /// The vGPU as it was at most 50 ms ago.
    func current() throws(NVMLFailure) -> VGPUStatus {
        let now = posix_monotonic_nanoseconds()
        if let status, now &- askedAt < Monitor.freshNanoseconds { return status }
        let fresh: VGPUStatus
        // A worker that was started anew has closed the old connection: the second attempt finds it.
        if connection != nil, let answer = ask() {
            fresh = answer
        } else {
            connection = try connect()
            guard let answer = ask() else { throw .lost }
            fresh = answer
        }
        status = fresh
        askedAt = posix_monotonic_nanoseconds()
        return fresh
    }

    /// In a forked child: the parent goes on using the connection.
    func abandonAfterFork() {
        connection?.abandonAfterFork()
        connection = nil
    }

    func close() {
        connection?.close()
        connection = nil
        status = nil
    }

    private func connect() throws(NVMLFailure) -> Connection {
        var hello = Hello(
            descriptionHash: DescriptionHash.value, role: .monitor, flags: 0, session: SessionID(high: 0, low: 0),
            laneIndex: 0, processID: UInt32(bitPattern: posix_process_id()))
        let greeting: Greeting
        do throws(TransportError) {
            greeting = try greet(&hello)
        } catch {
            throw .lost
        }
        switch greeting.status {
        case .accepted: break
        case .wrongToken: throw NVMLFailure(code: NVML_ERROR_NO_PERMISSION)
        case .wrongVersion, .wrongDescription: throw NVMLFailure(code: NVML_ERROR_LIB_RM_VERSION_MISMATCH)
        case .unavailable: throw .lost
        }
        greeting.connection.setReadTimeout(milliseconds: Monitor.timeoutMilliseconds)
        sequence = 0
        return greeting.connection
    }

    private func greet(_ hello: inout Hello) throws(TransportError) -> Greeting {
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, token.count), alignment: 1)
        defer { bytes.deallocate() }
        for (index, byte) in token.enumerated() { bytes[index] = byte }
        hello.token = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[0..<token.count])
        return try Connection.connect(to: endpoint, hello: hello, timeoutMilliseconds: Monitor.timeoutMilliseconds)
    }

    /// One query; nil when the connection is of no use any more, which it then gives up.
    private func ask() -> VGPUStatus? {
        guard let connection else { return nil }
        sequence &+= 1
        do throws(TransportError) {
            try send(on: connection)
            return try receive(on: connection)
        } catch {
            connection.close()
            self.connection = nil
            return nil
        }
    }

    private func send(on connection: Connection) throws(TransportError) {
        try temporary(FrameHeader.byteCount &+ CommandHeader.byteCount) { bytes throws(TransportError) in
            var writer = WireWriter(into: bytes)
            let body = UInt32(CommandHeader.byteCount)
            FrameHeader(bodyByteCount: body, kind: .commands, count: 1, sequence: sequence).encode(into: &writer)
            CommandHeader(id: VGPUStatusQuery.id, flags: CommandHeader.replyFlag, payloadByteCount: 0)
                .encode(into: &writer)
            try connection.write(UnsafeRawBufferPointer(bytes))
        }
    }

    private func receive(on connection: Connection) throws(TransportError) -> VGPUStatus {
        let frame = try temporary(FrameHeader.byteCount) { bytes throws(TransportError) in
            try connection.read(exactly: bytes)
            return try decode(bytes, FrameHeader.init(from:))
        }
        guard frame.kind == .reply, frame.sequence == sequence else { throw .violation(.badHeader) }
        return try temporary(Int(frame.bodyByteCount)) { bytes throws(TransportError) in
            try connection.read(exactly: bytes)
            return try decode(bytes, Monitor.status(from:))
        }
    }

    /// Reads a reply's body.
    private static func status(from reader: inout WireReader) throws(WireError) -> VGPUStatus {
        let header = try ReplyHeader(from: &reader)
        guard header.status == 0, header.bulkByteCount == 0 else { throw .badValue }
        _ = try reader.readUnprefixed(Int(header.printfByteCount))
        _ = try reader.readUnprefixed(Int(header.messageByteCount))
        var outputs = WireReader(try reader.readUnprefixed(Int(header.outputByteCount)))
        var status = WireReader(try outputs.readBytes())
        return try VGPUStatus(from: &status)
    }

    private func decode<Value>(
        _ bytes: UnsafeMutableRawBufferPointer, _ body: (inout WireReader) throws(WireError) -> Value
    ) throws(TransportError) -> Value {
        var reader = WireReader(UnsafeRawBufferPointer(bytes))
        do throws(WireError) {
            return try body(&reader)
        } catch {
            throw .violation(error)
        }
    }

    private func temporary<Value>(
        _ byteCount: Int, _ body: (UnsafeMutableRawBufferPointer) throws(TransportError) -> Value
    ) throws(TransportError) -> Value {
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 8)
        defer { bytes.deallocate() }
        return try body(bytes)
    }
}
