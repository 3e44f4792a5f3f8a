import AsyncHTTPClient
import FleetModel
import Foundation
import Synchronization
import Testing

@testable import FleetClient

@Suite("Several servers of one control plane")
struct ServersTests {
    private struct BrokenOff: Error {}

    /// Asks servers that fail as told, and answers which were asked.
    private func asked(
        _ servers: Servers, isRepeatable: Bool = true, failing failures: [String: any Error] = [:]
    ) async -> (asked: [String], isAnswered: Bool) {
        let asked = Mutex<[String]>([])
        let answer = try? await servers.ask(isRepeatable: isRepeatable) { server in
            asked.withLock { $0.append(server) }
            if let failure = failures[server] { throw failure }
            return server
        }
        return (asked.withLock { $0 }, answer != nil)
    }

    @Test("The next is asked where one is not reached, and stays the first to be asked")
    func rotates() async {
        let servers = Servers(["a", "b", "c"])
        let first = await asked(servers, isRepeatable: false, failing: ["a": HTTPClientError.connectTimeout])
        #expect(first.asked == ["a", "b"] && first.isAnswered)
        #expect(await asked(servers).asked == ["b"])
        let gone: [String: any Error] = ["b": HTTPClientError.connectTimeout, "c": HTTPClientError.connectTimeout]
        #expect(await asked(servers, failing: gone).asked == ["b", "c", "a"])
    }

    @Test("What may have been done is done again only where that is as good; later requests go elsewhere")
    func uncertain() async {
        let servers = Servers(["a", "b"])
        let write = await asked(servers, isRepeatable: false, failing: ["a": BrokenOff()])
        #expect(write.asked == ["a"] && !write.isAnswered)
        let read = await asked(servers, failing: ["b": BrokenOff()])
        #expect(read.asked == ["b", "a"] && read.isAnswered)
    }

    @Test("A server that can't answer now is left; a refusal is an answer")
    func refusals() async {
        let servers = Servers(["a", "b"])
        let missing = FleetClientError(status: 404, title: "", detail: "")
        let refused = await asked(servers, failing: ["a": missing])
        #expect(refused.asked == ["a"] && !refused.isAnswered)
        let ending = FleetClientError(status: 503, title: "", detail: "")
        #expect(await asked(servers, isRepeatable: false, failing: ["a": ending]).asked == ["a"])
        #expect(await asked(servers, failing: ["b": ending]).asked == ["b", "a"])
    }

    @Test("Whoever gives up does not leave the server")
    func cancelled() async {
        let servers = Servers(["a", "b"])
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return await asked(servers, failing: ["a": CancellationError()])
        }
        #expect(await task.value.asked == ["a"])
        #expect(await asked(servers).asked == ["a"])
    }

    @Test("Addresses are read one by one")
    func addresses() throws {
        let target = FleetClient.Target(server: "https://a:7600/,http://[::1]:7600")
        #expect(try target.addresses().map(\.absoluteString) == ["https://a:7600", "http://[::1]:7600"])
        for text in ["", "a:7600", "https://a,", "https://", "ftp://a"] {
            #expect(throws: FleetClientError.self, "\(text)") { try FleetClient.Target(server: text).addresses() }
        }
    }
}
