public import Glibc
public import Logging

/// What `roost up` starts: an agent and its control server on one state directory.
public struct Daemon: Sendable {
    private let setting: AgentSetting
    private let version: String
    private let log: Logger

    /// Describes a daemon.
    public init(_ setting: AgentSetting, version: String, log: Logger) {
        self.setting = setting
        self.version = version
        self.log = log
    }

    /// Runs until a client or a signal ends it. Called on the main thread, before there are others.
    ///
    /// - Parameter onReady: Called when clients can connect, with the agent.
    /// - Throws: ``AgentError`` where the state directory can't be used or another daemon has it.
    public func run(onReady: (NodeAgent) throws -> Void) throws {
        let directory = setting.directory
        try directory.prepare()
        let lock = try StateLock(directory)
        try directory.removeLeftovers()
        let agent = NodeAgent(setting, version: version, log: log)
        endOnSignals(agent)
        let server = try ControlServer(directory, agent: agent, log: log)
        server.start()
        log.info("daemon serves", metadata: [LogKey.count: "\(setting.devices.count)"])
        try onReady(agent)
        agent.run()
        server.stop()
        // Removed before the lock is, so that it can't be the next daemon's.
        unlink(directory.controlSocket)
        withExtendedLifetime(lock) {}
        log.info("daemon ended")
    }

    /// Blocks the signals that end a program in all threads to come, and has one wait for them.
    private func endOnSignals(_ agent: NodeAgent) {
        signal(SIGPIPE, SIG_IGN)
        let signals = SignalSet([SIGTERM, SIGINT, SIGHUP, SIGQUIT])
        signals.block()
        startThread(named: "signals") {
            while signals.wait() != nil { agent.shutDown() }
        }
    }
}

/// Signals that one thread waits for while all threads block them.
public struct SignalSet: Sendable {
    /// A signal that arrived.
    public struct Arrival: Sendable, Equatable {
        /// Its number.
        public let number: Int32
        /// Whether a process sent it, and not the kernel on behalf of the terminal.
        public let isFromProcess: Bool
    }

    private let numbers: [Int32]

    /// Names signals.
    public init(_ numbers: [Int32]) {
        self.numbers = numbers
    }

    private var mask: sigset_t {
        var mask = sigset_t()
        sigemptyset(&mask)
        for number in numbers { sigaddset(&mask, number) }
        return mask
    }

    /// Blocks them in this thread and in those that it starts.
    ///
    /// - Returns: The mask that was in force before.
    @discardableResult
    public func block() -> sigset_t {
        var new = mask
        var old = sigset_t()
        pthread_sigmask(SIG_BLOCK, &new, &old)
        return old
    }

    /// Waits for one of them; nil where waiting fails.
    public func wait() -> Arrival? {
        var awaited = mask
        while true {
            var details = siginfo_t()
            let number = sigwaitinfo(&awaited, &details)
            // Codes above zero are the kernel's own.
            if number > 0 { return Arrival(number: number, isFromProcess: details.si_code <= 0) }
            guard errno == EINTR else { return nil }
        }
    }
}
