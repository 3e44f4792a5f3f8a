public import ArgumentParser
import ControlPlane
import FleetClient
import FleetModel
import Foundation
import Glibc
import Manifests
import NodeAgent

/// The command `roost`.
public struct RoostCommand: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "roost",
        abstract: "Run any CUDA program on a fraction of any GPU.",
        discussion: """
            roost up                        start the daemon
            roost run -- python train.py    run a program on a vGPU
            roost top                       watch what runs
            roost down                      end the daemon

            Every command has its own help: `roost help run`.
            """,
        version: ReleaseVersion.current.description,
        subcommands: [
            UpCommand.self, DownCommand.self, RunCommand.self, ListCommand.self, TopCommand.self, DevicesCommand.self,
            DoctorCommand.self, WorkerCommand.self, JoinCommand.self, LeaveCommand.self, VersionCommand.self,
        ],
        groupedSubcommands: [
            CommandGroup(
                name: "Pool",
                subcommands: [
                    ApplyCommand.self, GetCommand.self, DescribeCommand.self, DeleteCommand.self, DiffCommand.self,
                    EditCommand.self, ExplainCommand.self, WhyCommand.self, PlanCommand.self, ConvertCommand.self,
                    SnapshotCommand.self, SimulateCommand.self,
                    CordonCommand.self, UncordonCommand.self, DrainCommand.self,
                ]),
            CommandGroup(
                name: "Access",
                subcommands: [
                    LoginCommand.self, ContextCommand.self, TokenCommand.self, WhoamiCommand.self,
                    AuthorityCommand.self,
                ]),
        ])

    public init() {}

    /// Runs the program's command line and exits with its status.
    public static func runCommandLine() -> Never {
        do {
            var command = try parseAsRoot()
            if let command = command as? any AsyncParsableCommand {
                runAside(HandedOver(command: command))
            }
            // Commands that start processes or are the daemon must be on the main thread, before there are others.
            try command.run()
            Glibc.exit(0)
        } catch {
            CommandExit(error).leave()
        }
    }
}

/// A command on its way to the thread that runs it.
// SAFETY: who hands it over does not touch it any more.
private struct HandedOver: @unchecked Sendable {
    var command: any AsyncParsableCommand
}

/// Runs a command that talks over the network, while the main thread waits for its end.
private func runAside(_ handedOver: HandedOver) -> Never {
    Task.detached {
        var command = handedOver.command
        do {
            try await command.run()
            Glibc.exit(0)
        } catch {
            CommandExit(error).leave()
        }
    }
    while true { pause() }
}

/// How the program ends after an error: the only place where errors become exit statuses.
struct CommandExit: Equatable {
    /// Something failed.
    static let failure: Int32 = 1
    /// The command line makes no sense.
    static let usage: Int32 = 2
    /// `roost run` itself failed, before the program began.
    static let noVirtualGPU: Int32 = 125
    /// The program of `roost run` can't be executed.
    static let notExecutable: Int32 = 126
    /// The program of `roost run` was not found.
    static let notFound: Int32 = 127
    /// Added to the signal that ended the program of `roost run`.
    static let signalOffset: Int32 = 128

    var status: Int32
    var text: String
    var isForStandardOutput = false

    init(_ error: any Error) {
        if let error = error as? AgentError {
            status = CommandExit.failure
            text = "roost: \(error.message)"
        } else if let error = error as? FleetClientError {
            let failure = CommandFailure(error)
            status = failure.status
            text = "roost: \(failure.message)"
        } else if let error = error as? ManifestReadError {
            status = CommandExit.failure
            text = error.description
        } else if let error = error as? ReplayError {
            status = CommandExit.failure
            text = "roost: \(error.description)"
        } else if let error = error as? CommandFailure {
            status = error.status
            text = "roost: \(error.message)"
        } else {
            let code = RoostCommand.exitCode(for: error)
            status = code == .validationFailure ? CommandExit.usage : code.rawValue
            text = RoostCommand.fullMessage(for: error)
            isForStandardOutput = code == .success
        }
    }

    func leave() -> Never {
        if !text.isEmpty {
            if isForStandardOutput { writeLine(text) } else { writeNote(text) }
        }
        Glibc.exit(status)
    }
}

/// A failure of a command with a status of its own.
struct CommandFailure: Error, Equatable {
    var status: Int32
    var message: String
}

/// Writes a line to the standard output. A reader that went away, as `head` does, is no error.
func writeLine(_ text: String) {
    try? FileHandle.standardOutput.write(contentsOf: Foundation.Data((text + "\n").utf8))
}

/// Writes a line for people to the standard error.
func writeNote(_ text: String) {
    try? FileHandle.standardError.write(contentsOf: Foundation.Data((text + "\n").utf8))
}
