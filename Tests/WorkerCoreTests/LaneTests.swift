import GPUTestKit
import Primitives
import Testing
import Transport
import WireProtocol
import WorkerCore

private let base = DeviceArena.standard().base

@Suite struct LaneTests {
    @Test("a lane without a context gets INVALID_CONTEXT")
    func noContext() throws {
        let lane = try WorkerFixture().lane()
        #expect(try lane.call(StreamSynchronize(hStream: 0)).status == 201)
        try lane.send(StreamCreate(phStream: 5, Flags: 0))
        #expect(try lane.call(Ping()).deferredStatus == 201)
        #expect(try lane.call(Ping()).deferredStatus == 0)
    }

    @Test("only the first of several deferred errors is reported, once")
    func firstDeferredError() throws {
        let lane = try WorkerFixture().laneWithContext()
        try lane.send(StreamDestroy(hStream: 99))
        try lane.send(MemoryFree(address: base, stream: StreamID.all))
        #expect(try lane.call(Ping()).deferredStatus == 400)
        #expect(try lane.call(Ping()).deferredStatus == 0)
    }

    @Test("streams and events belong to all lanes of a session and to no other session")
    func sharedObjects() throws {
        let fixture = WorkerFixture()
        let session = WorkerFixture.newSession()
        let first = try fixture.laneWithContext(session: session)
        try first.send(StreamCreate(phStream: 5, Flags: 1))
        try first.send(EventCreate(phEvent: 7, Flags: 0))
        try first.send(EventRecord(hEvent: 7, hStream: 5))
        _ = try first.call(Ping())
        let second = try fixture.lane(session: session, index: 1)
        #expect(try second.call(StreamSynchronize(hStream: 5)).status == 0)
        #expect(try second.call(EventQuery(hEvent: 7)).status == 0)
        let stranger = try fixture.laneWithContext()
        #expect(try stranger.call(StreamSynchronize(hStream: 5)).status == 400)
        try first.send(StreamDestroy(hStream: 5))
        #expect(try first.call(StreamQuery(hStream: 5)).status == 400)
    }

    @Test("the time between two events is not negative, and needs both to be recorded")
    func eventTimes() throws {
        let lane = try WorkerFixture().laneWithContext()
        try lane.send(EventCreate(phEvent: 7, Flags: 0))
        try lane.send(EventCreate(phEvent: 8, Flags: 0))
        try lane.send(EventCreate(phEvent: 9, Flags: 2))
        #expect(try lane.call(EventElapsedTime(hStart: 7, hEnd: 8)).status == 400)
        for event: UInt64 in [7, 8, 9] { try lane.send(EventRecord(hEvent: event, hStream: 0)) }
        #expect(try lane.call(EventSynchronize(hEvent: 8)).status == 0)
        let time = try lane.call(EventElapsedTime(hStart: 7, hEnd: 8))
        #expect(time.status == 0 && time.output.pMilliseconds >= 0)
        #expect(try lane.call(EventElapsedTime(hStart: 7, hEnd: 9)).status == 400)
    }

    @Test("destroying a context frees what was made in it")
    func contextDestroy() throws {
        let fixture = WorkerFixture()
        let lane = try fixture.laneWithContext()
        _ = try lane.call(MemoryGrant(device: 0, minimumByteCount: 4096, wantedByteCount: 4096))
        try lane.send(MemoryAllocate(address: base, byteCount: 4096, kind: 0))
        try lane.send(StreamCreate(phStream: 5, Flags: 1))
        _ = try lane.call(Ping())
        #expect(fixture.worker.status().usedByteCount == 4096)
        try lane.send(ContextDestroy(context: 1))
        _ = try lane.call(Ping())
        #expect(fixture.worker.status().usedByteCount == 0)
        #expect(try lane.call(StreamQuery(hStream: 5)).status == 400)
        try lane.send(ContextSetCurrent(context: 1))
        #expect(try lane.call(Ping()).deferredStatus == 201)
    }

    @Test("a lane that waits for another one goes on after that one's command")
    func laneWait() throws {
        let fixture = WorkerFixture()
        let session = WorkerFixture.newSession()
        let first = try fixture.laneWithContext(session: session)
        let second = try fixture.laneWithContext(session: session, index: 1)
        _ = try first.call(Ping())
        _ = try second.call(Ping())
        let awaited = first.nextSequence
        // The second lane's stream is made by the first lane, later in time but earlier in order.
        try second.send(LaneWait(lane: 0, sequence: awaited))
        let sequence = second.nextSequence
        try second.write(second.frame(of: StreamSynchronize(hStream: 5), flags: CommandHeader.replyFlag))
        try first.send(StreamCreate(phStream: 5, Flags: 1))
        let reply: TestReply<EmptyReply> = try second.readReply(sequence)
        #expect(reply.status == 0)
    }

