import ArgumentParser
import Foundation
import NodeAgent

/// `roost doctor`: looks whether this machine has what Roost needs.
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Check this machine, and say what is missing and how to get it.",
        discussion: """
            Exit status 1 where something fails; a warning is no failure.

            EXAMPLES
              roost doctor
              roost doctor -o json
            """)

    @OptionGroup var state: StateOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let environment = ProcessInfo.processInfo.environment
        let examination = Examination(
            directory: state.directory, installation: Installation(environment: environment), environment: environment)
        let findings = examination.findings()
        try output.write(json: findings, table: findings.map(\.text).joined(separator: "\n"))
        guard !findings.contains(where: { $0.verdict == .fail }) else { throw ExitCode(CommandExit.failure) }
    }
}

/// What one check found.
struct Finding: Codable, Equatable {
    /// How bad it is.
    enum Verdict: String, Codable {
        case ok = "OK"
        case warn = "WARN"
        case fail = "FAIL"
    }

    var verdict: Verdict
    var subject: String
    var detail: String
    /// What to do; nil where nothing is.
    var remedy: String?

    static func ok(_ subject: String, _ detail: String) -> Finding {
        Finding(verdict: .ok, subject: subject, detail: detail)
    }

    static func warn(_ subject: String, _ detail: String, remedy: String) -> Finding {
        Finding(verdict: .warn, subject: subject, detail: detail, remedy: remedy)
    }

    static func fail(_ subject: String, _ detail: String, remedy: String) -> Finding {
        Finding(verdict: .fail, subject: subject, detail: detail, remedy: remedy)
    }

    /// One line, and one for the remedy.
    var text: String {
        let verdict = self.verdict.rawValue.padding(toLength: 5, withPad: " ", startingAt: 0)
        let subject = self.subject.padding(toLength: 19, withPad: " ", startingAt: 0)
        return "\(verdict)\(subject)\(detail)" + (remedy.map { "\n     fix: \($0)" } ?? "")
    }
}
