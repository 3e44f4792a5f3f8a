import Testing
import Transport

@Suite("Endpoints")
struct EndpointTests {
    @Test(
        "An endpoint is shown as the text that it was read from",
        arguments: [
            "unix:///run/roost/a.sock", "shm:///tmp/b", "tcp://localhost:4242", "tcp://127.0.0.1:1",
            "tcp://[::1]:65535",
            "tcp://gpu-7.example.org:0",
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

    @Test("Only TCP crosses machines, and only it has no path")
    func locality() {
        #expect(Endpoint("tcp://h:1")?.isLocal == false)
        #expect(Endpoint("tcp://h:1")?.path == nil)
        #expect(Endpoint("shm:///a")?.isLocal == true)
        #expect(Endpoint("unix:///a")?.path == [UInt8]("/a".utf8))
    }
}
