import Primitives
import Testing
import Transport
import WireProtocol

@Suite("Handshake", .timeLimit(.minutes(1)))
struct HandshakeTests {
    /// Connects a client to a worker that does `answer`.
    private func greet(
        _ kind: StreamKind, _ hello: Hello = TestPlaces.hello(),
        answer: @escaping @Sendable (Connection, ReceivedHello) -> Void
    ) throws -> Greeting {
        let listener = try Listener(try TestPlaces.endpoint(kind))
        defer { listener.close() }
        let thread = try #require(
            OSThread.start("worker") {
                guard let connection = try? listener.accept(), let hello = try? connection.readHello() else { return }
                answer(connection, hello)
            })
        defer { thread.join() }
        return try Connection.connect(to: listener.endpoint, hello: hello, timeoutMilliseconds: 2000)
    }

    @Test("The worker sees all that the client says", arguments: [StreamKind.unix, .tcp, .sharedMemory])
    func fields(_ kind: StreamKind) throws {
        let seen = Box<ReceivedHello?>(nil)
        let token = [UInt8]("secret".utf8)
        let name = [UInt8]("python3".utf8)
        let greeting = try token.withUnsafeBytes { token in
            try name.withUnsafeBytes { name in
                var hello = TestPlaces.hello(flags: Hello.strictFlag)
                hello.token = token
                hello.processName = name
                return try greet(kind, hello) { connection, hello in
                    seen.value = hello
                    try? connection.accept(hello)
                }
            }
        }
        #expect(greeting.status == .accepted)
        let hello = try #require(seen.value)
        #expect(hello.protocolVersion == WireLimits.protocolVersion)
        #expect(hello.descriptionHash == 7 && hello.role == .lane && hello.laneIndex == 3 && hello.processID == 4)
        #expect(hello.session == SessionID(high: 1, low: 2))
        #expect(hello.isToken(token) && !hello.isToken([]) && !hello.isToken([UInt8]("secreT".utf8)))
        #expect(hello.processName == name)
        #expect(hello.wantsSharedMemory == (kind == .sharedMemory))
        #expect(hello.flags & Hello.strictFlag != 0)
    }

    @Test("A refused client is told why", arguments: [StreamKind.unix, .tcp, .sharedMemory])
    func refusal(_ kind: StreamKind) throws {
        let greeting = try greet(kind) { connection, _ in
            connection.refuse(.wrongToken, message: [UInt8]("Set ROOST_TOKEN.".utf8))
        }
        #expect(greeting.status == .wrongToken)
        #expect(String(decoding: greeting.message, as: UTF8.self) == "Set ROOST_TOKEN.")
        #expect(greeting.connection.isClosed)
    }

    @Test("A token that is too long is refused before it is sent")
    func longToken() throws {
        let token = [UInt8](repeating: 1, count: WireLimits.tokenByteCountMax + 1)
        token.withUnsafeBytes { token in
            var hello = TestPlaces.hello()
            hello.token = token
            #expect(throws: TransportError.tooLong) { try greet(.unix, hello) { _, _ in } }
        }
    }

    @Test("A worker that hangs up instead of answering is noticed")
    func hangUp() throws {
        #expect(throws: TransportError.closed) { try greet(.unix) { connection, _ in connection.close() } }
    }

    @Test("A ring size that is no power of two is refused by the worker itself")
    func ringSize() throws {
        let outcome = Box<TransportError?>(nil)
        _ = try? greet(.sharedMemory) { connection, hello in
            do throws(TransportError) {
                try connection.accept(hello, ringByteCount: 5000)
            } catch {
                outcome.value = error
                connection.close()
            }
        }
        #expect(outcome.value != nil)
    }
}
