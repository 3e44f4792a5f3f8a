public import FleetStore

/// One call of a client as a history holds it: what was asked, what came back, and between which ticks.
public struct RecordedCall: Sendable, Hashable {
    /// What was asked about the key.
    public enum Input: Sendable, Hashable {
        case get
        case create([UInt8])
        case replace([UInt8], expected: Revision)
        case delete(expected: Revision)
    }

    /// What came back.
    public enum Output: Sendable, Hashable {
        /// A read's answer.
        case read(value: [UInt8], revision: Revision)
        /// A read's answer: the key does not exist.
        case absent
        /// The write was done.
        case written(Revision)
        /// The write was refused, since the key was at this revision.
        case refused(current: Revision)
        /// The write was refused, since the key did not exist.
        case notFound
        /// The write may have been done, at any time after its start, or never.
        case unknown
    }

    /// Which of the concurrent clients asked.
    public var client: Int
    /// The key.
    public var key: StoreKey
    /// What was asked.
    public var input: Input
    /// What came back.
    public var output: Output
    /// The tick before the call.
    public var start: Int
    /// The tick after the answer.
    public var end: Int

    /// Records a call.
    public init(client: Int, key: StoreKey, input: Input, output: Output, start: Int, end: Int) {
        self.client = client
        self.key = key
        self.input = input
        self.output = output
        self.start = start
        self.end = end
    }
}

/// A key as the model has it. The revision is nil after a write whose answer was lost, until somebody sees it.
struct RegisterState: Hashable {
    struct Content: Hashable {
        var value: [UInt8]
        var revision: Revision?
    }

    var content: Content?

    /// The state after the call, or nil if the call cannot have happened here.
    func after(_ call: RecordedCall) -> RegisterState? {
        switch call.output {
        case .read(let value, let revision):
            guard call.input == .get, content?.value == value else { return nil }
            return known(at: revision)
        case .absent: return content == nil ? self : nil
        case .notFound: return content == nil && call.input.expected != nil ? self : nil
        case .refused(let current):
            // A refusal names another revision than the one that was expected.
            return call.input.expected == current ? nil : known(at: current)
        case .written(let revision): return written(by: call.input, at: revision)
        case .unknown: return written(by: call.input, at: nil)
        }
    }

    private func known(at revision: Revision) -> RegisterState? {
        guard let content, content.revision == nil || content.revision == revision else { return nil }
        return RegisterState(content: Content(value: content.value, revision: revision))
    }

    private func written(by input: RecordedCall.Input, at revision: Revision?) -> RegisterState? {
        switch input {
        case .get: nil
        case .create(let value):
            content == nil ? RegisterState(content: Content(value: value, revision: revision)) : nil
        case .replace(let value, let expected):
            known(at: expected).map { _ in RegisterState(content: Content(value: value, revision: revision)) }
        case .delete(let expected): known(at: expected).map { _ in RegisterState(content: nil) }
        }
    }
}

extension RecordedCall.Input {
    var expected: Revision? {
        switch self {
        case .get, .create: nil
        case .replace(_, let expected), .delete(let expected): expected
        }
    }
}
