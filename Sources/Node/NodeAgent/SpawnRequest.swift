public import Glibc

/// A process to start: `posix_spawn` with what this project needs of it.
public struct SpawnRequest {
    /// Where the process belongs.
    public enum Group: Sendable {
        /// In the caller's process group, so that the terminal's signals reach it.
        case callers
        /// In a new process group.
        case own
        /// In a new session without a terminal.
        case newSession
    }

    /// `POSIX_SPAWN_SETSID`, which the C library declares for GNU sources only.
    private static let newSessionFlag: Int32 = 0x80

    /// The program: a path, or a name that is looked for in `PATH`.
    public var executable: String
    /// Its arguments, without its name.
    public var arguments: [String] = []
    /// Its environment.
    public var environment: [String: String] = [:]
    /// What becomes descriptors 0, 1, 2 and so on; empty where it shares the caller's. All others are closed by their
    /// close-on-exec flag, so these numbers must lie above the streams' own.
    public var streams: [Int32] = []
    /// Where it belongs.
    public var group = Group.callers
    /// The signals that it starts with as blocked ones.
    public var signalMask = sigset_t()

    /// Describes a process of this program, without arguments.
    public init(executable: String) {
        self.executable = executable
    }

    /// The request failed with this error number; the number of `posix_spawn`.
    public struct Failure: Error, Sendable, CustomStringConvertible {
        /// The error number.
        public let number: Int32
        /// What could not be started.
        public let executable: String
        /// The failure as a sentence.
        public var description: String { "can't start \(executable): \(String(cString: strerror(number)))" }
    }

    /// Starts the process.
    ///
    /// - Returns: Its number.
    /// - Throws: ``Failure``.
    public func spawn() throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (stream, source) in streams.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, source, Int32(stream))
        }

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var mask = signalMask
        posix_spawnattr_setsigmask(&attributes, &mask)
        var flags = Int32(POSIX_SPAWN_SETSIGMASK)
        switch group {
        case .callers: break
        case .own:
            posix_spawnattr_setpgroup(&attributes, 0)
            flags |= Int32(POSIX_SPAWN_SETPGROUP)
        case .newSession:
            flags |= Int32(SpawnRequest.newSessionFlag)
        }
        posix_spawnattr_setflags(&attributes, Int16(truncatingIfNeeded: flags))

        var pid: pid_t = 0
        let variables = environment.map { "\($0.key)=\($0.value)" }
        let result = withArrayOfStrings([executable] + arguments) { argv in
            withArrayOfStrings(variables) { envp in
                posix_spawnp(&pid, executable, &actions, &attributes, argv, envp)
            }
        }
        guard result == 0 else { throw Failure(number: result, executable: executable) }
        return pid
    }
}

/// Calls `body` with the strings as C has them: pointers to terminated bytes, and a null pointer last.
public func withArrayOfStrings<Result>(
    _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
    var pointers = strings.map { strdup($0) }
    pointers.append(nil)
    defer { for pointer in pointers { free(pointer) } }
    return pointers.withUnsafeMutableBufferPointer { buffer in
        guard let start = buffer.baseAddress else { preconditionFailure("an array with a terminator has elements") }
        return body(start)
    }
}
