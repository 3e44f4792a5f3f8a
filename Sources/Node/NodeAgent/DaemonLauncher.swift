import Foundation
import Glibc

/// Starts a daemon that lives on without this process and its terminal.
public struct DaemonLauncher: Sendable {
    /// The descriptor on which the daemon says that it serves.
    public static let readyDescriptor: Int32 = 3

    /// The program of the daemon.
    public var executable: String
    /// Its arguments.
    public var arguments: [String]
    /// Its environment.
    public var environment: [String: String]
    /// Where it keeps its files.
    public var directory: StateDirectory
    /// How long it may take until it serves.
    public var timeout: Duration = .seconds(20)

    /// Describes a daemon to start.
    public init(executable: String, arguments: [String], environment: [String: String], directory: StateDirectory) {
        self.executable = executable
        self.arguments = arguments
        self.environment = environment
        self.directory = directory
    }

    /// Starts the daemon and waits until it serves.
    ///
    /// - Parameter onSlow: Called once where it takes longer than a second.
    /// - Throws: ``AgentError`` with what the daemon wrote last where it does not come to serve.
    public func launch(onSlow: () -> Void) throws {
        try directory.prepare()
        let (pid, ready) = try spawn()
        guard try awaitReady(ready, onSlow: onSlow) else {
            kill(pid, SIGTERM)
            throw AgentError(.notRunning, "The daemon did not start.\(lastLines()) Its log is \(directory.daemonLog).")
        }
    }

    /// Starts the process. When this returns, only the daemon holds the writing end of the pipe, so its end shows.
    private func spawn() throws -> (pid: pid_t, ready: Descriptor) {
        let ready = try Descriptor.pipe()
        let log = try Descriptor.open(directory.daemonLog, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND)
        let input = try Descriptor.open("/dev/null", O_RDONLY)
        keepFromChildren()
        var request = SpawnRequest(executable: executable)
        request.arguments = arguments
        request.environment = environment
        request.streams = [input.number, log.number, log.number, ready.writing.number]
        request.group = .newSession
        return (try request.spawn(), ready.reading)
    }

    /// A script's own pipes and locks must not stay open for as long as the daemon lives.
    private func keepFromChildren() {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        for number in names.compactMap({ Int32($0) }) where number > 2 {
            _ = fcntl(number, F_SETFD, FD_CLOEXEC)
        }
    }

    private func awaitReady(_ pipe: Descriptor, onSlow: () -> Void) throws -> Bool {
        let start = ContinuousClock.now
        if try !pipe.waitUntilReadable(until: start + .seconds(1)) {
            onSlow()
            guard try pipe.waitUntilReadable(until: start + timeout) else { return false }
        }
        var byte: UInt8 = 0
        return read(pipe.number, &byte, 1) == 1
    }

    private func lastLines() -> String {
        guard let text = try? String(contentsOfFile: directory.daemonLog, encoding: .utf8), !text.isEmpty else {
            return ""
        }
        let lines = text.split(separator: "\n").suffix(5)
        return " It said:\n" + lines.map { "  " + $0 }.joined(separator: "\n") + "\n"
    }
}
