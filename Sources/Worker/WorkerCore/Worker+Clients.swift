import GPUBackend
import Logging
import Synchronization
import Transport
import WireProtocol

// The life of one connection, on its own thread.
extension Worker {
    /// Greets a client and serves it to its end.
    func serveClient(_ connection: Connection) {
        defer { connection.close() }
        var isGreeting = true
        defer { if isGreeting { greetingEnded(connection) } }
        let hello: ReceivedHello
        do throws(TransportError) {
            hello = try connection.readHello()
        } catch {
            logger.debug(
                "a connection ended before its greeting",
                metadata: [LogKey.reason: "\(error.reason)", LogKey.peer: "\(connection.peer)"])
            return
        }
        if let refusal = refusal(of: hello) {
            logger.warning("a client was refused", metadata: [LogKey.reason: "\(refusal.message)"])
            connection.refuse(refusal.status, message: Array(refusal.message.utf8))
            return
        }
        isGreeting = false
        switch hello.role {
        case .lane:
            greetingEnded(connection)
            serveLane(connection, hello)
        case .events:
            // Stays among the other connections, so that stopping closes it.
            withRegistry { $0.greetingCount -= 1 }
            serveEvents(connection, hello)
            withRegistry { $0.others[ObjectIdentifier(connection)] = nil }
        case .peer:
            withRegistry { $0.greetingCount -= 1 }
            servePeer(connection, hello)
            withRegistry { $0.others[ObjectIdentifier(connection)] = nil }
        case .monitor:
            withRegistry { $0.greetingCount -= 1 }
            serveMonitor(connection, hello)
            withRegistry { $0.others[ObjectIdentifier(connection)] = nil }
        }
    }

    private func refusal(of hello: ReceivedHello) -> (status: Welcome.Status, message: String)? {
        if hello.protocolVersion != WireLimits.protocolVersion {
            return (
                .wrongVersion,
                "the worker speaks version \(WireLimits.protocolVersion) of the protocol and the client version "
                    + "\(hello.protocolVersion); install the same release of Roost on both sides"
            )
        }
        if let token = configuration.token, !hello.isToken(token) {
            return (.wrongToken, "the token is missing or wrong; set ROOST_TOKEN to the one that the worker was given")
        }
        if hello.descriptionHash != configuration.descriptionHash {
            return (
                .wrongDescription,
                "client and worker were built from different descriptions of the CUDA API; install the same release of "
                    + "Roost on both sides"
            )
        }
        return nil
    }

    /// Accepts and serves; answers why it ended.
    private func serve<Executor: CommandExecutor>(
        _ connection: Connection, _ hello: ReceivedHello, _ executor: Executor
    ) -> LaneEnd {
        do throws(TransportError) {
            try connection.accept(hello)
        } catch {
            return .closed
        }
        return FrameServer(connection: connection, executor: executor).run()
    }

    private func log(_ end: LaneEnd, _ hello: ReceivedHello) {
        var metadata: Logger.Metadata = [
            LogKey.process: "\(hello.processID)", LogKey.lane: "\(hello.laneIndex)",
        ]
        switch end {
        case .closed:
            logger.debug("a connection ended", metadata: metadata)
        case .violation(let error, let commandID):
            metadata[LogKey.reason] = "\(error.reason)"
            metadata[LogKey.command] = "\(commandID)"
            logger.warning("a client broke the protocol; its connection was closed", metadata: metadata)
        case .laneWaitTimeout:
            logger.warning("a lane waited for another one in vain; its connection was closed", metadata: metadata)
        }
    }

    // MARK: - Lanes

    private func serveLane(_ connection: Connection, _ hello: ReceivedHello) {
        let progress = LaneProgress(index: hello.laneIndex, connection: connection)
        guard let session = join(progress, hello) else {
            let message = "the worker has as many clients or lanes as it allows, or it shuts down; try again later"
            connection.refuse(.unavailable, message: Array(message.utf8))
            return
        }
        let end = serve(connection, hello, LaneExecutor(session: session, progress: progress))
        connection.close()
        log(end, hello)
        leave(progress, session)
    }

    /// Adds a lane to its session, which begins with its first lane.
    private func join(_ lane: LaneProgress, _ hello: ReceivedHello) -> WorkerSession? {
        let limits = configuration.limits
        return withRegistry { registry in
            guard !registry.isStopping else { return nil }
            if let session = registry.sessions[hello.session] {
                return session.lanes.add(lane, limit: limits.laneCountPerSession) ? session : nil
            }
            guard registry.sessions.count < limits.sessionCount else { return nil }
            let session = WorkerSession(serial: registry.nextSerial, hello: hello, worker: self)
            registry.nextSerial += 1
            guard session.lanes.add(lane, limit: limits.laneCountPerSession) else { return nil }
            registry.sessions[hello.session] = session
            logger.info("a session began", metadata: [LogKey.process: "\(hello.processID)"])
            return session
        }
    }

