import AsyncHTTPClient
import NIOHTTP1
import Testing

/// Sends writes to a server on loopback.
struct Poster: Sendable {
    let port: Int
    let token: String

    func put(_ path: String, _ body: String) async throws { try await send(.PUT, path, body) }

    func send(_ method: HTTPMethod, _ path: String, _ body: String?) async throws {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
        request.method = method
        request.headers.add(name: "Authorization", value: "Bearer \(token)")
        if let body {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(Array(body.utf8))
        }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(20))
        #expect((200..<300).contains(Int(response.status.code)))
    }
}
