import NodeAgent
import Testing

@testable import CLICommands

@Suite("Doctor")
struct ExaminationTests {
    private let examination = Examination(
        directory: StateDirectory(path: "/nonexistent/roost-test"),
        installation: Installation(executableDirectory: "/nonexistent/bin", environment: [:]), environment: [:])

    @Test("What is missing is named, with a way to get it")
    func findings() throws {
        let findings = examination.findings()
        let worker = try #require(findings.first { $0.subject == "worker" })
        #expect(worker.verdict == .fail)
        #expect(worker.detail.contains("/nonexistent/bin/roost-worker"))
        #expect(try #require(findings.first { $0.subject == "libcuda.so.1" }).verdict == .fail)
        #expect(try #require(findings.first { $0.subject == "daemon" }).remedy == "run `roost up`")
        for finding in findings { #expect((finding.verdict == .ok) == (finding.remedy == nil), "\(finding.subject)") }
    }

    @Test("The processor must have AVX2 and FMA")
    func instructionSet() {
        #expect(examination.instructionSet(hasAVX2: true, hasFMA: true).verdict == .ok)
        #expect(examination.instructionSet(hasAVX2: false, hasFMA: true).detail.hasPrefix("lacks AVX2,"))
        #expect(examination.instructionSet(hasAVX2: true, hasFMA: false).detail.hasPrefix("lacks FMA,"))
    }

    @Test(
        "The C library must not be older than the client libraries expect",
        arguments: [("2.36", true), ("2.28", true), ("3.0", true), ("2.27", false), ("2.4", false), ("musl", false)])
    func libraryVersion(_ version: String, _ isEnough: Bool) {
        #expect((examination.libraryVersion(version).verdict == .ok) == isEnough)
    }

    @Test("A finding is one line, and its remedy another")
    func text() {
        let finding = Finding.warn("daemon", "does not run", remedy: "run `roost up`")
        #expect(finding.text == "WARN daemon             does not run\n     fix: run `roost up`")
    }
}
