public import NodeModel
import Transport
import WireProtocol

/// Asks workers what they do, over monitor connections.
public enum WorkerMonitor {
    /// Asks the worker at a Unix socket; nil where it does not answer in time.
    public static func measure(
        socketPath: String, token: String, deadline: ContinuousClock.Instant
    ) -> VirtualGPUMeasurement? {
        guard let status = try? status(at: "unix://\(socketPath)", token: token, until: deadline) else { return nil }
        return VirtualGPUMeasurement(
            usedMemory: MemorySize(byteCount: status.usedByteCount),
            utilizationPercent: Int(status.utilizationPercent), commandCount: status.commandCount,
            launchCount: status.launchCount,
            processes: status.processes.map { process in
                VirtualGPUMeasurement.Process(
                    processID: Int32(truncatingIfNeeded: process.processID),
                    name: String(decoding: process.name, as: UTF8.self),
                    usedMemory: MemorySize(byteCount: process.usedByteCount))
            })
    }

    /// What kind of device serves at an endpoint; nil for a kind that this version has no name for.
    ///
    /// - Throws: ``AgentError`` with the reason and the next step where no worker answers, or refuses.
    public static func deviceKind(
        at endpoint: String, token: String, until deadline: ContinuousClock.Instant
    ) throws -> DeviceKind? {
        try status(at: endpoint, token: token, until: deadline).device.isSoftware ? .software : .cuda
    }

    private static func status(
        at text: String, token: String, until deadline: ContinuousClock.Instant
    ) throws -> VGPUStatus {
        guard let endpoint = Endpoint(text) else {
            throw AgentError(
                .badMessage,
                "'\(text)' is no endpoint. It reads unix:///path, shm:///path, tcp://host:port or tls://host:port#PIN.")
        }
        let connection = try connect(to: endpoint, named: text, token: token, until: deadline)
        // Reading has no deadline of its own: closing the connection ends it.
        let isDone = Mailbox<Bool>()
        startThread(named: "monitor") {
            if isDone.take(until: deadline) == nil { connection.close() }
        }
        defer {
            isDone.put(true)
            connection.close()
        }
        do {
            try sendQuery(on: connection)
            return try readStatus(from: connection)
        } catch {
            throw AgentError(.connectionLost, "The worker at \(text) did not say what it does: \(reason(for: error)).")
        }
    }

    private static func connect(
        to endpoint: Endpoint, named text: String, token: String, until deadline: ContinuousClock.Instant
    ) throws -> Connection {
        let greeting: Greeting
        do {
            greeting = try Array(token.utf8).withUnsafeBytes { token in
                var hello = Hello(
                    descriptionHash: DescriptionHash.value, role: .monitor, flags: 0,
                    session: SessionID(high: 0, low: 0), laneIndex: 0, processID: 0)
                hello.token = token
                let milliseconds = Descriptor.milliseconds(until: deadline)
                return try Connection.connect(to: endpoint, hello: hello, timeoutMilliseconds: milliseconds)
            }
        } catch {
            throw AgentError(
                .connectionLost,
                "No worker answers at \(text): \(reason(for: error)). "
                    + "Is one started there with `roost worker --listen \(text)`?"
            )
        }
        guard greeting.status == .accepted else {
            throw AgentError(
                .connectionLost, "The worker at \(text) refuses: \(String(decoding: greeting.message, as: UTF8.self))")
        }
        return greeting.connection
    }

    private static func reason(for error: any Error) -> String {
        (error as? TransportError).map { "\($0.reason)" } ?? "\(error)"
    }

    private static func sendQuery(on connection: Connection) throws {
        let byteCount = FrameHeader.byteCount + CommandHeader.byteCount
        var bytes = [UInt8](repeating: 0, count: byteCount)
        bytes.withUnsafeMutableBytes { buffer in
            var writer = WireWriter(into: buffer)
            FrameHeader(bodyByteCount: UInt32(CommandHeader.byteCount), kind: .commands, count: 1, sequence: 1)
                .encode(into: &writer)
            CommandHeader(id: VGPUStatusQuery.id, flags: CommandHeader.replyFlag, payloadByteCount: 0)
                .encode(into: &writer)
        }
        try bytes.withUnsafeBytes { try connection.write($0) }
    }

    private static func readStatus(from connection: Connection) throws -> VGPUStatus {
        let headerBytes = try read(FrameHeader.byteCount, from: connection)
        let header = try headerBytes.withUnsafeBytes { bytes in
            var reader = WireReader(bytes)
            return try FrameHeader(from: &reader)
        }
        guard header.kind == .reply else { throw WireError.badHeader }
        let body = try read(Int(header.bodyByteCount), from: connection)
        return try body.withUnsafeBytes { bytes in
            var reader = WireReader(bytes)
            let reply = try ReplyHeader(from: &reader)
            guard reply.status == 0, reply.bulkByteCount == 0 else { throw WireError.badValue }
            _ = try reader.readUnprefixed(Int(reply.printfByteCount))
            _ = try reader.readUnprefixed(Int(reply.messageByteCount))
            let output = try VGPUStatusQuery.Reply(from: &reader)
            return try output.bytes.withUnsafeBytes { bytes in
                var reader = WireReader(bytes)
                return try VGPUStatus(from: &reader)
            }
        }
    }

    private static func read(_ count: Int, from connection: Connection) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        try bytes.withUnsafeMutableBytes { try connection.read(exactly: $0) }
        return bytes
    }
}