    @Test("a lane does not wait for one that is gone or never was")
    func laneWaitForNobody() throws {
        let fixture = WorkerFixture()
        let session = WorkerFixture.newSession()
        let lane = try fixture.lane(session: session)
        try lane.send(LaneWait(lane: 77, sequence: 5))
        #expect(try lane.call(Ping()).status == 0)
        let other = try fixture.lane(session: session, index: 1)
        try lane.send(LaneWait(lane: 1, sequence: 1_000_000))
        let sequence = lane.nextSequence
        try lane.write(lane.frame(of: Ping(), flags: CommandHeader.replyFlag))
        other.connection.close()
        let reply: TestReply<EmptyReply> = try lane.readReply(sequence)
        #expect(reply.status == 0)
    }

    @Test("a lane that waits in vain is closed at the end of the time, and the awaited one goes on")
    func laneWaitTimeout() throws {
        let fixture = WorkerFixture { $0.limits.laneWaitNanoseconds = 50_000_000 }
        let session = WorkerFixture.newSession()
        let first = try fixture.lane(session: session)
        let second = try fixture.lane(session: session, index: 1)
        try first.send(LaneWait(lane: 1, sequence: 100))
        #expect(first.isClosedByWorker())
        try second.send(LaneWait(lane: 1, sequence: 100))
        #expect(second.isClosedByWorker())
    }

    @Test("host functions run in the order of their stream")
    func hostFunctions() throws {
        let fixture = WorkerFixture()
        let session = WorkerFixture.newSession()
        let lane = try fixture.laneWithContext(session: session)
        _ = try lane.call(MemoryGrant(device: 0, minimumByteCount: 512, wantedByteCount: 512))
        try lane.send(MemoryAllocate(address: base, byteCount: 512, kind: 0))
        let events = TestLane(connection: try fixture.connect(), session: session)
        try events.greet(role: .events)
        try lane.send(HostFunction(stream: 0, token: 41))
        try lane.send(Fill(address: base, pitch: 0, elementByteCount: 1, value: 5, width: 1, height: 1, stream: 0))
        try lane.send(HostFunction(stream: 0, token: 42))
        #expect(try lane.call(StreamQuery(hStream: 0)).status == 600)
        let sequence = lane.nextSequence
        try lane.write(lane.frame(of: StreamSynchronize(hStream: 0), flags: CommandHeader.replyFlag))
        #expect(try events.readEvent() == 41)
        try events.send(HostFunctionDone(token: 41))
        #expect(try events.readEvent() == 42)
        try events.send(HostFunctionDone(token: 42))
        let reply: TestReply<EmptyReply> = try lane.readReply(sequence)
        #expect(reply.status == 0 && reply.deferredStatus == 0)
        #expect(try lane.call(CopyDeviceToHost(address: base, byteCount: 1, stream: 0)).bulk == [5])
    }

    @Test("copies and synchronizations behind a host function wait for it, from every lane")
    func hostFunctionHoldsWork() throws {
        let fixture = WorkerFixture()
        let session = WorkerFixture.newSession()
        let lane = try fixture.laneWithContext(session: session)
        _ = try lane.call(MemoryGrant(device: 0, minimumByteCount: 512, wantedByteCount: 512))
        try lane.send(MemoryAllocate(address: base, byteCount: 512, kind: 0))
        let events = TestLane(connection: try fixture.connect(), session: session)
        try events.greet(role: .events)
        try lane.send(HostFunction(stream: 0, token: 1))
        #expect(try events.readEvent() == 1)
        try lane.send(CopyHostToDevice(bulkByteCount: 4, address: base, stream: 0), bulk: [1, 2, 3, 4])
        #expect(try lane.call(Ping()).status == 0)
        let sequence = lane.nextSequence
        try lane.write(
            lane.frame(of: CopyDeviceToHost(address: base, byteCount: 4, stream: 0), flags: CommandHeader.replyFlag))
        try events.send(HostFunctionDone(token: 1))
        let reply: TestReply<EmptyReply> = try lane.readReply(sequence)
        #expect(reply.bulk == [1, 2, 3, 4])
    }
}
