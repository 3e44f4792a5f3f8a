import Glibc
import NodeModel
import Synchronization

/// How to start a worker's process.
struct WorkerLaunch: Sendable {
    /// The program, as a path.
    var executable: String
    /// Its arguments, without its name.
    var arguments: [String]
    /// Its environment.
    var environment: [String: String]
    /// Where its output goes.
    var logFile: String
    /// How long it may take until it serves.
    var startTimeout: Duration
}

/// One worker: a process in a group of its own, and the thread that started it and waits for its end.
///
/// The thread lives as long as the process, since the kernel delivers a parent's death when the *thread* that started
/// a child ends.
final class WorkerProcess: Sendable {
    /// The descriptor on which a worker says that it serves.
    static let readyDescriptor: Int32 = 3

    private enum Stage {
        case notStarted
        case runs(pid_t)
        /// Its number may belong to another process by now.
        case gone
    }

    private struct State {
        var stage = Stage.notStarted
        var isStopped = false
    }

    private let state = Mutex(State())
    private let launch: WorkerLaunch

    init(_ launch: WorkerLaunch) {
        self.launch = launch
    }

    /// Starts the process on a thread of its own.
    ///
    /// - Parameters:
    ///   - onReady: Called at most once, with the process.
    ///   - onEnd: Called exactly once, last.
    func start(onReady: @escaping @Sendable (pid_t) -> Void, onEnd: @escaping @Sendable (WorkerEnd) -> Void) {
        startThread(named: "worker") { [self] in
            onEnd(supervise(onReady: onReady))
        }
    }

    /// Kills the process and its children. Nothing of a worker outlives it, so there is nothing to say goodbye to.
    func stop() {
        state.withLock { state in
            state.isStopped = true
            if case .runs(let pid) = state.stage { kill(-pid, SIGKILL) }
        }
    }

    private func supervise(onReady: (pid_t) -> Void) -> WorkerEnd {
        do {
            let (pid, input, ready) = try spawn()
            state.withLock { state in
                state.stage = .runs(pid)
                if state.isStopped { kill(-pid, SIGKILL) }
            }
            let served = awaitReady(ready)
            if served == .ready { onReady(pid) }
            if served == .late { stop() }
            let end = reap(pid)
            // The worker ends when its input does, so the pipe must live until here.
            withExtendedLifetime(input) {}
            return served == .late ? .startTimedOut(seconds: Int(launch.startTimeout / .seconds(1))) : end
        } catch {
            state.withLock { $0.stage = .gone }
            return .notStarted(reason: (error as? AgentError)?.message ?? "\(error)")
        }
    }

    private enum Readiness {
        case ready
        case ended
        case late
    }

    /// Waits for the line `ready`, or for the process to end, which closes the pipe.
    private func awaitReady(_ pipe: Descriptor) -> Readiness {
        let deadline = ContinuousClock.now + launch.startTimeout
        var line: [UInt8] = []
        while line.count < 4096 {
            guard let isReadable = try? pipe.waitUntilReadable(until: deadline) else { return .ended }
            guard isReadable else { return .late }
            var bytes = [UInt8](repeating: 0, count: 256)
            let count = read(pipe.number, &bytes, bytes.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return .ended }
            line += bytes[..<count]
            if line.contains(UInt8(ascii: "\n")) { return line.starts(with: "ready".utf8) ? .ready : .late }
        }
        return .late
    }

    /// Waits for the end. Until the number is marked as gone, ``stop()`` may use it.
    private func reap(_ pid: pid_t) -> WorkerEnd {
        var details = siginfo_t()
        while waitid(P_PID, id_t(pid), &details, WEXITED | WNOWAIT) != 0, errno == EINTR {}
        state.withLock { $0.stage = .gone }
        // What the worker started itself must not outlive it. Until it is reaped, nobody else can have its number.
        kill(-pid, SIGKILL)
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        let signal = status & 0x7F
        return signal == 0 ? .exited(status: status >> 8 & 0xFF) : .signaled(signal: signal)
    }

    /// Starts the process with an input pipe, a ready pipe and its log, and no other descriptor of ours.
    private func spawn() throws -> (pid: pid_t, input: Descriptor, ready: Descriptor) {
        let input = try Descriptor.pipe()
        let ready = try Descriptor.pipe()
        let log = try Descriptor.open(launch.logFile, O_WRONLY | O_CREAT | O_APPEND)
        var request = SpawnRequest(executable: launch.executable)
        request.arguments = launch.arguments
        request.environment = launch.environment
        request.streams = [input.reading.number, log.number, log.number, ready.writing.number]
        request.group = .own
        return (try request.spawn(), input.writing, ready.reading)
    }
}
