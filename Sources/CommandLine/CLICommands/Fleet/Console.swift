import Foundation
import Glibc

/// Where a command reads and writes: data goes to the standard output, talk to the standard error.
struct Console: Sendable {
    /// Writes a line of data.
    var line: @Sendable (String) -> Void
    /// Writes a line for people.
    var note: @Sendable (String) -> Void
    /// Everything that is piped in.
    var input: @Sendable () -> Data
    /// Whether lines may be coloured: a terminal reads them, and `NO_COLOR` is not set.
    var isColored: Bool

    /// The program's own streams.
    static func standard(environment: [String: String]) -> Console {
        Console(
            line: { writeLine($0) }, note: { writeNote($0) },
            input: { FileHandle.standardInput.readDataToEndOfFile() },
            isColored: isatty(STDOUT_FILENO) == 1 && environment["NO_COLOR", default: ""].isEmpty
                && environment["TERM"] != "dumb")
    }

    /// Writes text that may end with an end of line of its own.
    func text(_ text: String) {
        line(text.hasSuffix("\n") ? String(text.dropLast()) : text)
    }
}
