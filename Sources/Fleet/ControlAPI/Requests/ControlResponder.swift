import FleetModel
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOSSL

/// What a request brings beside itself.
struct ControlContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// From where the request comes.
    let address: String?
    /// The connection.
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        address = source.channel.remoteAddress?.ipAddress
        channel = source.channel
    }
}

/// Answers requests: finds the route, finds out who asks, and turns whatever is thrown into a problem.
struct ControlResponder: HTTPResponder {
    /// How long a request's body may take.
    private static let bodySpan = Duration.seconds(30)
    static let bodyByteCountMax = 4 << 20

    let service: ControlService
    let matcher = RouteMatcher(RouteTable.routes)
    let limiter: RateLimiter
    /// Names that a request may be sent to where no token is demanded; nil where any will do.
    let hosts: Set<String>?
    /// Whether connections are by TLS.
    let isEncrypted: Bool

    /// What is known of a request while it is answered.
    struct Progress {
        var route: Route?
        /// The project that the address names, as a name that may be one.
        var project: String?
        var identity: Identity?
    }

    func respond(to request: Request, context: ControlContext) async throws -> Response {
        var progress = Progress()
        guard let spans = service.parts.spans else { return await answer(request, context, &progress) }
        return await traced(request, context, spans)
    }

    /// Answers a request, whatever comes of it.
    func answer(_ request: Request, _ context: ControlContext, _ progress: inout Progress) async -> Response {
        let begin = ContinuousClock.now
        let requestID = ControlResponder.requestID(request, random: service.parts.surroundings.random)
        var answer: APIAnswer
        do {
            answer = try await handle(request, context, requestID, &progress)
            try record(&answer, request, context, requestID, progress)
        } catch {
            var problem = ControlResponder.problem(error, context.logger)
            problem.instance = requestID
            answer = ControlResponder.answer(problem)
            do {
                try record(&answer, request, context, requestID, progress)
            } catch {
                context.logger.error("audit log failed", metadata: ["error": "\(error)"])
            }
        }
        let operation = progress.route?.operation ?? "none"
        service.parts.observe(
            RequestMeasure(operation: operation, status: answer.status, duration: .now - begin))
        context.logger.debug(
            "answered",
            metadata: ["operation": "\(operation)", "status": "\(answer.status)", "request": "\(requestID)"])
        let response = ControlResponder.response(answer, requestID)
        return request.method == .head ? response.createHeadResponse() : response
    }

    private func handle(
        _ request: Request, _ context: ControlContext, _ requestID: String, _ progress: inout Progress
    ) async throws -> APIAnswer {
        try checkHost(request)
        let address = context.address ?? "unknown"
        let now = service.parts.surroundings.now()
        let (route, parameters) = try match(request)
        progress.route = route
        let credentials = try await credentials(request, context)
        let identity: Identity
        if case .open = route.access {
            identity = Identity(subject: "address:\(address)", grants: [], method: "none")
        } else {
            identity = try await authenticate(credentials, address: address, now: now)
        }
        progress.identity = identity
        if let seconds = limiter.take(identity.subject, now: now) { throw ControlResponder.tooMany(seconds) }
        for (name, value) in parameters {
            guard let parameter = route.parameters.first(where: { $0.place == .path && $0.name == name }),
                let reason = parameter.objection(to: value)
            else { continue }
            throw Problem(.badRequest, "the address's \(name) \(reason)")
        }
        progress.project = parameters["project"]
        let query = try APICall.checked(query: request.uri.query, of: route)
        let headers = try APICall.checked(headers: request.headers, of: route)
        if request.method == .head, query["watch"] == "true" {
            throw Problem(.invalid, "HEAD does not go with watch=true")
        }
        let call = APICall(
            route: route, path: request.uri.path, requestID: requestID, identity: identity,
            credentials: credentials, isEncrypted: isEncrypted,
            parameters: parameters, query: query, headers: headers, body: try await body(request, route))
        return try await route.handle(service, call)
    }

    private func match(_ request: Request) throws -> (Route, [String: String]) {
        switch matcher.match(request.method, path: request.uri.path) {
        case .route(let route, let parameters): return (route, parameters)
        case .otherMethods(let methods):
            let names = methods.map(\.rawValue)
            var problem = Problem(
                .methodNotAllowed,
                "this address knows \(names.joined(separator: ", ")), not \(request.method.rawValue.prefix(20))")
            problem.allow = names
            throw problem
        case .nothing:
            throw Problem(.notFound, "no such address: \(request.uri.path.prefix(200)); see /openapi.json")
        }
    }

    private func credentials(_ request: Request, _ context: ControlContext) async throws -> Credentials {
        var credentials = Credentials(authorization: request.headers[.authorization])
        if isEncrypted, credentials.authorization == nil {
            credentials.certificate = try await context.channel.nioSSL_peerCertificate().get()?.toDERBytes()
        }
        return credentials
    }

    private func authenticate(_ credentials: Credentials, address: String, now: Timestamp) async throws -> Identity {
        do {
            return try await service.parts.authenticator.identity(credentials)
        } catch let problem as Problem where problem.code == .unauthenticated {
            // Guessing costs the guesser's address, not the subject whose token it is after.
            if let seconds = limiter.take("address:\(address)", now: now) { throw ControlResponder.tooMany(seconds) }
            throw problem
        }
    }

