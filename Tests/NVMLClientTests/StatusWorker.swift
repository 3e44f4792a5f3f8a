import CPosix
import Primitives
import Testing
import Transport
import WireProtocol

/// A worker that does nothing but answer monitors with a status that the test chooses.
final class StatusWorker: @unchecked Sendable {
    // SAFETY: everything mutable is only touched under `lock`.
    private let lock = Lock()
    private var current: VGPUStatus
    private var questionCount = 0
    private var connections: [Connection] = []
    private let listener: Listener
    private let token: [UInt8]

    /// What a reply may get wrong.
    enum Misbehavior { case none, wrongSequence, garbage, failure }
    private var misbehavior = Misbehavior.none

    init(_ status: VGPUStatus, token: [UInt8] = [], path: String? = nil) throws {
        current = status
        self.token = token
        listener = try Listener(try #require(Endpoint("unix://" + (path ?? StatusWorker.freshPath()))))
        let thread = OSThread.start("status") { [listener] in
            while let connection = try? listener.accept() {
                _ = OSThread.start("monitor") { self.serve(connection) }
            }
        }
        try #require(thread != nil)
    }

    var endpoint: String { listener.endpoint.description }
    var path: String { String(decoding: listener.endpoint.path ?? [], as: UTF8.self) }

    var status: VGPUStatus {
        get { lock.withLock { current } }
        set { lock.withLock { current = newValue } }
    }

    var questions: Int { lock.withLock { questionCount } }

    func misbehave(_ kind: Misbehavior) { lock.withLock { misbehavior = kind } }

    /// Ends the listener and every connection, as a worker's death does.
    func stop() {
        listener.close()
        lock.withLock {
            for connection in connections { connection.close() }
            connections = []
        }
    }

    static func freshPath() -> String {
        "/tmp/roost-nvml-\(posix_process_id())-\(posix_monotonic_nanoseconds()).sock"
    }

    private func serve(_ connection: Connection) {
        guard let hello = try? connection.readHello(), hello.role == .monitor, hello.isToken(token) else {
            connection.refuse(.wrongToken, message: [])
            return
        }
        lock.withLock { connections.append(connection) }
        guard (try? connection.accept(hello)) != nil else { return }
        while let sequence = StatusWorker.question(connection) {
            let (status, misbehavior) = lock.withLock {
                questionCount += 1
                return (current, self.misbehavior)
            }
            guard (try? connection.write(StatusWorker.answer(status, sequence, misbehavior))) != nil else { return }
        }
    }

    /// The number of the next question; nil at the end, or if it is none.
    private static func question(_ connection: Connection) -> UInt64? {
        guard let bytes = try? connection.read(FrameHeader.byteCount + CommandHeader.byteCount) else { return nil }
        return bytes.withUnsafeBytes { storage in
            var reader = WireReader(storage)
            guard let frame = try? FrameHeader(from: &reader), let command = try? CommandHeader(from: &reader),
                frame.kind == .commands, frame.count == 1, command.id == VGPUStatusQuery.id,
                command.flags == CommandHeader.replyFlag, command.payloadByteCount == 0
            else { return nil }
            return frame.sequence
        }
    }

    private static func answer(_ status: VGPUStatus, _ sequence: UInt64, _ misbehavior: Misbehavior) -> [UInt8] {
        var encoded: [UInt8] = []
        status.encode(into: &encoded)
        if misbehavior == .garbage { encoded = [1, 2, 3] }
        var output: [UInt8] = []
        output.appendBytes(encoded)
        let count = ReplyHeader.byteCount + output.count
        var bytes = [UInt8](repeating: 0, count: FrameHeader.byteCount + ReplyHeader.byteCount)
        bytes.withUnsafeMutableBytes { storage in
            var writer = WireWriter(into: storage)
            let answered = misbehavior == .wrongSequence ? sequence &+ 1 : sequence
            FrameHeader(bodyByteCount: UInt32(count), kind: .reply, count: 0, sequence: answered).encode(into: &writer)
            ReplyHeader(status: misbehavior == .failure ? 46 : 0, outputByteCount: UInt32(output.count))
                .encode(into: &writer)
        }
        return bytes + output
    }
}

extension Connection {
    func write(_ bytes: [UInt8]) throws(TransportError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        defer { buffer.deallocate() }
        buffer.copyBytes(from: bytes)
        try write(UnsafeRawBufferPointer(buffer))
    }

    func read(_ count: Int) throws(TransportError) -> [UInt8] {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 1)
        defer { buffer.deallocate() }
        try read(exactly: buffer)
        return [UInt8](buffer)
    }
}
