import CPosix
import Primitives
import Testing
import Transport
import WireProtocol

/// The transports that every stream test runs over.
enum StreamKind: String, CaseIterable, Sendable {
    case pair, unix, tcp, tls, sharedMemory
}

/// A client's and a worker's end that have greeted each other.
struct ConnectedEnds {
    let client: Connection
    let worker: Connection

    init(_ kind: StreamKind, ringByteCount: Int = Connection.ringByteCountDefault) throws {
        if kind == .pair {
            (client, worker) = try Connection.pair()
            return
        }
        let identity = try kind == .tls ? TestCertificates.own() : nil
        let listener = try Listener(try TestPlaces.endpoint(kind), identity: identity)
        defer { listener.close() }
        let accepted = Box<Connection?>(nil)
        let thread = try #require(
            OSThread.start("accept") {
                guard let connection = try? listener.accept(), let hello = try? connection.readHello() else { return }
                guard (try? connection.accept(hello, ringByteCount: ringByteCount)) != nil else { return }
                accepted.value = connection
            })
        let greeting = try Connection.connect(to: listener.endpoint, hello: TestPlaces.hello())
        thread.join()
        #expect(greeting.status == .accepted)
        client = greeting.connection
        worker = try #require(accepted.value)
    }
}

/// Places that no other test uses.
enum TestPlaces {
    private static let counter = Box(0)

    static func path() -> String {
        let number = counter.lock.withLock {
            counter.unguarded += 1
            return counter.unguarded
        }
        return "/tmp/roost-test-\(posix_process_id())-\(number).sock"
    }

    static func endpoint(_ kind: StreamKind) throws -> Endpoint {
        switch kind {
        case .tcp: try #require(Endpoint("tcp://127.0.0.1:0"))
        case .tls: try #require(Endpoint("tls://127.0.0.1:0"))
        case .sharedMemory: try #require(Endpoint("shm://" + path()))
        case .unix, .pair: try #require(Endpoint("unix://" + path()))
        }
    }

    static func hello(flags: UInt32 = 0) -> Hello {
        Hello(
            descriptionHash: 7, role: .lane, flags: flags, session: SessionID(high: 1, low: 2), laneIndex: 3,
            processID: 4)
    }
}

/// A value that threads share.
final class Box<Value>: @unchecked Sendable {
    // SAFETY: `unguarded` is only touched under `lock`.
    let lock = Lock()
    var unguarded: Value

    init(_ value: Value) { unguarded = value }

    var value: Value {
        get { lock.withLock { unguarded } }
        set { lock.withLock { unguarded = newValue } }
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