    /// Removes a lane; the last one ends its session.
    private func leave(_ lane: LaneProgress, _ session: WorkerSession) {
        let isLast = withRegistry { registry in
            guard session.lanes.remove(lane) == 0 else { return false }
            registry.sessions[session.id] = nil
            registry.closingCount += 1
            return true
        }
        guard isLast else { return }
        utilization.retire(busyNanoseconds: session.busyNanoseconds)
        pastPeerByteCount.add(session.peers.sentByteCount.load(ordering: .relaxed), ordering: .relaxed)
        session.close()
        withRegistry {
            $0.closingCount -= 1
            monitor.signalAll()
        }
        logger.info("a session ended", metadata: [LogKey.process: "\(session.processID)"])
    }

    // MARK: - Events and monitors

    private func serveEvents(_ connection: Connection, _ hello: ReceivedHello) {
        let session = withRegistry { $0.sessions[hello.session] }
        guard let session, session.hostFunctions.attach(connection) else {
            let message = "events need a session with a lane, and only one connection of it may carry them"
            connection.refuse(.unavailable, message: Array(message.utf8))
            return
        }
        let end = serve(connection, hello, EventsExecutor(hostFunctions: session.hostFunctions, connection: connection))
        session.hostFunctions.detach()
        log(end, hello)
    }

    private func serveMonitor(_ connection: Connection, _ hello: ReceivedHello) {
        let limit = configuration.limits.monitorCount
        let isWelcome = withRegistry { registry in
            guard registry.monitorCount < limit else { return false }
            registry.monitorCount += 1
            return true
        }
        guard isWelcome else {
            connection.refuse(.unavailable, message: Array("the worker has as many monitors as it allows".utf8))
            return
        }
        let end = serve(connection, hello, MonitorExecutor(worker: self, connection: connection))
        withRegistry { $0.monitorCount -= 1 }
        log(end, hello)
    }
}

/// Executes what a client sends on its events connection.
struct EventsExecutor: CommandExecutor {
    let hostFunctions: HostFunctionQueue
    let connection: Connection

    mutating func execute(_ header: CommandHeader, payload: UnsafeRawBufferPointer, sequence: UInt64) throws(LaneEnd) {
        if header.id == HostBytes.id {
            try receiveBytes(header, payload)
            return
        }
        do throws(WireError) {
            guard header.id == HostFunctionDone.id else { throw .unknownCommand }
            guard header.flags == 0 else { throw .badHeader }
            var reader = WireReader(payload)
            let command = try HostFunctionDone(from: &reader)
            try reader.finish()
            guard hostFunctions.finish(command.token) else { throw .badValue }
        } catch {
            throw hostFunctions.isOver ? .closed : .violation(error, commandID: header.id)
        }
    }

    /// Takes the bytes that the worker asked for; it never takes more.
    private func receiveBytes(_ header: CommandHeader, _ payload: UnsafeRawBufferPointer) throws(LaneEnd) {
        let command: HostBytes
        do throws(WireError) {
            guard header.flags == CommandHeader.bulkFlag else { throw .badHeader }
            var reader = WireReader(payload)
            command = try HostBytes(from: &reader)
            try reader.finish()
            guard hostFunctions.awaitedByteCount(of: command.token) == command.bulkByteCount else { throw .badValue }
        } catch {
            throw hostFunctions.isOver ? .closed : .violation(error, commandID: header.id)
        }
        var bytes = [UInt8](repeating: 0, count: Int(command.bulkByteCount))
        guard bytes.withUnsafeMutableBytes({ connection.receive($0) }) else { throw .closed }
        _ = hostFunctions.finish(command.token, bytes: bytes)
    }
}

/// Answers a monitor's queries.
struct MonitorExecutor: CommandExecutor {
    private let worker: Worker
    private let writer: ReplyWriter

    init(worker: Worker, connection: Connection) {
        self.worker = worker
        writer = ReplyWriter(connection: connection)
    }

    mutating func execute(_ header: CommandHeader, payload: UnsafeRawBufferPointer, sequence: UInt64) throws(LaneEnd) {
        var bytes: [UInt8] = []
        guard header.flags == CommandHeader.replyFlag, payload.count < 8 else {
            throw .violation(.badHeader, commandID: header.id)
        }
        switch header.id {
        case CommandID.ping: break
        case CommandID.deviceSnapshot: worker.snapshot().encode(into: &bytes)
        case CommandID.vgpuStatus: worker.status().encode(into: &bytes)
        default: throw .violation(.unknownCommand, commandID: header.id)
        }
        var output: [UInt8] = []
        if header.id != CommandID.ping { output.appendBytes(bytes) }
        guard writer.send(ReplyWriter.Parts(), output: output, sequence: sequence) else { throw .closed }
    }
}
