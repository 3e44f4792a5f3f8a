/// One line of the audit log.
public struct AuditRecord: Sendable, Hashable, Codable {
    /// How a request ended.
    public enum Decision: String, Sendable, Hashable, Codable, CaseIterable {
        /// Allowed and done.
        case done
        /// Allowed, but something else stood against it.
        case failed
        /// Not allowed.
        case denied
    }

    /// Counts the records, from 1.
    public var sequence: Int64
    /// When the request was answered.
    public var at: Timestamp
    /// Who asked.
    public var subject: String
    /// From where.
    public var address: String?
    /// What was asked: the operation's name in the OpenAPI document.
    public var operation: String
    /// About what: the address's path.
    public var object: String
    /// How it ended, and the status of the answer.
    public var decision: Decision
    public var status: Int
    /// The request's id.
    public var request: String
    /// SHA-256 of what the store held before and after; nil where there was nothing.
    public var before: String?
    public var after: String?
    /// The hash of the record before; zeros in the first.
    public var previous: String
    /// SHA-256 of this record's text up to this member.
    public var hash: String?

    /// Describes the end of a request; where it stands in the chain is set by the log.
    public init(subject: String, operation: String, object: String, decision: Decision, status: Int, request: String) {
        sequence = 0
        at = Timestamp(milliseconds: 0)
        self.subject = subject
        self.operation = operation
        self.object = object
        self.decision = decision
        self.status = status
        self.request = request
        previous = ""
    }

    /// The fields of its JSON form.
    public static let fields: [FieldSchema] = [
        .required("sequence", .integer(1...Int64.max), "Counts the records."),
        .required("at", .moment, "When the request was answered."),
        .required("subject", .text(max: 512), "Who asked."),
        FieldSchema("address", .text(max: 256), "From where."),
        .required("operation", .text(max: 128), "What was asked: an operationId of this document."),
        .required("object", .text(max: 4096), "About what: the path of the address."),
        .required("decision", .word(Decision.allCases.map(\.rawValue)), "How it ended."),
        .required("status", .integer(100...599), "The status of the answer."),
        .required("request", .text(max: 128), "The request's id."),
        FieldSchema("before", .text(max: 64), "SHA-256 of what the store held before."),
        FieldSchema("after", .text(max: 64), "SHA-256 of what the store holds after."),
        .required("previous", .text(max: 64), "The hash of the record before."),
        .required("hash", .text(max: 64), "SHA-256 of the record's text up to this member."),
    ]
}
