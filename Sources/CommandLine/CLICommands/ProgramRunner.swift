import Foundation
import Glibc
import NodeAgent
import Synchronization

/// Runs a program in this terminal as if it had been started here itself: signals reach it, its status comes back.
final class ProgramRunner: Sendable {
    private enum Stage {
        case none
        case runs(pid_t)
        /// Its number may belong to another process by now.
        case gone
    }

    private static let signals = SignalSet([SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2])

    private let stage = Mutex(Stage.none)
    private let inheritedMask: sigset_t

    /// Blocks the signals that are to be forwarded. Called before other threads start, so that they inherit it.
    init() {
        inheritedMask = ProgramRunner.signals.block()
    }

    /// Forwards signals from now on; until the program runs, they end this process.
    func startForwarding() {
        let thread = Thread { [self] in
            while let arrival = ProgramRunner.signals.wait() { take(arrival) }
        }
        thread.start()
    }

    private func take(_ arrival: SignalSet.Arrival) {
        stage.withLock { stage in
            switch stage {
            case .none: exit(CommandExit.signalOffset + arrival.number)
            // The terminal's own signals go to all processes in the foreground: the program has them already.
            case .runs(let pid): if arrival.isFromProcess { kill(pid, arrival.number) }
            case .gone: break
            }
        }
    }

    /// Runs a program to its end.
    ///
    /// - Returns: Its status, as a shell would say it.
    /// - Throws: ``CommandFailure`` where it can't be started.
    func run(_ program: [String], environment: [String: String]) throws -> Int32 {
        guard let executable = program.first else { preconditionFailure("a program has a name") }
        var request = SpawnRequest(executable: executable)
        request.arguments = Array(program.dropFirst())
        request.environment = environment
        request.signalMask = inheritedMask
        let pid: pid_t
        do {
            pid = try stage.withLock { stage in
                let pid = try request.spawn()
                stage = .runs(pid)
                return pid
            }
        } catch let failure as SpawnRequest.Failure {
            let isMissing = failure.number == ENOENT
            throw CommandFailure(
                status: isMissing ? CommandExit.notFound : CommandExit.notExecutable, message: failure.description)
        }
        return awaitEnd(of: pid)
    }

    /// Waits for the end. Until the number is marked as gone, signals may be sent to it.
    private func awaitEnd(of pid: pid_t) -> Int32 {
        var details = siginfo_t()
        while waitid(P_PID, id_t(pid), &details, WEXITED | WNOWAIT) != 0, errno == EINTR {}
        stage.withLock { $0 = .gone }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        let signal = status & 0x7F
        return signal == 0 ? status >> 8 & 0xFF : CommandExit.signalOffset + signal
    }
}
