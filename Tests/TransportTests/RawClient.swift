import CPosix
import Primitives
import Testing
import Transport
import WireProtocol

/// A client made of bare system calls, which can do what `Connection` never would.
final class RawClient: Sendable {
    static let ringByteCount = 4096

    let worker: Connection
    /// The rings' memory; nil for sockets.
    let memory: RawRings?
    private let descriptor: Int32

    init(_ kind: StreamKind) throws {
        let listener = try Listener(try TestPlaces.endpoint(kind))
        defer { listener.close() }
        descriptor = try RawClient.connect(to: listener.endpoint)
        worker = try listener.accept()
        let flags = kind == .sharedMemory ? Hello.sharedMemoryFlag : 0
        let greeting = RawClient.encoded(TestPlaces.hello(flags: flags))
        #expect(posix_send_all(descriptor, greeting, greeting.count, nil, 0) == 0)
        let hello = try worker.readHello()
        try worker.accept(hello, ringByteCount: RawClient.ringByteCount)
        let length = try RawClient.receive(descriptor, 4).reversed().reduce(0) { $0 << 8 | Int($1) }
        _ = try RawClient.receive(descriptor, length)
        guard kind == .sharedMemory else {
            memory = nil
            return
        }
        var byte: UInt8 = 0
        let file = posix_receive_descriptor(descriptor, &byte)
        try #require(file >= 0)
        let start = posix_map_file(file, 4096 + 2 * RawClient.ringByteCount, 0, true, true)
        _ = posix_close(file)
        memory = RawRings(start: try #require(start))
    }

    /// What happens to the socket when the process dies. Only once.
    func dropSocket() { _ = posix_close(descriptor) }

    static func connect(to endpoint: Endpoint) throws -> Int32 {
        let descriptor: Int32
        switch endpoint {
        case .tcp(_, let port), .tls(_, let port, _): descriptor = posix_tcp_connect("127.0.0.1", port, 1000)
        case .unix(let path), .sharedMemory(let path):
            descriptor = posix_unix_connect(String(decoding: path, as: UTF8.self), 1000)
        }
        try #require(descriptor >= 0)
        return descriptor
    }

    /// A greeting as it travels, with its length.
    static func encoded(_ hello: Hello) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Hello.byteCountMax)
        let count = bytes.withUnsafeMutableBytes { storage in
            var writer = WireWriter(into: storage)
            hello.encode(into: &writer)
            return writer.byteCount
        }
        var message: [UInt8] = []
        message.appendInteger(UInt32(count))
        return message + bytes.prefix(count)
    }

    static func receive(_ descriptor: Int32, _ count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            var byte: UInt8 = 0
            try #require(posix_receive(descriptor, &byte, 1, false) == 1)
            bytes.append(byte)
        }
        return bytes
    }
}

/// The rings' memory with the places of the client's indices, as `RingLayout` has them.
struct RawRings: @unchecked Sendable {
    // SAFETY: the memory is shared with hostile intent; nothing relies on its contents.
    let start: UnsafeMutableRawPointer

    /// Bytes that the client claims to have written.
    func setClientTail(_ value: UInt64) { posix_atomic_store_release_64(start, value) }
    /// Bytes that the client claims to have read.
    func setClientHead(_ value: UInt64) { posix_atomic_store_release_64(start + 1024 + 128, value) }
    /// What the worker wrote and the client may overwrite too.
    func setWorkerIndices(_ value: UInt64) {
        posix_atomic_store_release_64(start + 128, value)
        posix_atomic_store_release_64(start + 1024, value)
    }
    func fill(_ byte: UInt8) { memset(start + 4096, Int32(byte), 2 * RawClient.ringByteCount) }
}
