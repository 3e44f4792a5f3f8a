/// What to do after an attempt to export, as OTLP's specification has it.
public struct ExportPolicy: Sendable, Hashable {
    /// How often a batch is sent at most.
    public var attemptMax = 6
    /// The rest after the first failure; it doubles up to the longest one.
    public var firstRest = Duration.seconds(1)
    public var longestRest = Duration.seconds(30)

    /// The usual policy: given up after about half a minute.
    public init() {}

    /// What came of an attempt.
    public enum Outcome: Sendable, Hashable {
        /// The collector's status, and how many seconds it asks to wait.
        case status(Int, retryAfterSeconds: Int?)
        /// It can't be reached, or does not answer in time.
        case unreachable
    }

    /// What to do.
    public enum Step: Sendable, Hashable {
        case done
        case giveUp
        case retry(after: Duration)
    }

    /// What to do after the attempt of a number from 1; `random` is any number, so that not all come back at once.
    public func step(after outcome: Outcome, attempt: Int, random: UInt64) -> Step {
        var asked: Int?
        if case .status(let status, let seconds) = outcome {
            if (200..<300).contains(status) { return .done }
            guard [429, 502, 503, 504].contains(status) else { return .giveUp }
            asked = seconds
        }
        guard attempt < attemptMax else { return .giveUp }
        if let asked { return .retry(after: min(.seconds(asked), longestRest)) }
        let rest = min(firstRest * (1 << min(attempt - 1, 20)), longestRest)
        return .retry(after: rest - rest * Double(random % 256) / 1024)
    }
}
