import Glibc
import NodeModel
import Synchronization

/// A user's program beside its vGPU: a process in a group of its own, and the thread that waits for its end.
public final class ProgramProcess: Sendable {
    /// How long a program may take to end once it is asked to.
    private static let patience = Duration.seconds(10)

    private struct State {
        var pid: pid_t?
        var isStopped = false
    }

    private let state = Mutex(State())
    private let isGone = Mailbox<Bool>()

    /// Prepares nothing yet.
    public init() {}

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - command: The program and its arguments.
    ///   - environment: Its environment.
    ///   - directory: The folder to start in; the daemon's where nil.
    ///   - logFile: Where its output goes.
    ///   - onEnd: Called once, with the exit status: 128 and the signal's number where one ended it, 127 where it could
    ///     not be started, and then why.
    public func start(
        _ command: [String], environment: [String: String], directory: String?, logFile: String,
        onEnd: @escaping @Sendable (Int32, String?) -> Void
    ) {
        startThread(named: "program") { [self] in
            do {
                let pid = try spawn(command, environment, directory, logFile)
                state.withLock { state in
                    state.pid = pid
                    if state.isStopped { kill(-pid, SIGTERM) }
                }
                let status = reap(pid)
                isGone.put(true)
                onEnd(status, nil)
            } catch {
                onEnd(127, "\(error)")
            }
        }
    }

    /// Asks the program to end, and ends it where it takes too long.
    public func stop() {
        let pid = state.withLock { state in
            state.isStopped = true
            if let pid = state.pid { kill(-pid, SIGTERM) }
            return state.pid
        }
        guard pid != nil else { return }
        startThread(named: "program-end") { [self] in
            guard isGone.take(until: .now + ProgramProcess.patience) == nil else { return }
            state.withLock { if let pid = $0.pid { kill(-pid, SIGKILL) } }
        }
    }

    private func spawn(
        _ command: [String], _ environment: [String: String], _ directory: String?, _ logFile: String
    ) throws -> pid_t {
        guard let program = command.first else { throw AgentError(.badMessage, "There is no program to start.") }
        let input = try Descriptor.open("/dev/null", O_RDONLY)
        let log = try Descriptor.open(logFile, O_WRONLY | O_CREAT | O_APPEND)
        // The shell changes the folder and then becomes the program.
        let hasFolder = directory != nil
        var request = SpawnRequest(executable: hasFolder ? "/bin/sh" : program)
        request.arguments =
            hasFolder
            ? ["-c", "cd \"$0\" && exec \"$@\"", directory ?? "/"] + command : Array(command.dropFirst())
        request.environment = environment
        request.streams = [input.number, log.number, log.number]
        request.group = .own
        return try request.spawn()
    }

    private func reap(_ pid: pid_t) -> Int32 {
        var details = siginfo_t()
        while waitid(P_PID, id_t(pid), &details, WEXITED | WNOWAIT) != 0, errno == EINTR {}
        // What the program started itself must not outlive it. Until it is reaped, nobody else can have its number.
        kill(-pid, SIGKILL)
        state.withLock { $0.pid = nil }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        let signal = status & 0x7F
        return signal == 0 ? status >> 8 & 0xFF : 128 + signal
    }
}
