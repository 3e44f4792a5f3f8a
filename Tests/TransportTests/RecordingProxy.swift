import CPosix
import Primitives
import Testing
import Transport

/// Stands between a client and a worker, keeps what passes, and does harm where it is told to.
final class RecordingProxy: Sendable {
    /// What happens to a byte on its way to the worker.
    enum Harm: Sendable {
        case none
        /// Both connections end once so many bytes went to the worker.
        case cut(after: Int)
        /// This byte arrives with another bit.
        case flip(Int)
    }

    let port: UInt16
    private let listening: Int32
    private let harm: Harm
    private let passed = Box((toWorker: [UInt8](), toClient: [UInt8]()))
    private let ends = Box([Int32]())
    private let threads = Box([OSThread]())

    init(to worker: UInt16, harm: Harm = .none) throws {
        self.harm = harm
        listening = posix_tcp_listen("127.0.0.1", 0, 1)
        port = try #require(UInt16(exactly: posix_socket_port(listening)))
        let thread = OSThread.start("proxy") { [self] in run(to: worker) }
        threads.value = [try #require(thread)]
    }

    private func run(to worker: UInt16) {
        let client = posix_accept(listening)
        let server = posix_tcp_connect("127.0.0.1", worker, 2000)
        guard client >= 0, server >= 0 else { return }
        ends.value = [client, server]
        let back = OSThread.start("proxy-back") { [self] in pump(from: server, to: client, isToWorker: false) }
        pump(from: client, to: server, isToWorker: true)
        back?.join()
    }

    deinit {
        _ = posix_close(listening)
        for end in ends.value { _ = posix_close(end) }
    }

    /// Ends both connections and waits until nothing passes any more; what went to the worker, and to the client.
    func stop() -> (toWorker: [UInt8], toClient: [UInt8]) {
        _ = posix_shutdown(listening)
        for end in ends.value { _ = posix_shutdown(end) }
        for thread in threads.value { thread.join() }
        return passed.value
    }

    /// How many bytes went to the worker so far.
    var byteCountToWorker: Int { passed.value.toWorker.count }

    private func pump(from source: Int32, to target: Int32, isToWorker: Bool) {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = posix_receive(source, &buffer, buffer.count, false)
            guard count > 0 else { break }
            var bytes = Array(buffer[..<Int(count)])
            if isToWorker { injure(&bytes) }
            passed.lock.withLock {
                if isToWorker {
                    passed.unguarded.toWorker += bytes
                } else {
                    passed.unguarded.toClient += bytes
                }
            }
            guard !bytes.isEmpty, posix_send_all(target, bytes, bytes.count, nil, 0) == 0 else { break }
        }
        _ = posix_shutdown(source)
        _ = posix_shutdown(target)
    }

    private func injure(_ bytes: inout [UInt8]) {
        let start = byteCountToWorker
        switch harm {
        case .none: break
        case .cut(let limit): bytes = Array(bytes.prefix(max(0, limit - start)))
        case .flip(let place): if bytes.indices.contains(place - start) { bytes[place - start] ^= 1 }
        }
    }
}

extension [UInt8] {
    /// Whether `part` stands somewhere in it.
    func contains(sequence part: [UInt8]) -> Bool {
        guard let first = part.first else { return true }
        var from = startIndex
        while let place = self[from...].firstIndex(of: first) {
            if self[place...].starts(with: part) { return true }
            from = place + 1
        }
        return false
    }

    /// The byte counts of the TLS records of application data in it.
    var recordByteCounts: [Int] {
        var counts: [Int] = []
        var at = 0
        while at + 5 <= count {
            let length = Int(self[at + 3]) << 8 | Int(self[at + 4])
            if self[at] == 23 { counts.append(length) }
            at += 5 + length
        }
        return counts
    }
}
