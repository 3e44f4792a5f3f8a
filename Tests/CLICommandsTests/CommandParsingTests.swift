import ArgumentParser
import NodeAgent
import NodeModel
import Testing

@testable import CLICommands

@Suite("Command lines")
struct CommandParsingTests {
    private func exit(_ arguments: String...) throws -> CommandExit {
        do {
            _ = try RoostCommand.parseAsRoot(arguments)
        } catch {
            return CommandExit(error)
        }
        throw Unexpected()
    }

    private struct Unexpected: Error {}

    private func run(_ arguments: String...) throws -> RunCommand {
        try #require(try RoostCommand.parseAsRoot(["run"] + arguments) as? RunCommand)
    }

    @Test("run takes its options before the program, and all that follows is the program's")
    func runOptions() throws {
        let command = try run(
            "--vram", "4GiB", "--compute", "50%", "--gpus", "2", "--name", "n", "--transport", "unix", "--strict", "--",
            "python", "train.py", "--vram", "1", "--", "x")
        #expect(command.vram == .gibibytes(4))
        #expect(command.compute.percent == 50)
        #expect(command.gpus == 2)
        #expect(command.strict)
        #expect(command.program == ["python", "train.py", "--vram", "1", "--", "x"])
        #expect(
            command.request
                == GPURequest(
                    memory: .gibibytes(4), compute: command.compute, count: 2, name: "n", transport: .unix,
                    program: "python"))
    }

    @Test("run has defaults, and the separator may be left out before a plain name")
    func runDefaults() throws {
        let command = try run("/usr/bin/env", "-i")
        #expect(command.vram == .gibibytes(1))
        #expect(command.compute.percent == 25)
        #expect(command.request.transport == .sharedMemory)
        #expect(command.program == ["/usr/bin/env", "-i"])
        #expect(command.request.program == "env")
    }

    @Test("A program's long name is cut in lists")
    func longName() throws {
        let command = try run("--", "/bin/" + String(repeating: "é", count: 60))
        #expect(command.request.program.utf8.count == 64)
        #expect(command.request.defect == nil)
    }

    @Test(
        "A command line that makes no sense exits with status 2 and says what is wrong",
        arguments: [
            (["run"], "Which program?"),
            (["run", "--"], "Which program?"),
            (["run", "--vrma", "4GiB", "--", "x"], "Unknown option '--vrma'"),
            (["run", "--vram", "lots", "--", "x"], "lots"),
            (["run", "--compute", "0", "--", "x"], "--compute"),
            (["run", "--compute", "101", "--", "x"], "--compute"),
            (["run", "--gpus", "0", "--", "x"], "--gpus takes 1 to 16"),
            (["run", "--gpus", "17", "--", "x"], "--gpus takes 1 to 16"),
            (["run", "--transport", "pigeon", "--", "x"], "shm"),
            (["run", "--token-file", "f", "--", "x"], "--token-file goes with --endpoint"),
            (["run", "--name", "a\nb", "--", "x"], "printable"),
            (["up", "--software-gpus", "0"], "--software-gpus takes 1 to 64"),
            (["up", "--device-memory", "1"], "--device-memory takes at least 1MiB"),
            (["up", "--tls-key", "k"], "--tls-certificate and --tls-key go together"),
            (["top", "-d", "0"], "--delay"),
            (["ps", "-o", "yaml"], "table"),
            (["frobnicate"], "frobnicate"),
        ])
    func usageErrors(_ arguments: [String], _ message: String) throws {
        let error = #expect(throws: (any Error).self) { try RoostCommand.parseAsRoot(arguments) }
        let exit = CommandExit(try #require(error))
        #expect(exit.status == 2)
        #expect(exit.text.contains(message), "\(exit.text)")
        #expect(!exit.isForStandardOutput)
    }

    @Test("Help goes to the standard output and succeeds")
    func help() throws {
        let exit = try exit("run", "--help")
        #expect(exit.status == 0)
        #expect(exit.isForStandardOutput)
        for text in ["--vram", "EXAMPLES", "--token-file", "default: 1GiB", "default: 25%"] {
            #expect(exit.text.contains(text), "\(text)")
        }
    }

    @Test(
        "Every command has a summary and examples", arguments: RoostCommand.configuration.subcommands.map { "\($0)" })
    func everyCommandExplainsItself(_ name: String) throws {
        let command = try #require(RoostCommand.configuration.subcommands.first { "\($0)" == name })
        #expect(command.configuration.abstract.hasSuffix("."))
        #expect(command.configuration.discussion.contains("EXAMPLES"))
    }

    @Test("worker passes everything on, help included")
    func worker() throws {
        let command = try #require(
            try RoostCommand.parseAsRoot(["worker", "--listen", "tcp://127.0.0.1:1", "--help"]) as? WorkerCommand)
        #expect(command.arguments == ["--listen", "tcp://127.0.0.1:1", "--help"])
    }

    @Test("Each kind of failure has its status")
    func exits() {
        #expect(CommandExit(AgentError(.notRunning, "m")).status == 1)
        #expect(CommandExit(AgentError(.notRunning, "m")).text == "roost: m")
        #expect(CommandExit(CommandFailure(status: 125, message: "m")).status == 125)
        #expect(CommandExit(ExitCode(42)).status == 42)
        #expect(CommandExit(ExitCode(42)).text.isEmpty)
    }
}
