import Glibc
import Testing

@testable import CLICommands

@Suite("Programs of roost run", .timeLimit(.minutes(1)))
struct ProgramRunnerTests {
    private let runner: ProgramRunner
    private let environment = ["PATH": "/usr/bin:/bin", "ANSWER": "42"]

    init() {
        // An earlier test on this thread may have left signals blocked.
        var none = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, nil)
        runner = ProgramRunner()
    }

    @Test("A program's status comes back", arguments: [0, 1, 42, 255] as [Int32])
    func status(_ status: Int32) throws {
        #expect(try runner.run(["sh", "-c", "exit \(status)"], environment: environment) == status)
    }

    @Test("A signal that ends a program becomes 128 and its number", arguments: [SIGKILL, SIGTERM, SIGINT])
    func signal(_ number: Int32) throws {
        #expect(try runner.run(["sh", "-c", "kill -\(number) $$"], environment: environment) == 128 + number)
    }

    @Test("A program has the given environment and nothing else")
    func environmentOnly() throws {
        let check = "[ \"$ANSWER\" = 42 ] && [ -z \"${HOME+x}\" ]"
        #expect(try runner.run(["sh", "-c", check], environment: environment) == 0)
    }

    @Test("A program that is missing or not executable has its own status")
    func notStarted() throws {
        let missing = #expect(throws: CommandFailure.self) {
            try runner.run(["roost-no-such-program"], environment: environment)
        }
        #expect(missing?.status == 127)
        let folder = #expect(throws: CommandFailure.self) { try runner.run(["/etc/passwd"], environment: environment) }
        #expect(folder?.status == 126)
    }

    @Test("A program starts without the signals that are blocked here")
    func signalMask() throws {
        // SIGTERM is blocked in this thread since the runner exists; the program must still be ended by it.
        #expect(try runner.run(["sh", "-c", "kill -TERM $$; exit 3"], environment: environment) == 128 + SIGTERM)
    }
}
