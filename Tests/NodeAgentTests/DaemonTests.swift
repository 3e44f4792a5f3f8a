import Foundation
import Glibc
import Logging
import NodeModel
import Testing

@testable import NodeAgent

/// A daemon in this process whose workers are a shell script.
private final class TestDaemon {
    /// Not written by the tests: a program can't be executed while some process being started still has it open.
    private static let worker = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Fixtures/node/worker.sh").path

    let folder: ScratchFolder
    let directory: StateDirectory
    private let server: ControlServer
    private let agent: NodeAgent
    private let hasEnded = Mailbox<Bool>()

    init(
        behaviour: String = "serves", worker: String = worker, startTimeout: Duration = .seconds(20)
    ) throws {
        folder = try ScratchFolder()
        directory = StateDirectory(path: folder.path + "/s")
        try directory.prepare()
        var setting = AgentSetting(
            directory: directory,
            devices: SoftwareDevices.describe(count: 1, memory: .gibibytes(4), machineMemory: .gibibytes(64)),
            workerExecutable: worker,
            environment: ["PATH": "/usr/bin:/bin", "BEHAVIOUR": behaviour, "GATE": folder.path + "/gate"])
        setting.startTimeout = startTimeout
        setting.clock = { 1000 }
        setting.measure = { path, token, _ in
            VirtualGPUMeasurement(
                usedMemory: .mebibytes(UInt64(token.utf8.count)), utilizationPercent: 7, commandCount: 1,
                launchCount: 2, processes: [.init(processID: 3, name: path, usedMemory: .mebibytes(1))])
        }
        var log = Logger(label: "test")
        log.logLevel = .critical
        agent = NodeAgent(setting, version: "test", log: log)
        server = try ControlServer(directory, agent: agent, log: log)
        server.start()
        startThread(named: "agent") { [agent, hasEnded] in
            agent.run()
            hasEnded.put(true)
        }
    }

    deinit {
        agent.shutDown()
        _ = waitForEnd()
        server.stop()
    }

    func connect() throws -> SocketControlChannel { try .connect(directory) }

    /// Asks for vGPUs on a connection of its own.
    func acquire(percent: Int = 100, count: Int = 1) throws -> (SocketControlChannel, ControlReply) {
        let channel = try connect()
        let request = GPURequest(
            memory: .gibibytes(1), compute: try #require(ComputeShare(percent: percent)), count: count,
            program: "test")
        return (channel, try channel.ask(.acquire(request), timeout: .seconds(30)))
    }

    func report() throws -> NodeReport {
        let channel = try connect()
        defer { channel.close() }
        guard case .report(let report) = try channel.ask(.report) else { throw AgentError(.badMessage, "no report") }
        return report
    }

    func waitForEnd() -> Bool {
        guard hasEnded.take(until: .now + .seconds(20)) != nil else { return false }
        // For the next one who asks.
        hasEnded.put(true)
        return true
    }
}

/// A channel whose daemon is gone.
private final class ClosedChannel: ControlChannel {
    func send(_ request: ControlRequest) throws { throw AgentError(.connectionLost, "gone") }
    func receive(timeout: Duration?) throws -> ControlReply? { nil }
    func isClosed(within time: Duration) throws -> Bool { true }
    func close() {}
}

private func lease(_ reply: ControlReply) throws -> GrantedLease {
    guard case .granted(let lease) = reply else { throw AgentError(.badMessage, "not granted: \(reply)") }
    return lease
}

@Suite("Daemon", .timeLimit(.minutes(2)))
struct DaemonTests {
    @Test("A client gets a vGPU with an endpoint and a secret, and reports show it")
    func acquire() throws {
        let daemon = try TestDaemon()
        let (channel, reply) = try daemon.acquire(percent: 40, count: 2)
        let lease = try lease(reply)
        #expect(lease.members.count == 2)
        #expect(lease.token.utf8.count == 64)
        for member in lease.members {
            #expect(member.endpoint == "shm://\(daemon.directory.socket(of: member.id))")
            let file = daemon.directory.tokenFile(of: member.id)
            #expect(try String(contentsOfFile: file, encoding: .utf8) == lease.token + "\n")
            #expect(try daemon.folder.permissions(file) == 0o600)
        }
        let report = try daemon.report()
        #expect(report.vgpus.map(\.state) == [.running, .running])
        #expect(report.vgpus.map(\.clientProcessID) == [getpid(), getpid()])
        #expect(report.vgpus.map(\.measurement?.usedMemory) == [.mebibytes(64), .mebibytes(64)])
        #expect(report.devices.map(\.allocatedPercent) == [80])
        #expect(!"\(report)".contains(lease.token), "a report holds no secrets")
        channel.close()
    }

