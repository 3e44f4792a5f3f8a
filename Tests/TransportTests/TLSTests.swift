import CPosix
import Foundation
import Primitives
import Testing
import Transport
import WireProtocol

/// What TLS adds to a stream. That it is a stream at all is what `StreamTests` look at.
@Suite("TLS", .serialized, .timeLimit(.minutes(2)))
struct TLSTests {
    private let certificates: TestCertificates

    init() throws { certificates = try TestCertificates.shared.get() }

    /// A worker that greets one client.
    private final class OneClientWorker {
        let listener: Listener
        let port: UInt16
        private let result: Box<Result<(Connection, ReceivedHello), TransportError>?>
        private let thread: OSThread

        init(_ identity: TLSIdentity, timeoutMilliseconds: Int32 = 5000) throws {
            let listener = try Listener(try TestPlaces.endpoint(.tls), identity: identity)
            self.listener = listener
            guard case .tls(_, let port, _) = listener.endpoint else { preconditionFailure("it listens with TLS") }
            self.port = port
            let result = Box<Result<(Connection, ReceivedHello), TransportError>?>(nil)
            self.result = result
            let thread = OSThread.start("worker") {
                do throws(TransportError) {
                    let connection = try listener.accept()
                    let hello = try connection.readHello(timeoutMilliseconds: timeoutMilliseconds)
                    try connection.accept(hello)
                    result.value = .success((connection, hello))
                } catch {
                    result.value = .failure(error)
                }
            }
            self.thread = try #require(thread)
        }

        func finish() -> Result<(Connection, ReceivedHello), TransportError>? {
            thread.join()
            listener.close()
            return result.value
        }
    }

    private func endpoint(_ port: UInt16, pin: CertificatePin? = nil, host: String = "127.0.0.1") -> Endpoint {
        .tls(host: Array(host.utf8), port: port, pin: pin)
    }

    private func connect(to endpoint: Endpoint, token: [UInt8] = []) -> Result<Connection, TransportError> {
        var hello = TestPlaces.hello()
        return token.withUnsafeBytes { token in
            hello.token = token
            do throws(TransportError) {
                let greeting = try Connection.connect(to: endpoint, hello: hello, timeoutMilliseconds: 5000)
                return .success(greeting.connection)
            } catch {
                return .failure(error)
            }
        }
    }

    private func problem(_ result: Result<Connection, TransportError>) -> TLSProblem? {
        if case .failure(.tls(let problem)) = result { problem } else { nil }
    }

    // MARK: - Who the worker is

    @Test("A pin is the SHA-256 of the key as openssl writes it, and stays when the certificate is renewed")
    func pin() throws {
        try certificates.openssl("pkey -in worker.key -pubout -outform der -out worker.der")
        let digits = try certificates.openssl("dgst -sha256 -r worker.der").prefix(64)
        #expect(try certificates.identity("worker").pin.description == digits)
        #expect(try certificates.identity("expired").pin != certificates.identity("worker").pin)
    }

    @Test("The right pin is enough, whatever else is in the certificate", arguments: ["worker", "elsewhere", "expired"])
    func rightPin(_ name: String) throws {
        let identity = try certificates.identity(name)
        let worker = try OneClientWorker(identity)
        let client = try connect(to: endpoint(worker.port, pin: identity.pin)).get()
        let (connection, _) = try #require(worker.finish()).get()
        try client.write([1, 2, 3])
        #expect(try connection.read(3) == [1, 2, 3])
    }

    @Test("With another pin the client says so, and sends no token")
    func wrongPin() throws {
        let worker = try OneClientWorker(try certificates.identity("worker"))
        let proxy = try RecordingProxy(to: worker.port)
        let place = endpoint(proxy.port, pin: try certificates.identity("elsewhere").pin)
        #expect(problem(connect(to: place, token: Array("secret".utf8))) == .pinDiffers)
        guard case .failure(.closed) = worker.finish() else {
            Issue.record("the worker was greeted")
            return
        }
        // What the client sends after the handshake would be a record of application data longer than its end.
        #expect(proxy.stop().toWorker.recordByteCounts.count <= 1)
    }

    @Test(
        "Without a pin an authority has to vouch for the certificate, the name and the time",
        arguments: [
            ("worker", "127.0.0.1", nil), ("worker", "localhost", nil), ("elsewhere", "127.0.0.1", .wrongName),
            ("elsewhere", "localhost", .wrongName), ("expired", "127.0.0.1", .notValidNow),
        ] as [(String, String, TLSProblem?)])
    func authorities(_ name: String, _ host: String, _ expected: TLSProblem?) throws {
        setenv("ROOST_TLS_CA_FILE", certificates.file("authority.crt"), 1)
        defer { unsetenv("ROOST_TLS_CA_FILE") }
        let worker = try OneClientWorker(try certificates.identity(name))
        let result = connect(to: endpoint(worker.port, host: host))
        #expect(problem(result) == expected)
        if expected == nil { _ = try result.get() }
        let outcome = try #require(worker.finish())
        if expected == nil { _ = try outcome.get() }
    }

