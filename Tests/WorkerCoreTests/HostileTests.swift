import GPUTestKit
import Testing
import Transport
import WireProtocol
import WorkerCore

private let base = DeviceArena.standard().base

/// Frames that the wire allows and no honest client sends.
@Suite struct HostileTests {
    @Test("a lane that waits for its own future is closed at once")
    func waitForItself() throws {
        let fixture = WorkerFixture()
        let session = WorkerFixture.newSession()
        let witness = try fixture.lane(session: session)
        let lane = try fixture.lane(session: session, index: 1)
        try lane.send(LaneWait(lane: 1, sequence: .max))
        #expect(lane.isClosedByWorker())
        #expect(try witness.call(Ping()).status == 0)
    }

    @Test("no client takes the arenas of others")
    func devices() throws {
        let fixture = WorkerFixture {
            $0.limits.deviceCountPerSession = 2
            $0.limits.deviceCount = 3
        }
        let greedy = try fixture.laneWithContext()
        try greedy.send(ContextCreate(context: 2, device: 1, flags: 0))
        #expect(try greedy.call(Ping()).deferredStatus == 0)
        try greedy.send(ContextCreate(context: 3, device: 2, flags: 0))
        #expect(try greedy.call(Ping()).deferredStatus == 2)
        let other = try fixture.laneWithContext()
        try other.send(ContextCreate(context: 2, device: 1, flags: 0))
        #expect(try other.call(Ping()).deferredStatus == 2)
        greedy.connection.close()
        #expect(eventually { fixture.worker.sessionCount == 1 })
    }

    @Test("copies whose slices lie on each other are refused before they run for years")
    func overlappingSlices() throws {
        let lane = try WorkerFixture().laneWithContext()
        _ = try lane.call(MemoryGrant(device: 0, minimumByteCount: 4096, wantedByteCount: 4096))
        try lane.send(MemoryAllocate(address: base, byteCount: 4096, kind: 0))
        try lane.send(
            CopyDeviceToDevice3D(
                destination: base + 512, destinationPitch: 1, destinationSlicePitch: 0, source: base, sourcePitch: 1,
                sourceSlicePitch: 0, width: 1, height: 1, depth: 1 << 40, stream: 0))
        #expect(try lane.call(StreamSynchronize(hStream: 0)).deferredStatus == 1)
        for (width, height): (UInt64, UInt64) in [(1 << 63, 2), (.max, 1), (1, .max), (4096, .max)] {
            try lane.send(
                Fill(
                    address: base, pitch: 0, elementByteCount: 1, value: 1, width: width, height: height, stream: 0))
            #expect(try lane.call(StreamSynchronize(hStream: 0)).deferredStatus == 1)
        }
        #expect(try lane.call(CopyDeviceToHost(address: base, byteCount: .max, stream: 0)).status == 1)
    }
}