    /// A browser that was led to this machine by another name sends that name: it must not act for its user.
    private func checkHost(_ request: Request) throws {
        guard let hosts else { return }
        let authority = request.head.authority ?? ""
        let host = authority.hasPrefix("[") ? authority.prefix { $0 != "]" } + "]" : authority.prefix { $0 != ":" }
        guard hosts.contains(String(host)) else {
            throw Problem(.forbidden, "the request was sent to \(host.prefix(80)); use localhost or 127.0.0.1")
        }
    }

    private func body(_ request: Request, _ route: Route) async throws -> [UInt8] {
        guard let expected = route.body else { return [] }
        let type = request.headers[.contentType]?.prefix { $0 != ";" }.lowercased().trimmingCharacters(in: .whitespaces)
        guard let type, type == expected.mediaType || (type == "application/json" && route.method == .patch) else {
            throw Problem(.unsupportedMediaType, "send the body as Content-Type: \(expected.mediaType)")
        }
        let tooLarge = Problem(.tooLarge, "the body has more than 4 MiB")
        if let length = request.headers[.contentLength].flatMap(Int.init), length > ControlResponder.bodyByteCountMax {
            throw tooLarge
        }
        let (body, sleep) = (request.body, service.parts.surroundings.sleep)
        return try await withThrowingTaskGroup(of: [UInt8].self) { group in
            group.addTask {
                do {
                    return Array(buffer: try await body.collect(upTo: ControlResponder.bodyByteCountMax))
                } catch is NIOTooManyBytesError {
                    throw tooLarge
                } catch {
                    throw Problem(.badRequest, "the body broke off, or breaks HTTP's rules")
                }
            }
            group.addTask {
                try await sleep(ControlResponder.bodySpan)
                throw Problem(.timeout, "the body did not arrive within 30 seconds")
            }
            defer { group.cancelAll() }
            return try await group.next() ?? []
        }
    }

    /// Writes the audit log's record before the answer goes out.
    private func record(
        _ answer: inout APIAnswer, _ request: Request, _ context: ControlContext, _ requestID: String,
        _ progress: Progress
    ) throws {
        let isDenied = answer.status == 401 || answer.status == 403
        guard let route = progress.route, route.isAudited || isDenied else { return }
        if request.uri.query?.contains("dryRun=true") == true, !isDenied { return }
        let decision: AuditRecord.Decision = isDenied ? .denied : answer.status < 400 ? .done : .failed
        var record = AuditRecord(
            subject: progress.identity?.subject ?? "unknown", operation: route.operation,
            object: String(request.uri.path.prefix(1024)), decision: decision, status: answer.status,
            request: requestID)
        record.address = context.address
        record.before = answer.before
        record.after = answer.after
        try service.parts.audit.append(record)
    }
}

extension ControlResponder {
    private static func tooMany(_ seconds: Int) -> Problem {
        Problem(.tooManyRequests, "too many requests; wait \(seconds) s").retrying(afterSeconds: seconds)
    }

    /// The client's own id where it is one, so that its log and ours name the same.
    private static func requestID(_ request: Request, random: (Int) -> [UInt8]) -> String {
        if let name = HTTPField.Name("X-Request-Id"), let given = request.headers[name],
            given.wholeMatch(of: /[0-9A-Za-z._\-]{1,64}/) != nil
        {
            return given
        }
        return hexadecimal(random(8))
    }

    private static func problem(_ error: any Error, _ logger: Logger) -> Problem {
        switch error {
        case let problem as Problem: return problem
        case let error as ManifestError: return Problem(error)
        case is CancellationError: return Problem(.unavailable, "the server stops").retrying(afterSeconds: 1)
        default:
            logger.error("request failed", metadata: ["error": "\(error)"])
            return Problem(.internal, "the server failed; its log says more about this request")
        }
    }

    private static func answer(_ problem: Problem) -> APIAnswer {
        let text = (try? jsonBytes(problem)) ?? Array("{}".utf8)
        var answer = APIAnswer(status: problem.status, body: .bytes(text, mediaType: "application/problem+json"))
        if let seconds = problem.retryAfterSeconds { answer.headers[.retryAfter] = "\(seconds)" }
        if let allow = problem.allow { answer.headers[.allow] = allow.joined(separator: ", ") }
        if problem.status == 401 { answer.headers[.wwwAuthenticate] = #"Bearer realm="roost""# }
        return answer
    }

    private static func response(_ answer: APIAnswer, _ requestID: String) -> Response {
        var headers = HTTPFields()
        if let name = HTTPField.Name("X-Request-Id") { headers[name] = requestID }
        headers[.cacheControl] = "no-store"
        headers[.xContentTypeOptions] = "nosniff"
        for (name, value) in answer.headers { headers[name] = value }
        let status = HTTPResponse.Status(code: answer.status)
        switch answer.body {
        case .nothing:
            var response = Response(status: status, headers: headers)
            // Neither a 204 nor a 304 says how long a body is that it does not have.
            response.headers[.contentLength] = nil
            return response
        case .bytes(let bytes, let mediaType):
            headers[.contentType] = mediaType
            return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
        case .stream(let stream):
            headers[.contentType] = "application/x-ndjson"
            let body = ResponseBody { writer in
                try await stream.run { try await writer.write(contentsOf: $0) }
                try await writer.finish(nil)
            }
            return Response(status: status, headers: headers, body: body)
        }
    }
}
