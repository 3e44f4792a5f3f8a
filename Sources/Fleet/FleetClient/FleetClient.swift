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
        /// The address: `https://pool.example:7600`; several, for servers of one store, with commas between.
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

        /// The addresses, each without a slash at its end.
        ///
        /// - Throws: ``FleetClientError`` where one is of no use.
        public func addresses() throws -> [URL] {
            try server.split(separator: ",", omittingEmptySubsequences: false).map { part in
                let text = part.hasSuffix("/") ? part.dropLast() : part
                guard let url = URL(string: String(text)), ["http", "https"].contains(url.scheme ?? ""),
                    url.host != nil
                else {
                    throw FleetClientError(
                        status: 0, title: "Bad address",
                        detail: "'\(part)' is no address of a control plane; it reads https://host:port.")
                }
                return url
            }
        }
    }

    /// The most bytes of one answer.
    private static let answerByteCountMax = 64 << 20

    /// How to reach it.
    public let target: Target
    let servers: Servers
    /// How each server is reached: the address that requests are sent to, and who sends them.
    private let connections: [String: (address: String, http: HTTPClient)]

    /// Makes a client. ``shutdown()`` must be called before it goes.
    ///
    /// - Throws: ``FleetClientError`` where the address or the authority's certificate is of no use.
    public init(_ target: Target) throws {
        let addresses = try target.addresses()
        let trust = try ServerTrust(target)
        self.target = target
        servers = Servers(addresses.map(\.absoluteString))
        var connections: [String: (address: String, http: HTTPClient)] = [:]
        for url in addresses where connections[url.absoluteString] == nil {
            var configuration = HTTPClient.Configuration()
            configuration.timeout.connect = .seconds(5)
            // A refused connection is an answer; whoever wants to wait for a server asks again.
            configuration.connectionPool.retryConnectionEstablishment = false
            // One client for each server: all of a cluster's have one name, which leads elsewhere for each.
            configuration.dnsOverride = trust.dnsOverride(url)
            configuration.tlsConfiguration = trust.configuration
            connections[url.absoluteString] = (
                trust.address(url) ?? url.absoluteString,
                HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
            )
        }
        self.connections = connections
    }

    /// Gives connections back.
    public func shutdown() async {
        for connection in connections.values { try? await connection.http.shutdown() }
    }

    private func connection(_ server: String) throws -> (address: String, http: HTTPClient) {
        guard let connection = connections[server] else {
            throw FleetClientError(status: 0, title: "Bad address", detail: "\(server) is none of the servers.")
        }
        return connection
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
        let bytes = try FleetClient.encoded(body)
        return try await servers.ask(isRepeatable: options.isRepeatable ?? (method == .get)) { server in
            let (address, http) = try connection(server)
            let request = request(address, method, path, options, body: bytes)
            let timeout = TimeAmount.nanoseconds(options.timeout.milliseconds * 1_000_000)
            let response = try await http.execute(request, timeout: timeout)
            let buffer = try await response.body.collect(upTo: FleetClient.answerByteCountMax)
            let data = Data(buffer.readableBytesView)
            guard (200..<300).contains(response.status.code) else {
                throw FleetClientError(status: Int(response.status.code), body: data)
            }
            return data
        }
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
        /// How long to wait for the answer of one server.
        public var timeout = TimeSpan.seconds(30)
        /// Whether doing it twice is as good as once; nil for reads alone.
        public var isRepeatable: Bool?

        /// Nothing.
        public init(query: [(String, String)] = [], headers: [(String, String)] = []) {
            self.query = query
            self.headers = headers
        }
    }

    private static func encoded(_ body: (some Encodable)?) throws -> Data? {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes]
        return try body.map { try encoder.encode($0) }
    }

    private func request(
        _ address: String, _ method: Method, _ path: String, _ options: Options, body: Data?
    ) -> HTTPClientRequest {
        var address = address + path
        if !options.query.isEmpty {
            address += "?" + options.query.map { "\(escaped($0.0))=\(escaped($0.1))" }.joined(separator: "&")
        }
        var request = HTTPClientRequest(url: address)
        request.method = HTTPMethod(rawValue: method.rawValue)
        request.headers.add(name: "Accept", value: "application/json")
        if let token = target.token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        for (name, value) in options.headers { request.headers.replaceOrAdd(name: name, value: value) }
        if let body {
            request.body = .bytes(ByteBuffer(bytes: body))
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
        try await servers.ask(isRepeatable: true) { server in
            let (address, http) = try connection(server)
            let request = request(address, .get, path, options, body: nil)
            let response = try await http.execute(request, deadline: .distantFuture)
            guard (200..<300).contains(response.status.code) else {
                let buffer = try await response.body.collect(upTo: FleetClient.answerByteCountMax)
                throw FleetClientError(status: Int(response.status.code), body: Data(buffer.readableBytesView))
            }
            return response
        }
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
