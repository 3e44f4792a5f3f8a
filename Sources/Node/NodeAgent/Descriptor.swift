import CPosix
import Glibc

/// An open file descriptor, closed when nobody holds it any more. Children don't inherit it.
final class Descriptor: Sendable {
    /// The first number that is given out: below it are those that a child's streams are moved to.
    private static let firstNumber: Int32 = 10

    let number: Int32

    /// Takes over an open descriptor.
    init(owning number: Int32) {
        self.number = number
    }

    deinit {
        close(number)
    }

    /// Takes over what a system call returned, moved out of the way of a child's streams.
    ///
    /// - Throws: ``AgentError`` made of `errno` where the call failed.
    static func adopt(_ result: Int32, _ action: String) throws -> Descriptor {
        guard result >= 0 else { throw AgentError.system(action) }
        let original = Descriptor(owning: result)
        guard result < firstNumber else { return original }
        let moved = fcntl(result, F_DUPFD_CLOEXEC, firstNumber)
        guard moved >= 0 else { throw AgentError.system(action) }
        return Descriptor(owning: moved)
    }

    /// Opens a file.
    static func open(_ path: String, _ flags: Int32, mode: mode_t = 0o600) throws -> Descriptor {
        try adopt(Glibc.open(path, flags | O_CLOEXEC, mode), "can't open \(path)")
    }

    /// Makes a pipe.
    static func pipe() throws -> (reading: Descriptor, writing: Descriptor) {
        var ends: (reading: Int32, writing: Int32) = (-1, -1)
        guard posix_pipe(&ends.reading, &ends.writing) == 0 else { throw AgentError.system("can't make a pipe") }
        let writing = Result { try adopt(ends.writing, "can't make a pipe") }
        return (try adopt(ends.reading, "can't make a pipe"), try writing.get())
    }

    /// Waits until there is something to read, or the other side is gone.
    ///
    /// - Returns: False where the deadline passed first.
    func waitUntilReadable(until deadline: ContinuousClock.Instant?) throws -> Bool {
        while true {
            var entry = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
            let result = poll(&entry, 1, Descriptor.milliseconds(until: deadline))
            if result > 0 { return true }
            if result == 0, let deadline, ContinuousClock.now >= deadline { return false }
            guard result >= 0 || errno == EINTR else { throw AgentError.system("can't wait for input") }
        }
    }

    /// Milliseconds for `poll`, rounded up so that a wait never ends before its deadline; -1 for none.
    static func milliseconds(until deadline: ContinuousClock.Instant?) -> Int32 {
        guard let deadline else { return -1 }
        let rest = ContinuousClock.now.duration(to: deadline)
        guard rest > .zero else { return 0 }
        let milliseconds = rest / .milliseconds(1)
        return Int32(clamping: Int64(min(milliseconds, 1_000_000)) + 1)
    }
}