    @Test("An authority that nobody named is not trusted, and a file without one is an error")
    func strangers() throws {
        let worker = try OneClientWorker(try certificates.identity("worker"))
        #expect(problem(connect(to: endpoint(worker.port))) == .notTrusted)
        guard case .failure(.tls(.refused)) = worker.finish() else {
            Issue.record("the worker does not know that it was refused")
            return
        }
        setenv("ROOST_TLS_CA_FILE", certificates.file("index"), 1)
        defer { unsetenv("ROOST_TLS_CA_FILE") }
        let other = try OneClientWorker(try certificates.identity("worker"))
        #expect(problem(connect(to: endpoint(other.port))) == .authoritiesUnusable)
        _ = other.finish()
    }

    @Test("Files that can't be used say what is wrong")
    func files() throws {
        func problem(_ certificate: String, _ key: String) -> TLSProblem? {
            do throws(TransportError) {
                _ = try TLSIdentity(certificateFile: certificates.file(certificate), keyFile: certificates.file(key))
                return nil
            } catch {
                if case .tls(let problem) = error { return problem }
                return nil
            }
        }
        #expect(problem("worker.crt", "elsewhere.key") == .keyDiffers)
        #expect(problem("index", "worker.key") == .certificateUnusable)
        #expect(problem("nowhere", "worker.key") == .certificateUnusable)
        #expect(problem("worker.crt", "nowhere") == .keyUnusable)
        try certificates.openssl("ec -in worker.key -aes128 -passout pass:word -out locked.key")
        #expect(problem("worker.crt", "locked.key") == .keyUnusable)
        try certificates.openssl("pkey -in worker.key -out open.key")
        chmod(certificates.file("open.key"), 0o640)
        #expect(problem("worker.crt", "open.key") == .keyExposed)
        #expect(throws: TransportError.tls(.identityMissing)) { try Listener(try TestPlaces.endpoint(.tls)) }
        let pin = try certificates.identity("elsewhere").pin
        #expect(throws: TransportError.tls(.identityDiffers)) {
            try Listener(endpoint(0, pin: pin), identity: try certificates.identity("worker"))
        }
    }

    // MARK: - Who comes

    @Test(
        "What is no TLS ends its own connection only",
        arguments: [[UInt8](0...255), [UInt8](repeating: 0x16, count: 4000), RawClient.encoded(TestPlaces.hello()), []])
    func garbage(_ bytes: [UInt8]) throws {
        let identity = try certificates.identity("worker")
        let worker = try OneClientWorker(identity, timeoutMilliseconds: 200)
        let descriptor = try RawClient.connect(to: worker.listener.endpoint)
        if !bytes.isEmpty { #expect(posix_send_all(descriptor, bytes, bytes.count, nil, 0) == 0) }
        guard case .failure(let error) = worker.finish() else {
            Issue.record("garbage was greeted")
            return
        }
        #expect(bytes.isEmpty ? error == .timedOut : error != .timedOut, "\(error)")
        _ = posix_close(descriptor)
    }

    @Test("A worker that speaks no TLS is found out")
    func plainWorker() throws {
        let listener = try Listener(try TestPlaces.endpoint(.tcp))
        guard case .tcp(_, let port) = listener.endpoint else { return }
        let thread = try #require(
            OSThread.start("plain") {
                guard let connection = try? listener.accept() else { return }
                #expect(throws: TransportError.violation(.oversized)) { try connection.readHello() }
                connection.refuse(.unavailable, message: Array("not so".utf8))
            })
        let result = connect(to: endpoint(port, pin: try certificates.identity("worker").pin))
        thread.join()
        #expect(problem(result) == .noTLS, "\(result)")
        listener.close()
    }

    // MARK: - What passes

    /// A client and a worker with a proxy between them.
    private func ends(
        _ harm: RecordingProxy.Harm = .none, token: [UInt8] = []
    ) throws -> (client: Connection, worker: Connection, proxy: RecordingProxy) {
        let identity = try certificates.identity("worker")
        let worker = try OneClientWorker(identity)
        let proxy = try RecordingProxy(to: worker.port, harm: harm)
        let client = try connect(to: endpoint(proxy.port, pin: identity.pin), token: token).get()
        let (connection, hello) = try #require(worker.finish()).get()
        #expect(hello.token == token)
        return (client, connection, proxy)
    }

    @Test("Neither the token nor what is sent can be read on the way")
    func secrecy() throws {
        let token = Array("a token that nobody may see".utf8)
        let text = Array("and a text that nobody may see either".utf8)
        let (client, worker, proxy) = try ends(token: token)
        try client.write(text)
        #expect(try worker.read(text.count) == text)
        try worker.write(text)
        #expect(try client.read(text.count) == text)
        let (toWorker, toClient) = proxy.stop()
        #expect(toWorker.recordByteCounts.count >= 3)
        for secret in [token, text] {
            #expect(!toWorker.contains(sequence: secret))
            #expect(!toClient.contains(sequence: secret))
        }
        #expect((toWorker + token).contains(sequence: token), "the look for it finds it")
    }

    @Test("A frame and its bulk share a record, and long bulk fills records")
    func records() throws {
        let (client, worker, proxy) = try ends()
        let before = proxy.byteCountToWorker
        func write(_ first: Int, _ second: Int) throws {
            let bytes = [UInt8](repeating: 7, count: first + second)
            try bytes.withUnsafeBytes { bytes in
                try client.write(
                    UnsafeRawBufferPointer(rebasing: bytes[..<first]),
                    UnsafeRawBufferPointer(rebasing: bytes[first...]))
            }
            #expect(try worker.read(first + second) == bytes)
        }
        try write(16, 100)
        try write(16, 40_000)
        let records = Array(proxy.stop().toWorker[before...]).recordByteCounts
        // Each has a byte for its kind and 16 for its tag.
        #expect(records == [116, 16384, 16384, 16 + 40_000 - 2 * 16384].map { $0 + 17 })
    }

    @Test("A connection that is cut within a record is closed")
    func cut() throws {
        let (client, worker, proxy) = try ends(.cut(after: 100_000))
        let writer = try #require(OSThread.start("writer") { try? client.write([UInt8](repeating: 1, count: 1 << 20)) })
        #expect(throws: TransportError.closed) { try worker.read(1 << 20) }
        writer.join()
        #expect(throws: TransportError.closed) { try client.read(1) }
        #expect(proxy.stop().toWorker.count == 100_000)
    }

    @Test("A bit that changed on the way is found")
    func flip() throws {
        let (client, worker, proxy) = try ends(.flip(50_000))
        let writer = try #require(OSThread.start("writer") { try? client.write([UInt8](repeating: 1, count: 1 << 20)) })
        #expect(throws: TransportError.tls(.damaged)) { try worker.read(1 << 20) }
        worker.close()
        writer.join()
        _ = proxy.stop()
    }

    @Test("Four threads, two at each end, move 4 MiB each way in tiny and large pieces, with keys that change")
    func bothWays() throws {
        let ends = try ConnectedEnds(.tls)
        ends.client.setRecordsPerKey(5)
        ends.worker.setRecordsPerKey(7)
        let byteCount = 4 << 20
        @Sendable func writeAll(_ connection: Connection, seed: UInt64) {
            var numbers = SplitMix64(seed: seed)
            var done = 0
            while done < byteCount {
                let size = numbers.next(below: 8) == 0 ? 1 + numbers.next(below: 300_000) : 1 + numbers.next(below: 200)
                let count = min(byteCount - done, Int(size))
                let bytes = (0..<count).map { TLSTests.byte(at: done + $0, seed) }
                guard (try? connection.write(bytes)) != nil else { return }
                done += count
            }
        }
        @Sendable func readAll(_ connection: Connection, seed: UInt64) -> Bool {
            var numbers = SplitMix64(seed: ~seed)
            var done = 0
            while done < byteCount {
                let count = min(byteCount - done, 1 + Int(numbers.next(below: 100_000)))
                guard let bytes = try? connection.read(count) else { return false }
                for index in 0..<count where bytes[index] != TLSTests.byte(at: done + index, seed) { return false }
                done += count
            }
            return true
        }
        let isRight = Box([Bool]())
        let threads = [
            OSThread.start("client-writes") { writeAll(ends.client, seed: 1) },
            OSThread.start("worker-writes") { writeAll(ends.worker, seed: 2) },
            OSThread.start("worker-reads") {
                let right = readAll(ends.worker, seed: 1)
                isRight.lock.withLock { isRight.unguarded.append(right) }
            },
            OSThread.start("client-reads") {
                let right = readAll(ends.client, seed: 2)
                isRight.lock.withLock { isRight.unguarded.append(right) }
            },
        ]
        for thread in threads { try #require(thread).join() }
        #expect(isRight.value == [true, true])
    }

    private static func byte(at place: Int, _ seed: UInt64) -> UInt8 {
        UInt8(truncatingIfNeeded: (UInt64(truncatingIfNeeded: place) &* 0x9E37_79B9_7F4A_7C15 &+ seed) >> 40)
    }

    @Test("A reader that waits no longer than it was told says so, and can go on")
    func timeout() throws {
        let ends = try ConnectedEnds(.tls)
        ends.client.setReadTimeout(milliseconds: 20)
        #expect(throws: TransportError.timedOut) { try ends.client.read(1) }
        try ends.worker.write([5])
        ends.client.setReadTimeout(milliseconds: 5000)
        #expect(try ends.client.read(1) == [5])
    }

    @Test("Writing to a dead peer is an error and no signal")
    func noSignal() throws {
        let ends = try ConnectedEnds(.tls)
        ends.worker.close()
        #expect(throws: TransportError.closed) {
            while true { try ends.client.write([UInt8](repeating: 1, count: 1 << 16)) }
        }
    }
}
