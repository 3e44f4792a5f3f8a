import Testing
import Transport

@Suite("Endpoints")
struct EndpointTests {
    private static let pin = String(repeating: "0123456789abcdef", count: 4)

    @Test(
        "An endpoint is shown as the text that it was read from",
        arguments: [
            "unix:///run/roost/a.sock", "shm:///tmp/b", "tcp://localhost:4242", "tcp://127.0.0.1:1",
            "tcp://[::1]:65535",
            "tcp://gpu-7.example.org:0", "tls://gpu-7.example.org:7070", "tls://[::1]:7070#" + EndpointTests.pin,
            "tls://10.0.0.1:1#" + EndpointTests.pin,
        ])
    func roundTrip(_ text: String) throws {
        let endpoint = try #require(Endpoint(text))
        #expect(endpoint.description == text)
        #expect(Endpoint(utf8: [UInt8](text.utf8)) == endpoint)
    }

    @Test(
        "What is no endpoint is refused",
        arguments: [
            "", "unix://", "unix://a", "unix:///", "tcp://", "tcp://host", "tcp://:1", "tcp://host:",
            "tcp://host:65536", "tcp://[a b]:1", "tcp://[h:1",
            "tcp://host:+1", "tcp://::1:5", "tcp://a b:1", "http://host:1", "shm://x", "tcp://[]:1", "TCP://h:1",
            "unix:///a\u{0}b", "unix:///" + String(repeating: "x", count: 107), "tcp://h:123456",
            "tls://h", "tls://h:1#", "tls://h:1#abc", "tls://h:1#" + EndpointTests.pin + "0", "tls://h#1:1",
            "tls://h:1##" + EndpointTests.pin.dropFirst(), "tls://h:1#g" + EndpointTests.pin.dropFirst(),
            "tcp://h:1#" + EndpointTests.pin,
        ])
    func refused(_ text: String) {
        #expect(Endpoint(text) == nil)
    }

    @Test("A list has semicolons between endpoints, and one wrong entry spoils it")
    func list() {
        #expect(Endpoint.list(utf8: "unix:///a; tcp://h:1;".utf8)?.count == 2)
        #expect(Endpoint.list(utf8: "unix:///a;nonsense".utf8) == nil)
        #expect(Endpoint.list(utf8: "".utf8) == nil)
    }

    @Test("A pin is 32 bytes as hexadecimal digits of either case, and any other bit makes another pin")
    func pins() throws {
        let pin = try #require(CertificatePin(utf8: EndpointTests.pin.utf8))
        #expect(Array(pin.bytes.prefix(8)) == [0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF])
        #expect(CertificatePin(utf8: EndpointTests.pin.uppercased().utf8) == pin)
        for index in pin.bytes.indices {
            var bytes = pin.bytes
            bytes[index] ^= 0x10
            #expect(CertificatePin(bytes: bytes) != pin)
        }
        #expect(CertificatePin(bytes: [UInt8](repeating: 0, count: 31)) == nil)
    }

    @Test("Only TCP and TLS cross machines, and only they have no path")
    func locality() {
        #expect(Endpoint("tls://h:1")?.isLocal == false)
        #expect(Endpoint("tcp://h:1")?.isLocal == false)
        #expect(Endpoint("tcp://h:1")?.path == nil)
        #expect(Endpoint("shm:///a")?.isLocal == true)
        #expect(Endpoint("unix:///a")?.path == [UInt8]("/a".utf8))
    }
}
