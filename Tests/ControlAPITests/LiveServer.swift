import AsyncHTTPClient
import FleetModel
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import Synchronization

@testable import ControlAPI

/// Runs a server on a free port of loopback while a body runs.
func withServer(
    _ fixture: APIFixture,
    settings: ListenSettings = ListenSettings(address: ListenAddress(host: "127.0.0.1", port: 0)),
    scheme: String = "http", client: HTTPClient = .shared,
    _ body: @escaping @Sendable (_ port: Int) async throws -> Void
) async throws {
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    let (ports, port) = AsyncStream<Int>.makeStream()
    let server = try ControlServer(fixture.parts, listening: settings, logger: logger) { number in
        port.yield(number)
        port.finish()
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
            defer { port.finish() }
            do { try await server.run() } catch is CancellationError {}
        }
        for await number in ports {
            try await poll {
                try await get(number, "/readyz", token: nil, scheme: scheme, client: client).status == .ok
            }
            try await body(number)
        }
        group.cancelAll()
        try await group.waitForAll()
    }
}

/// Asks again until it is so, for ten seconds at most.
func poll(_ isSo: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while try await !isSo() {
        guard ContinuousClock.now < deadline else { throw ServerError("it did not become so in time") }
        await Task.yield()
    }
}

/// Sends a request to loopback.
func get(
    _ port: Int, _ path: String, token: String?, scheme: String = "http", client: HTTPClient = .shared,
    within span: TimeAmount = .seconds(20)
) async throws -> HTTPClientResponse {
    var request = HTTPClientRequest(url: "\(scheme)://127.0.0.1:\(port)\(path)")
    if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
    return try await client.execute(request, timeout: span)
}

/// The lines of a stream, one after the other.
struct Lines {
    private var body: HTTPClientResponse.Body.AsyncIterator
    private var rest = ""

    init(_ response: HTTPClientResponse) { body = response.body.makeAsyncIterator() }

    mutating func next() async throws -> JSONValue? {
        while true {
            if let end = rest.firstIndex(of: "\n") {
                let line = String(rest[..<end])
                rest = String(rest[rest.index(after: end)...])
                return try JSONDecoder().decode(JSONValue.self, from: Data(line.utf8))
            }
            guard let buffer = try await body.next() else { return nil }
            rest += String(buffer: buffer)
        }
    }
}
