import AsyncHTTPClient
import FleetStore
import Foundation
import NIOCore
import NIOFoundationCompat
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// Sends requests to the members' JSON gateways. A request goes to the next member only if it cannot have been done
/// by the one before.
final class EtcdClient: Sendable {
    /// Whether a request may be sent again when its answer was lost.
    enum Repeatability: Sendable {
        case read
        case write
    }

    private let options: EtcdOptions
    private let client: HTTPClient
    /// For answers that do not end.
    private let streamClient: HTTPClient
    /// The index of the member that answered last.
    private let preferred = Atomic<Int>(0)

    /// Bytes that an answer may have.
    private static let maximumAnswerByteCount = 256 << 20

    init(_ options: EtcdOptions) throws(StoreError) {
        guard !options.endpoints.isEmpty else { throw .invalid("no endpoint of etcd is named") }
        for endpoint in options.endpoints where !endpoint.hasPrefix("http://") && !endpoint.hasPrefix("https://") {
            throw .invalid("etcd's endpoint '\(endpoint)' does not begin with http:// or https://")
        }
        self.options = options
        var configuration = HTTPClient.Configuration()
        configuration.timeout = HTTPClient.Configuration.Timeout(connect: .init(options.connectTimeout))
        configuration.httpVersion = .http1Only
        // A member that refuses connections is left for the next one at once.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 64
        configuration.redirectConfiguration = .disallow
        configuration.tlsConfiguration = try EtcdClient.tlsConfiguration(options.tls)
        configuration.timeout.read = .init(options.requestTimeout)
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        configuration.timeout.read = .init(options.watchSilence)
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 100_000
        streamClient = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    func close() async {
        try? await client.shutdown()
        try? await streamClient.shutdown()
    }

    /// Asks one member after the other until one has answered.
    func call<Answer: Decodable>(
        _ path: String, _ message: some Encodable & Sendable, _ repeatability: Repeatability, as type: Answer.Type
    ) async throws(StoreError) -> Answer {
        let body = try EtcdClient.encoded(message)
        let first = preferred.load(ordering: .relaxed)
        var last = StoreError(.unavailable, "no member of etcd answers")
        for offset in options.endpoints.indices {
            let member = (first + offset) % options.endpoints.count
            do throws(AttemptFailure) {
                let answer: Answer = try await attempt(member, path, body)
                preferred.store(member, ordering: .relaxed)
                return answer
            } catch {
                last = error.reason
                let mayHaveBeenDone = error.stage == .sent
                if error.stage == .refused { throw error.reason }
                if repeatability == .write, mayHaveBeenDone {
                    preferred.store((member + 1) % options.endpoints.count, ordering: .relaxed)
                    throw StoreError(
                        .unknownOutcome, "the write may have been done or not, read to see: \(error.reason.message)")
                }
            }
        }
        throw last
    }

    /// Opens a stream at the member that is next in turn; the caller tries again for another one.
    func stream(_ path: String, _ message: some Encodable & Sendable) async throws(StoreError)
        -> HTTPClientResponse.Body
    {
        let member = preferred.load(ordering: .relaxed) % options.endpoints.count
        let body = try EtcdClient.encoded(message)
        do {
            let response = try await streamClient.execute(
                request(member, path, body), timeout: .init(options.requestTimeout))
            guard response.status == .ok else {
                let data = try await response.body.collect(upTo: 1 << 20)
                throw EtcdClient.failure(status: response.status, Data(buffer: data)).reason
            }
            return response.body
        } catch {
            moveOn(from: member)
            if let error = error as? StoreError { throw error }
            throw StoreError(.unavailable, "etcd's member \(options.endpoints[member]) does not answer: \(error)")
        }
    }

    /// Leaves a member that has failed.
    func moveOn() { moveOn(from: preferred.load(ordering: .relaxed) % options.endpoints.count) }

    private func moveOn(from member: Int) {
        let next = (member + 1) % options.endpoints.count
        _ = preferred.compareExchange(expected: member, desired: next, ordering: .relaxed)
    }

    private enum Stage {
        /// The member cannot have seen it.
        case unsent
        /// It may have been done.
        case sent
        /// The member says that it was not done, and that others would say so too.
        case refused
    }

    private struct AttemptFailure: Error {
        var stage: Stage
        var reason: StoreError
    }

    private func attempt<Answer: Decodable>(
        _ member: Int, _ path: String, _ body: Data
    ) async throws(AttemptFailure) -> Answer {
        do {
            let response = try await client.execute(request(member, path, body), timeout: .init(options.requestTimeout))
            let data = Data(buffer: try await response.body.collect(upTo: EtcdClient.maximumAnswerByteCount))
            guard response.status == .ok else { throw EtcdClient.failure(status: response.status, data) }
            return try JSONDecoder().decode(Answer.self, from: data)
        } catch let error as AttemptFailure {
            throw error
        } catch {
            let reason = StoreError(
                .unavailable, "etcd's member \(options.endpoints[member]) does not answer: \(error)")
            throw AttemptFailure(stage: EtcdClient.isUnsent(error) ? .unsent : .sent, reason: reason)
        }
    }

    private func request(_ member: Int, _ path: String, _ body: Data) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: options.endpoints[member] + path)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        if let token = options.token { request.headers.add(name: "Authorization", value: token) }
        request.body = .bytes(body, length: .known(Int64(body.count)))
        return request
    }

    /// Whether an error shows that no connection came about.
    private static func isUnsent(_ error: any Error) -> Bool {
        if error is NIOConnectionError || error is NIOSSLError { return true }
        if let error = error as? HTTPClientError {
            return [.connectTimeout, .alreadyShutdown, .getConnectionFromPoolTimeout].contains(error)
        }
        if let error = error as? IOError { return error.errnoCode == ECONNREFUSED }
        if case .connectTimeout? = error as? ChannelError { return true }
        return false
    }

    /// What the gateway's error means. Codes are gRPC's.
    private static func failure(status: HTTPResponseStatus, _ data: Data) -> AttemptFailure {
        let failure = try? JSONDecoder().decode(EtcdMessage.Failure.self, from: data)
        let message = failure?.message ?? "status \(status.code)"
        if message.contains("required revision has been compacted") {
            return AttemptFailure(stage: .refused, reason: StoreError(.compacted, "compacted: list again (\(message))"))
        }
        if message.contains("future revision") {
            return AttemptFailure(
                stage: .refused,
                reason: StoreError(.compacted, "compacted: list again (\(message); is it another store?)"))
        }
        switch failure?.code {
        case 3: return AttemptFailure(stage: .refused, reason: .invalid("etcd refuses the request: \(message)"))
        case 7, 16:
            return AttemptFailure(
                stage: .refused,
                reason: StoreError(.unavailable, "etcd refuses this client: \(message); check its token"))
        case 8: return AttemptFailure(stage: .refused, reason: StoreError(.unavailable, "etcd has no room: \(message)"))
        default: return AttemptFailure(stage: .sent, reason: StoreError(.unavailable, "etcd fails: \(message)"))
        }
    }

    private static func encoded(_ message: some Encodable) throws(StoreError) -> Data {
        do { return try JSONEncoder().encode(message) } catch {
            throw .invalid("the request cannot be encoded: \(error)")
        }
    }

    private static func tlsConfiguration(_ options: EtcdOptions.TLS) throws(StoreError) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        do {
            if let file = options.authorityFile { configuration.trustRoots = .file(file) }
            if let file = options.certificateFile {
                configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(file).map { .certificate($0) }
            }
            if let file = options.keyFile {
                configuration.privateKey = .privateKey(try NIOSSLPrivateKey(file: file, format: .pem))
            }
            return configuration
        } catch {
            throw .invalid("the files for TLS with etcd cannot be used: \(error)")
        }
    }
}
