import GPUTestKit
import Primitives
import Testing
import Transport
import WireProtocol
import WorkerCore

private let base = DeviceArena.standard().base

/// Waits for something that another thread does soon, at most ten seconds.
func eventually(_ condition: () -> Bool) -> Bool {
    let clock = ContinuousClock()
    let deadline = clock.now.advanced(by: .seconds(10))
    while clock.now < deadline {
        if condition() { return true }
    }
    return condition()
}

@Suite struct SessionTests {
    @Test("a session ends with its last lane and gives all its memory back")
    func lastLane() throws {
        let fixture = WorkerFixture()
        let session = WorkerFixture.newSession()
        let first = try fixture.laneWithContext(session: session)
        let second = try fixture.lane(session: session, index: 1)
        _ = try first.call(MemoryGrant(device: 0, minimumByteCount: 1 << 20, wantedByteCount: 1 << 20))
        try first.send(MemoryAllocate(address: base, byteCount: 1 << 20, kind: 0))
        _ = try first.call(Ping())
        first.connection.close()
        #expect(try second.call(Ping()).status == 0)
        #expect(fixture.worker.status().usedByteCount == 1 << 20)
        second.connection.close()
        #expect(eventually { fixture.worker.sessionCount == 0 && fixture.worker.status().usedByteCount == 0 })
        let third = try fixture.lane(session: session)
        #expect(try third.call(MemoryInfo(device: 0)).output.freeByteCount == 64 << 20)
    }

    @Test("a client that dies while a lane waits for a host function is forgotten")
    func deathInWait() throws {
        let fixture = WorkerFixture()
        let session = WorkerFixture.newSession()
        let lane = try fixture.laneWithContext(session: session)
        let events = TestLane(connection: try fixture.connect(), session: session)
        try events.greet(role: .events)
        try lane.send(HostFunction(stream: 0, token: 1))
        try lane.write(lane.frame(of: StreamSynchronize(hStream: 0), flags: CommandHeader.replyFlag))
        #expect(try events.readEvent() == 1)
        lane.connection.close()
        #expect(eventually { fixture.worker.sessionCount == 0 })
        #expect(events.isClosedByWorker())
    }

    @Test("the status names processes, memory and counters")
    func status() throws {
        let fixture = WorkerFixture()
        let lane = try fixture.laneWithContext()
        _ = try lane.call(MemoryGrant(device: 0, minimumByteCount: 4096, wantedByteCount: 1 << 20))
        try lane.send(MemoryAllocate(address: base, byteCount: 4096, kind: 0))
        _ = try lane.call(Ping())
        let monitor = try fixture.monitor()
        let reply = try monitor.call(VGPUStatusQuery())
        try reply.output.bytes.withUnsafeBytes { bytes in
            var reader = WireReader(bytes)
            let status = try VGPUStatus(from: &reader)
            try reader.finish()
            #expect(status.usedByteCount == 4096)
            #expect(status.processes.map { $0.processID } == [17])
            #expect(status.processes.first?.usedByteCount == 4096)
            #expect(status.commandCount >= 5)
            #expect(status.device.totalByteCount == 64 << 20)
        }
        let snapshot = try monitor.call(DeviceSnapshotQuery()).output.bytes
        #expect(try lane.call(DeviceSnapshotQuery()).output.bytes == snapshot)
        try snapshot.withUnsafeBytes { bytes in
            var reader = WireReader(bytes)
            let device = try DeviceSnapshot(from: &reader)
            #expect(device.isSoftware && device.attributes.count > 110)
            #expect(device.attributes.first { $0.attribute == 10 }?.value == 32)
            #expect(device.attributes.first { $0.attribute == 75 }?.value == 8)
        }
    }

    @Test("a monitor can't send a lane's commands")
    func monitorIsLimited() throws {
        let monitor = try WorkerFixture().monitor()
        try monitor.write(monitor.frame(of: MemoryInfo(device: 0), flags: CommandHeader.replyFlag))
        #expect(monitor.isClosedByWorker())
    }

    @Test("stopping closes every lane, also one that waits")
    func stop() throws {
        let fixture = WorkerFixture()
        let lane = try fixture.laneWithContext()
        let idle = try fixture.lane()
        let monitor = try fixture.monitor()
        _ = try lane.call(Ping())
        #expect(fixture.worker.stop())
        #expect(lane.isClosedByWorker() && idle.isClosedByWorker() && monitor.isClosedByWorker())
        #expect(fixture.worker.sessionCount == 0)
    }

    @Test("there are no more lanes and sessions than the limits say")
    func limits() throws {
        let fixture = WorkerFixture {
            $0.limits.laneCountPerSession = 2
            $0.limits.sessionCount = 2
        }
        let session = WorkerFixture.newSession()
        let lanes = try (0..<2).map { try fixture.lane(session: session, index: $0) }
        #expect(throws: TestLaneError.self) { try fixture.lane(session: session, index: 2) }
        #expect(throws: TestLaneError.self) { try fixture.lane(session: session, index: 0) }
        let other = try fixture.lane()
        #expect(throws: TestLaneError.self) { try fixture.lane() }
        for lane in lanes + [other] { #expect(try lane.call(Ping()).status == 0) }
    }
}

@Suite struct GreetingTests {
    private func hello(version: UInt32 = WireLimits.protocolVersion, hash: UInt64 = DescriptionHash.value) -> Hello {
        var hello = Hello(
            descriptionHash: hash, role: .lane, flags: 0, session: WorkerFixture.newSession(), laneIndex: 0,
            processID: 1)
        hello.protocolVersion = version
        return hello
    }

    private func exchange(_ fixture: WorkerFixture, _ hello: Hello) throws -> (status: Welcome.Status, message: String)
    {
        try TestLane(connection: try fixture.connect(), session: hello.session).exchange(hello)
    }

    @Test("a client of another version learns what to install")
    func versions() throws {
        let fixture = WorkerFixture()
        let version = try exchange(fixture, hello(version: 99))
        #expect(version.status == .wrongVersion && version.message.contains("99"))
        let description = try exchange(fixture, hello(hash: 1))
        #expect(description.status == .wrongDescription && description.message.contains("install"))
    }

    @Test("a wrong token is refused and a right one is not")
    func tokens() throws {
        let fixture = WorkerFixture { $0.token = Array("secret".utf8) }
        let refused = try exchange(fixture, hello())
        #expect(refused.status == .wrongToken && refused.message.contains("ROOST_TOKEN"))
        for (token, status) in [("secret", Welcome.Status.accepted), ("secre", .wrongToken), ("secreT", .wrongToken)] {
            try Array(token.utf8).withUnsafeBytes { bytes throws in
                var hello = hello()
                hello.token = bytes
                let answer = try exchange(fixture, hello)
                #expect(answer.status == status)
            }
        }
    }
}
