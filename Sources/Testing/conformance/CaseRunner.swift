internal import Glibc

/// Runs cases in child processes: one child runs as many as it can, and another goes on where one was lost.
struct CaseRunner {
    private let driver: String
    private let options: RunOptions

    init(driver: String, options: RunOptions) {
        self.driver = driver
        self.options = options
    }

    /// Runs all cases, those that spoil their process in one of their own.
    mutating func run(
        _ cases: [ConformanceCase], into report: inout Report, tell: (CaseResult) -> Void
    ) throws {
        var waiting = cases[...]
        while let first = waiting.first {
            let isAlone = first.spoilsProcess || first.family == "measure"
            let batch = isAlone ? waiting.prefix(1) : waiting.prefix { !$0.spoilsProcess && $0.family != "measure" }
            let done = try runChild(Array(batch), into: &report, tell: tell)
            waiting = waiting.dropFirst(done)
        }
    }

    /// Runs one child until it has run all, or one case has failed. The number of cases that have a result.
    private func runChild(
        _ cases: [ConformanceCase], into report: inout Report, tell: (CaseResult) -> Void
    ) throws -> Int {
        var words = ["child", driver, options.isQuick ? "quick" : "full"]
        words += cases.map(\.name)
        guard let child = Subprocess(words, readsOutput: true) else {
            throw UsageError(description: "cannot start a child process: error \(errno)")
        }
        defer { child.end() }
        var done = 0
        while done < cases.count {
            let start = monotonicMicroseconds()
            let limit = options.secondCountMax ?? cases[done].secondCountMax
            let result = wait(for: cases[done], of: child, since: start, secondCount: limit, into: &report)
            report.results.append(result)
            tell(result)
            done += 1
            // After a failure nobody knows in what state the process is.
            if result.status.isFailure { break }
        }
        return done
    }

    /// Reads a child's lines until the one that ends the case.
    private func wait(
        for element: ConformanceCase, of child: Subprocess, since start: UInt64, secondCount: Int,
        into report: inout Report
    ) -> CaseResult {
        let deadline = start + UInt64(secondCount) * 1_000_000
        while true {
            switch child.readLine(until: deadline) {
            case .line(let line):
                if let result = ChildMessage.result(line, of: element.name) { return result }
                ChildMessage.apply(line, to: &report)
            case .end:
                return CaseResult(
                    name: element.name, status: .crashed, digest: 0,
                    microsecondCount: monotonicMicroseconds() - start, message: child.endText())
            case .timeout:
                return CaseResult(
                    name: element.name, status: .timeout, digest: 0,
                    microsecondCount: monotonicMicroseconds() - start, message: "not done within \(secondCount) s")
            }
        }
    }
}

/// Microseconds of a clock that only goes forwards.
func monotonicMicroseconds() -> UInt64 {
    monotonicNanoseconds() / 1000
}

/// Nanoseconds of a clock that only goes forwards.
func monotonicNanoseconds() -> UInt64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
}
