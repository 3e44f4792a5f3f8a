import CPosix
import Primitives
import Testing
import Transport

@Suite("Listeners", .timeLimit(.minutes(1)))
struct ListenerTests {
    @Test("Closing a listener wakes a blocked accept", arguments: [StreamKind.unix, .tcp])
    func closeWhileAccepting(_ kind: StreamKind) throws {
        let listener = try Listener(try TestPlaces.endpoint(kind))
        let outcome = Box<TransportError?>(nil)
        let thread = try #require(
            OSThread.start("accept") {
                do throws(TransportError) {
                    _ = try listener.accept()
                } catch {
                    outcome.value = error
                }
            })
        listener.close()
        thread.join()
        #expect(outcome.value == .closed)
    }

    @Test("A socket file that a dead worker left is replaced, a living worker's is not")
    func stale() throws {
        let path = TestPlaces.path()
        let endpoint = try #require(Endpoint("unix://" + path))
        let dead = path.withCString { posix_unix_listen($0, 1) }
        #expect(dead >= 0)
        _ = posix_close(dead)
        #expect(path.withCString { posix_file_exists($0) })
        let living = try Listener(endpoint)
        #expect(throws: TransportError.addressInUse) { try Listener(endpoint) }
        living.close()
        #expect(!path.withCString { posix_file_exists($0) })
    }

    @Test("A file that is no socket is never removed")
    func otherFile() throws {
        let path = TestPlaces.path()
        let file = path.withCString { posix_open($0, Int32(POSIX_OPEN_CREATE), 0o600) }
        _ = posix_close(file)
        defer { _ = path.withCString { posix_unlink($0) } }
        #expect(throws: TransportError.addressInUse) { try Listener(try #require(Endpoint("unix://" + path))) }
        #expect(path.withCString { posix_file_exists($0) })
    }

    @Test("Connecting where nobody listens says so")
    func nobody() throws {
        let place = try TestPlaces.endpoint(.unix)
        #expect(throws: TransportError.refused(ENOENT)) {
            try Connection.connect(to: place, hello: TestPlaces.hello())
        }
        let listener = try Listener(try TestPlaces.endpoint(.tcp))
        let free = listener.endpoint
        listener.close()
        #expect(throws: TransportError.refused(ECONNREFUSED)) {
            try Connection.connect(to: free, hello: TestPlaces.hello())
        }
    }

    @Test("A worker that accepts and never answers is given up on")
    func silent() throws {
        let listener = try Listener(try TestPlaces.endpoint(.unix))
        defer { listener.close() }
        #expect(throws: TransportError.timedOut) {
            try Connection.connect(to: listener.endpoint, hello: TestPlaces.hello(), timeoutMilliseconds: 30)
        }
    }
}
