import EtcdFleetStore
import FleetStore
import Foundation
import Glibc
import Testing

@Suite(
    "etcd that fails", .enabled(if: EtcdServer.isInstalled, "etcd is not installed: bash Scripts/setup-debian.sh"),
    .timeLimit(.minutes(2)))
struct EtcdFailureTests {
    private static let a = StoreKey.test("/w/a")

    /// An endpoint where nobody listens.
    private static let nobody = "http://127.0.0.1:1"

    private func store(_ endpoints: [String], _ change: (inout EtcdOptions) -> Void = { _ in }) throws -> EtcdFleetStore
    {
        var options = EtcdOptions(endpoints: endpoints)
        options.namespace = "/test-\(UUID().uuidString)"
        change(&options)
        return try EtcdFleetStore(options)
    }

    @Test("A member that refuses connections is passed over, for reads, writes and watches")
    func failover() async throws {
        let server = try await SharedEtcd.instance.server()
        for endpoints in [[Self.nobody, server.endpoint], [server.endpoint, Self.nobody]] {
            let store = try store(endpoints)
            let first = try await store.create(Self.a, bytes("1"))
            var watch = try await store.watch(.all, after: first).makeAsyncIterator()
            let second = try await store.replace(Self.a, bytes("2"), expected: first)
            #expect(try await watch.nextChange()?.revision == second)
            #expect(try await store.get(Self.a)?.value == bytes("2"))
            await store.close()
        }
        let fresh = try store([Self.nobody, server.endpoint])
        _ = try await fresh.watch(.all, after: .zero)
        await fresh.close()
    }

    @Test("With no member at all, writes and reads are known not to be done")
    func nobodyAnswers() async throws {
        let store = try store([Self.nobody, Self.nobody])
        #expect(await storeError { try await store.create(Self.a, []) }?.code == .unavailable)
        #expect(await storeError { try await store.get(Self.a) }?.code == .unavailable)
        #expect(await storeError { try await store.watch(.all, after: .zero) }?.code == .unavailable)
        await store.close()
    }

    @Test("A write that got no answer has an unknown outcome and is not sent to the next member")
    func lostAnswer() async throws {
        let server = try await SharedEtcd.instance.server()
        let deaf = try DeafServer()
        let store = try store([deaf.endpoint, server.endpoint]) { $0.requestTimeout = .milliseconds(300) }
        let error = await storeError { try await store.create(Self.a, []) }
        #expect(error?.code == .unknownOutcome)
        // The next request goes to the next member, and shows that nothing was written.
        #expect(try await store.get(Self.a) == nil)
        await store.close()
    }

    @Test("A read that got no answer is asked of the next member")
    func lostRead() async throws {
        let server = try await SharedEtcd.instance.server()
        let deaf = try DeafServer()
        let store = try store([deaf.endpoint, server.endpoint]) { $0.requestTimeout = .milliseconds(300) }
        #expect(try await store.get(Self.a) == nil)
        await store.close()
    }

    @Test("A watch goes on, without a gap, after its member was killed and came back")
    func restart() async throws {
        let server = try await EtcdServer.start()
        let store = try store([server.endpoint])
        let first = try await store.create(Self.a, bytes("1"))
        var watch = try await store.watch(.all, after: first).makeAsyncIterator()
        let second = try await store.replace(Self.a, bytes("2"), expected: first)
        #expect(try await watch.nextChange()?.revision == second)
        server.stop()
        // With one member the watch cannot go on by itself: it says so, and begins anew after what it has delivered.
        #expect(await storeError { _ = try await watch.next() }?.code == .unavailable)
        #expect(await storeError { try await store.get(Self.a) }?.code == .unavailable)
        try await server.start()
        let third = try await store.replace(Self.a, bytes("3"), expected: second)
        watch = try await store.watch(.all, after: second).makeAsyncIterator()
        #expect(try await watch.nextChange()?.revision == third)
        await store.close()
        server.stop()
    }

    @Test("Endpoints, files and namespaces that cannot be are refused at once")
    func options() throws {
        #expect(throws: StoreError.self) { try store([]) }
        #expect(throws: StoreError.self) { try store(["127.0.0.1:2379"]) }
        #expect(throws: StoreError.self) { try store([Self.nobody]) { $0.namespace = "roost" } }
        #expect(throws: StoreError.self) { try store([Self.nobody]) { $0.tls.certificateFile = "/does/not/exist.pem" } }
    }
}

/// Takes connections and never answers.
private final class DeafServer: Sendable {
    let endpoint: String
    private let descriptor: Int32

    init() throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let status = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 ? getsockname(descriptor, $0, &length) : -1
            }
        }
        guard status == 0, listen(descriptor, 16) == 0 else {
            throw EtcdServer.NotStarted(description: "no port for a server that does not answer")
        }
        endpoint = "http://127.0.0.1:\(UInt16(bigEndian: address.sin_port))"
    }

    deinit { close(descriptor) }
}
