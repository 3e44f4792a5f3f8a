/// What the API has against a request, in the form of RFC 9457 (`application/problem+json`).
public struct Problem: Error, Sendable, Hashable, Codable {
    /// Names the kind of problem for programs: `urn:roost:problem:` and the code.
    public var type: String
    /// The kind of problem in words.
    public var title: String
    /// The status of the answer.
    public var status: Int
    /// What happened, with which value, and what to do next.
    public var detail: String
    /// The request's id, as it stands in the log and in the audit log.
    public var instance: String?
    /// What is wrong with a manifest, field by field.
    public var problems: [FieldProblem]?
    /// What still uses the thing that was to be deleted: the first of them.
    public var usedBy: [ResourceReference]?
    /// The methods that the address knows.
    public var allow: [String]?
    /// After how many seconds to try again.
    public var retryAfterSeconds: Int?

    /// Describes a problem.
    public init(_ code: Code, _ detail: String, problems: [FieldProblem]? = nil) {
        type = "urn:roost:problem:\(code.rawValue)"
        title = code.title
        status = code.status
        self.detail = detail
        self.problems = problems
    }

    /// The kind of problem; nil where it was made by something newer.
    public var code: Code? { Code(rawValue: String(type.dropFirst("urn:roost:problem:".count))) }

    /// The same with the seconds to wait.
    public func retrying(afterSeconds seconds: Int) -> Problem {
        var problem = self
        problem.retryAfterSeconds = seconds
        return problem
    }
}

extension Problem {
    /// The kinds of problems.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        case badRequest = "bad-request"
        case unauthenticated
        case forbidden
        case notFound = "not-found"
        case methodNotAllowed = "method-not-allowed"
        case timeout
        case exists
        case conflict
        case inUse = "in-use"
        case compacted
        case preconditionFailed = "precondition-failed"
        case tooLarge = "too-large"
        case unsupportedMediaType = "unsupported-media-type"
        case invalid
        case keyReused = "key-reused"
        case tooManyRequests = "too-many-requests"
        case `internal`
        case unavailable

        /// The status of the answer.
        public var status: Int {
            switch self {
            case .badRequest: 400
            case .unauthenticated: 401
            case .forbidden: 403
            case .notFound: 404
            case .methodNotAllowed: 405
            case .timeout: 408
            case .exists, .conflict, .inUse: 409
            case .compacted: 410
            case .preconditionFailed: 412
            case .tooLarge: 413
            case .unsupportedMediaType: 415
            case .invalid, .keyReused: 422
            case .tooManyRequests: 429
            case .internal: 500
            case .unavailable: 503
            }
        }

        /// The kind in words.
        public var title: String {
            switch self {
            case .badRequest: "The request is malformed"
            case .unauthenticated: "Nobody known sent the request"
            case .forbidden: "A role is missing"
            case .notFound: "There is no such thing"
            case .methodNotAllowed: "The address does not know the method"
            case .timeout: "The request did not arrive in time"
            case .exists: "It exists already"
            case .conflict: "Somebody else changed it"
            case .inUse: "It is in use"
            case .compacted: "The history does not reach back so far"
            case .preconditionFailed: "It is not as the request demands"
            case .tooLarge: "The request is too large"
            case .unsupportedMediaType: "The body has another form than the address reads"
            case .invalid: "Values are wrong"
            case .keyReused: "The idempotency key was used for another request"
            case .tooManyRequests: "Too many requests"
            case .internal: "The server failed"
            case .unavailable: "Not available now"
            }
        }
    }
}
