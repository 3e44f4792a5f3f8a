public import FleetModel
public import Foundation

/// Why a control plane did not do what was asked: its own problem document (RFC 9457), or that it was not reached.
public struct FleetClientError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The HTTP status; 0 where there was no answer.
    public var status: Int
    /// What kind of problem it is, in a few words.
    public var title: String
    /// What happened, and what to do, in a sentence or two.
    public var detail: String
    /// What is wrong with a manifest, field by field.
    public var problems: [FieldProblem]

    /// Describes a problem.
    public init(status: Int, title: String, detail: String, problems: [FieldProblem] = []) {
        self.status = status
        self.title = title
        self.detail = detail
        self.problems = problems
    }

    private struct Document: Decodable {
        var title: String?
        var detail: String?
        var problems: [FieldProblem]?
    }

    /// Reads a problem document.
    public init(status: Int, body: Data) {
        let document = try? JSONDecoder().decode(Document.self, from: body)
        self.init(
            status: status, title: document?.title ?? "HTTP \(status)",
            detail: document?.detail ?? String(decoding: body.prefix(500), as: UTF8.self),
            problems: document?.problems ?? [])
    }

    static func unreachable(_ server: String, _ error: any Error) -> FleetClientError {
        FleetClientError(
            status: 0, title: "Not reached",
            detail: "The control plane at \(server) does not answer (\(error)). Is it running, and is this the right "
                + "address? `roost context` shows and changes it.")
    }

    /// The sentence, and a line for each field.
    public var description: String {
        ([detail.isEmpty ? title : detail] + problems.map { "  \($0)" }).joined(separator: "\n")
    }
}
