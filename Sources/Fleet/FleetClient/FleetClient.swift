import AsyncHTTPClient
import Certificates
public import FleetModel
public import Foundation
import NIOCore
import NIOHTTP1
import NIOSSL

/// A control plane's API, as command line and agents use it.
public final class FleetClient: Sendable {
    /// How to reach a control plane.
    public struct Target: Sendable, Hashable, Codable {
        /// The address: `https://pool.example:7600`.
        public var server: String
        /// The bearer token.
        public var token: String?
        /// The file with the certificate of the authority that signed the server's; the system's authorities where nil.
        public var authorityFile: String?
        /// The files of the client's own certificate and its key, which take the token's place.
        public var certificateFile: String?
        public var keyFile: String?

        /// Names a control plane.
        public init(server: String, token: String? = nil, authorityFile: String? = nil) {
            self.server = server
            self.token = token
            self.authorityFile = authorityFile
        }
    }

    /// The most bytes of one answer.
    private static let answerByteCountMax = 64 << 20

    /// How to reach it.
    public let target: Target
    private let http: HTTPClient
    /// The address as requests have it, without a slash at its end.
    private let address: String

    /// Makes a client. ``shutdown()`` must be called before it goes.
    ///
    /// - Throws: ``FleetClientError`` where the address or the authority's certificate is of no use.
    public init(_ target: Target) throws {
        guard let url = URL(string: target.server), let scheme = url.scheme, ["http", "https"].contains(scheme),
            url.host != nil
        else {
            throw FleetClientError(
                status: 0, title: "Bad address",
                detail: "'\(target.server)' is no address of a control plane; it reads https://host:port.")
        }
        self.target = target
        var configuration = HTTPClient.Configuration()
        configuration.timeout.connect = .seconds(5)
        // A refused connection is an answer; whoever wants to wait for a server asks again.
        configuration.connectionPool.retryConnectionEstablishment = false
        let trust = try ServerTrust(target)
        address = trust.address(url) ?? target.server
        configuration.dnsOverride = trust.dnsOverride(url)
        configuration.tlsConfiguration = trust.configuration
        http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    /// Gives connections back.
    public func shutdown() async {
        try? await http.shutdown()
    }

    // MARK: - Requests

    /// An answer with what its headers say.
    public struct Answer<Body: Sendable>: Sendable {
        /// The body.
        public var body: Body
        /// The HTTP status.
        public var status: Int
    }

    /// Sends a request and reads a JSON answer.
    ///
    /// - Throws: ``FleetClientError`` with the server's problem, or with why it could not be reached.
    public func send<Body: Decodable & Sendable>(
        _ method: Method, _ path: String, _ options: Options = Options(),
        body: (some Encodable)? = Optional<Never>.none,
        as type: Body.Type = Body.self
    ) async throws -> Body {
        let bytes = try await bytes(method, path, options, body: body)
        do {
            return try JSONDecoder().decode(type, from: bytes)
        } catch {
            throw FleetClientError(
                status: 0, title: "Unexpected answer",
                detail: "The answer to \(method.rawValue) \(path) can't be read: \(error).")
        }
    }

    /// Sends a request and gives the answer's bytes.
    public func bytes(
        _ method: Method, _ path: String, _ options: Options = Options(), body: (some Encodable)? = Optional<Never>.none
    ) async throws -> Data {
        let request = try request(method, path, options, body: body)
        let response: HTTPClientResponse
        do {
            response = try await http.execute(request, timeout: .nanoseconds(options.timeout.milliseconds * 1_000_000))
        } catch {
            throw FleetClientError.unreachable(target.server, error)
        }
        let buffer = try await response.body.collect(upTo: FleetClient.answerByteCountMax)
        let data = Data(buffer.readableBytesView)
        guard (200..<300).contains(response.status.code) else {
            throw FleetClientError(status: Int(response.status.code), body: data)
        }
        return data
    }

    /// How to send.
    public enum Method: String, Sendable {
        case get = "GET"
        case post = "POST"
        case put = "PUT"
        case patch = "PATCH"
        case delete = "DELETE"
    }

    /// What a request has beside its body.
    public struct Options: Sendable {
        /// Names and values behind the `?`.
        public var query: [(String, String)] = []
        /// Further headers.
        public var headers: [(String, String)] = []
        /// How long to wait for the answer.
        public var timeout = TimeSpan.seconds(30)

        /// Nothing.
        public init(query: [(String, String)] = [], headers: [(String, String)] = []) {
            self.query = query
            self.headers = headers
        }
    }

    private func request(
        _ method: Method, _ path: String, _ options: Options, body: (some Encodable)?
    ) throws -> HTTPClientRequest {
        var address = (address.hasSuffix("/") ? String(address.dropLast()) : address) + path
        if !options.query.isEmpty {
            address += "?" + options.query.map { "\(escaped($0.0))=\(escaped($0.1))" }.joined(separator: "&")
        }
        var request = HTTPClientRequest(url: address)
        request.method = HTTPMethod(rawValue: method.rawValue)
        request.headers.add(name: "Accept", value: "application/json")
        if let token = target.token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        for (name, value) in options.headers { request.headers.replaceOrAdd(name: name, value: value) }
        if let body {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.withoutEscapingSlashes]
            request.body = .bytes(ByteBuffer(bytes: try encoder.encode(body)))
            if !request.headers.contains(name: "Content-Type") {
                request.headers.add(name: "Content-Type", value: "application/json")
            }
        }
        return request
    }

    private func escaped(_ text: String) -> String {
        let allowed = CharacterSet(charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
        return text.addingPercentEncoding(withAllowedCharacters: allowed) ?? text
    }

    /// The lines of an answer that goes on, each as it comes.
    public func lines(_ path: String, _ options: Options) -> AsyncThrowingStream<Data, any Error> {
        AsyncThrowingStream { continuation in
            let task = Task {
                do {
                    try await follow(path, options) { continuation.yield($0) }
                    continuation.finish()
                } catch let error as FleetClientError {
                    continuation.finish(throwing: error)
                } catch {
                    continuation.finish(throwing: FleetClientError.unreachable(self.target.server, error))
                }
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    private func follow(_ path: String, _ options: Options, _ onLine: (Data) -> Void) async throws {
        let response = try await answer(path, options)
        var rest = Data()
        for try await chunk in response.body {
            rest.append(contentsOf: chunk.readableBytesView)
            for line in FleetClient.takeLines(of: &rest) { onLine(line) }
        }
    }

    /// Begins an answer that goes on.
    private func answer(_ path: String, _ options: Options) async throws -> HTTPClientResponse {
        let request = try request(.get, path, options, body: Optional<Never>.none)
        let response = try await http.execute(request, deadline: .distantFuture)
        guard (200..<300).contains(response.status.code) else {
            let buffer = try await response.body.collect(upTo: FleetClient.answerByteCountMax)
            throw FleetClientError(status: Int(response.status.code), body: Data(buffer.readableBytesView))
        }
        return response
    }

    /// Takes whole lines from the front.
    private static func takeLines(of rest: inout Data) -> [Data] {
        var lines: [Data] = []
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            lines.append(Data(rest[rest.startIndex..<end]))
            rest = Data(rest[rest.index(after: end)...])
        }
        return lines
    }
}