    @Test("A vGPU is free when its client releases it")
    func release() throws {
        let daemon = try TestDaemon()
        let (first, reply) = try daemon.acquire()
        let old = try #require(try lease(reply).members.first)
        #expect(try first.ask(.release) == .released)
        // The whole device again: granted only after the first vGPU is gone.
        let (second, again) = try daemon.acquire()
        let new = try #require(try lease(again).members.first)
        #expect(new.id != old.id)
        #expect(try daemon.report().vgpus.map(\.id) == [new.id])
        #expect(!FileManager.default.fileExists(atPath: daemon.directory.folder(of: old.id)))
        second.close()
    }

    @Test("A vGPU is free when its client's connection closes")
    func clientGone() throws {
        let daemon = try TestDaemon()
        let (first, reply) = try daemon.acquire()
        let old = try #require(try lease(reply).members.first)
        first.close()
        var (second, again) = try daemon.acquire()
        let deadline = ContinuousClock.now + .seconds(20)
        while case .refused = again, ContinuousClock.now < deadline {
            second.close()
            (second, again) = try daemon.acquire()
        }
        #expect(try lease(again).members.first?.id != old.id)
        second.close()
    }

    @Test("A worker that dies is reported to its client, its share is free, and the daemon goes on")
    func workerDeath() throws {
        let daemon = try TestDaemon()
        let (channel, reply) = try daemon.acquire()
        let member = try #require(try lease(reply).members.first)
        let process = try #require(try daemon.report().vgpus.first?.workerProcessID)
        kill(process, SIGKILL)
        #expect(try channel.receive(timeout: .seconds(20)) == .lost(member.id, .signaled(signal: SIGKILL)))
        let (other, again) = try daemon.acquire()
        #expect(try lease(again).members.count == 1)
        channel.close()
        other.close()
    }

    @Test("A program's hold tells about lost vGPUs, and gives back what is left")
    func hold() throws {
        let daemon = try TestDaemon()
        let (channel, reply) = try daemon.acquire(percent: 50, count: 2)
        let members = try lease(reply).members
        let losses = Mailbox<LeaseHold.Loss>()
        let hold = LeaseHold(channel) { losses.put($0) }
        let lost = try #require(try daemon.report().vgpus.first { $0.id == members[0].id }?.workerProcessID)
        kill(lost, SIGKILL)
        #expect(losses.take(until: .now + .seconds(20)) == .vgpu(members[0].id, .signaled(signal: SIGKILL)))
        hold.release()
        let (other, again) = try daemon.acquire()
        #expect(try lease(again).members.count == 1)
        other.close()
    }

    @Test("A program's hold tells when the daemon is gone")
    func holdWithoutDaemon() throws {
        let losses = Mailbox<LeaseHold.Loss>()
        let hold = LeaseHold(ClosedChannel()) { losses.put($0) }
        #expect(losses.take(until: .now + .seconds(20)) == .daemon)
        hold.release()
    }

    @Test("A request beyond the device is refused with the reason")
    func refusal() throws {
        let daemon = try TestDaemon()
        let (holder, _) = try daemon.acquire(percent: 70)
        let (channel, reply) = try daemon.acquire(percent: 50)
        guard case .refused(.noRoom(let refusal)) = reply else { Issue.record("\(reply)"); return }
        #expect(refusal.shortfalls.map(\.missingPercent) == [20])
        channel.close()
        holder.close()
    }

