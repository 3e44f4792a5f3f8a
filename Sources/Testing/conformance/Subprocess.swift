internal import CPosix
internal import Glibc

/// This program once more, with other arguments, and a pipe for its lines.
final class Subprocess {
    /// What reading a line came to.
    enum Reading {
        case line(String)
        case end
        case timeout
    }

    /// The descriptor that a child writes its lines to.
    static let lineDescriptor: Int32 = 3
    /// The descriptor that a child gets passed, if any.
    static let passedDescriptor: Int32 = 4

    private let process: pid_t
    private let reader: Int32
    private var buffer: [UInt8] = []
    private var status: Int32?

    /// Starts it. Nil when the system refuses.
    /// - Parameter passing: A descriptor that the child gets as ``passedDescriptor``.
    init?(_ words: [String], readsOutput: Bool, passing: Int32? = nil) {
        var ends: (reader: Int32, writer: Int32) = (-1, -1)
        guard posix_pipe(&ends.reader, &ends.writer) == 0 else { return nil }
        // The pipe's own numbers must not collide with those that the child expects.
        let writer = fcntl(ends.writer, F_DUPFD_CLOEXEC, 10)
        close(ends.writer)
        reader = ends.reader
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, writer, Self.lineDescriptor)
        var copy: Int32 = -1
        if let passing {
            copy = fcntl(passing, F_DUPFD_CLOEXEC, 10)
            posix_spawn_file_actions_adddup2(&actions, copy, Self.passedDescriptor)
        }
        var arguments: [UnsafeMutablePointer<CChar>?] = (["conformance"] + words).map { strdup($0) }
        arguments.append(nil)
        var process: pid_t = 0
        let failure = posix_spawn(&process, "/proc/self/exe", &actions, nil, arguments, environ)
        posix_spawn_file_actions_destroy(&actions)
        for argument in arguments { free(argument) }
        close(writer)
        if copy >= 0 { close(copy) }
        self.process = process
        guard failure == 0 else {
            errno = failure
            return nil
        }
    }

    deinit { close(reader) }

    /// Waits for a whole line, at most until the clock shows so many microseconds.
    func readLine(until deadline: UInt64) -> Reading {
        while true {
            if let end = buffer.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: buffer[..<end], as: UTF8.self)
                buffer.removeSubrange(...end)
                return .line(line)
            }
            let now = monotonicMicroseconds()
            guard now < deadline else { return .timeout }
            var wanted = pollfd(fd: reader, events: Int16(POLLIN), revents: 0)
            let ready = poll(&wanted, 1, Int32(min((deadline - now) / 1000 + 1, 1_000_000)))
            if ready < 0, errno != EINTR { return .end }
            if ready <= 0 { continue }
            var part = [UInt8](repeating: 0, count: 4096)
            let count = read(reader, &part, part.count)
            if count < 0, errno == EINTR { continue }
            if count <= 0 { return .end }
            buffer += part[..<count]
        }
    }

    /// Waits for the end of a child that has closed its lines, and says how it came.
    func endText() -> String {
        let status = wait()
        let signal = status & 0x7f
        return signal == 0 ? "ended with status \((status >> 8) & 0xff)" : "ended by signal \(signal)"
    }

    /// The exit status, or 128 and the signal.
    func exitStatus() -> Int32 {
        let status = wait()
        return status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + status & 0x7f
    }

    /// Ends the child if it runs, and takes it back.
    func end() {
        if status == nil { kill(process, SIGKILL) }
        _ = wait()
    }

    private func wait() -> Int32 {
        if let status { return status }
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        self.status = status
        return status
    }
}