    @Test("A worker that ends before it serves makes the request fail, and leaves its log")
    func failingWorker() throws {
        let daemon = try TestDaemon(behaviour: "fails")
        let (channel, reply) = try daemon.acquire()
        guard case .refused(.workerFailed(let id, let end)) = reply else { Issue.record("\(reply)"); return }
        #expect(end == .exited(status: 3))
        #expect(try String(contentsOfFile: daemon.directory.log(of: id), encoding: .utf8) == "no GPU here\n")
        #expect(try daemon.report().vgpus.isEmpty)
        channel.close()
    }

    @Test("A worker that can't be started makes the request fail")
    func missingWorker() throws {
        let daemon = try TestDaemon(worker: "/nonexistent/roost-worker")
        let (channel, reply) = try daemon.acquire()
        guard case .refused(.workerFailed(_, .notStarted(let reason))) = reply else { Issue.record("\(reply)"); return }
        #expect(reason.contains("No such file"), "\(reason)")
        channel.close()
    }

    @Test("A worker that never serves is ended after its time, with all that it started")
    func silentWorker() throws {
        let daemon = try TestDaemon(behaviour: "silent", startTimeout: .milliseconds(100))
        let (channel, reply) = try daemon.acquire()
        guard case .refused(.workerFailed(_, let end)) = reply else { Issue.record("\(reply)"); return }
        #expect(end == .startTimedOut(seconds: 0))
        channel.close()
    }

    @Test("A client that goes while its worker starts has it ended")
    func clientGoneEarly() throws {
        let daemon = try TestDaemon(behaviour: "serves-if-file")
        let impatient = try daemon.connect()
        let whole = GPURequest(memory: .gibibytes(1), compute: .whole, program: "test")
        try impatient.send(.acquire(whole))
        // The connection's requests are answered in order, so the request has been taken in by now.
        guard case .daemon = try impatient.ask(.describe) else { Issue.record("no description"); return }
        #expect(try impatient.ask(.release) == .released)
        try Data().write(to: URL(fileURLWithPath: daemon.folder.path + "/gate"))
        // Nothing but the end of the first worker makes room for this one.
        let (channel, reply) = try daemon.acquire()
        #expect(try lease(reply).members.count == 1)
        channel.close()
    }

    @Test("Shutting down ends the workers; only if idle, a held vGPU prevents it")
    func shutDown() throws {
        let daemon = try TestDaemon()
        let (holder, reply) = try daemon.acquire(percent: 10)
        let id = try #require(try lease(reply).members.first?.id)
        let channel = try daemon.connect()
        guard case .busy(let held) = try channel.ask(.shutDown(onlyIfIdle: true)) else {
            Issue.record("not busy")
            return
        }
        #expect(held.map(\.id) == [id])
        guard case .shuttingDown(let ending) = try channel.ask(.shutDown(onlyIfIdle: false)) else {
            Issue.record("not shutting down")
            return
        }
        #expect(ending.map(\.id) == [id])
        #expect(daemon.waitForEnd())
        #expect(!FileManager.default.fileExists(atPath: daemon.directory.folder(of: id)))
        holder.close()
    }

    @Test(
        "What is no request closes its connection and touches no other", arguments: ["hello", "{}", "{\"acquire\":3}"])
    func malformed(_ line: String) throws {
        let daemon = try TestDaemon()
        let (holder, _) = try daemon.acquire(percent: 10)
        let socket = try #require(try LineSocket.connect(path: daemon.directory.controlSocket))
        try socket.writeLine(Array(line.utf8))
        guard case .failure = try socket.readMessage(ControlReply.self, until: .now + .seconds(10)) else {
            Issue.record("no failure")
            return
        }
        #expect(try socket.readLine(until: .now + .seconds(10)) == nil)
        #expect(try daemon.report().vgpus.count == 1)
        holder.close()
    }

    @Test("A second request on one connection is refused, and the first one's vGPU stays")
    func secondRequest() throws {
        let daemon = try TestDaemon()
        let (channel, _) = try daemon.acquire(percent: 10)
        let request = GPURequest(memory: .gibibytes(1), compute: .whole, program: "test")
        let error = #expect(throws: AgentError.self) { try channel.ask(.acquire(request)) }
        #expect(error?.message == "This connection holds vGPUs already.")
        #expect(try daemon.report().vgpus.count == 1)
        channel.close()
    }
}
