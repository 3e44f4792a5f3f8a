import GPUTestKit
import Primitives
import Testing
import Transport
import WireProtocol
import WorkerCore

private let base = DeviceArena.standard().base

@Suite struct MalformedTests {
    @Test("bytes that are no frame end their connection and no other")
    func badFrames() throws {
        let fixture = WorkerFixture()
        let session = WorkerFixture.newSession()
        let witness = try fixture.lane(session: session)
        let good = try fixture.lane().frame(of: Ping(), flags: CommandHeader.replyFlag)
        var frames: [[UInt8]] = []
        for (offset, value): (Int, UInt8) in [
            (3, 0xFF),  // longer than a frame may be
            (4, 2),  // a reply
            (4, 9),  // no kind
            (6, 0),  // no command
            (6, 2),  // more commands than there are
            (8, 2),  // not the next number
            (17, 0xFF),  // no such command
            (18, 0),  // no reply asked for
            (18, 3),  // a bulk flag that the command has not
            (18, 4),  // no such flag
            (20, 1),  // a payload beyond the frame
        ] {
            var frame = good
            frame[offset] = value
            frames.append(frame)
        }
        for (index, frame) in frames.enumerated() {
            let lane = try fixture.lane(session: session, index: UInt32(index + 1))
            try lane.write(frame)
            #expect(lane.isClosedByWorker(), "frame \(index)")
            #expect(try witness.call(Ping()).status == 0)
        }
    }

    @Test("a bulk command whose client dies within its bytes leaves nothing behind")
    func brokenBulk() throws {
        let fixture = WorkerFixture()
        let lane = try fixture.laneWithContext()
        _ = try lane.call(MemoryGrant(device: 0, minimumByteCount: 1 << 20, wantedByteCount: 1 << 20))
        try lane.send(MemoryAllocate(address: base, byteCount: 1 << 20, kind: 0))
        try lane.send(
            CopyHostToDevice(bulkByteCount: 1 << 20, address: base, stream: 0), bulk: [UInt8](repeating: 1, count: 1000)
        )
        lane.connection.close()
        #expect(eventually { fixture.worker.sessionCount == 0 })
    }

    @Test("random bytes and mutated frames never harm another lane", arguments: 0..<10)
    func mutations(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let fixture = WorkerFixture()
        let witness = try fixture.laneWithContext()
        _ = try witness.call(MemoryGrant(device: 0, minimumByteCount: 512, wantedByteCount: 512))
        try witness.send(MemoryAllocate(address: base, byteCount: 512, kind: 0))
        try witness.send(CopyHostToDevice(bulkByteCount: 4, address: base, stream: 0), bulk: [1, 2, 3, 4])
        for round in 0..<100 {
            let lane = try fixture.laneWithContext()
            var bytes = frames(of: lane)
            if round % 4 == 0 {
                bytes = (0..<random.next(below: 300)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            }
            for _ in 0..<(1 + random.next(below: 6)) where !bytes.isEmpty {
                let place = Int(random.next(below: UInt64(bytes.count)))
                bytes[place] = random.next(below: 3) == 0 ? 0xFF : UInt8(truncatingIfNeeded: random.next())
            }
            // The worker may have closed the connection already.
            try? lane.write(bytes)
            lane.connection.close()
            #expect(eventually { fixture.worker.sessionCount == 1 })
        }
        #expect(try witness.call(CopyDeviceToHost(address: base, byteCount: 4, stream: 0)).bulk == [1, 2, 3, 4])
        #expect(eventually { fixture.worker.status().usedByteCount == 512 })
    }

    /// A frame of each kind that reaches memory or tables.
    private func frames(of lane: TestLane) -> [UInt8] {
        let reply = CommandHeader.replyFlag
        let bulk = CommandHeader.bulkFlag
        return lane.frame(of: MemoryGrant(device: 0, minimumByteCount: 4096, wantedByteCount: 8192), flags: reply)
            + lane.frame(of: MemoryAllocate(address: base, byteCount: 4096, kind: 0), flags: 0)
            + lane.frame(of: CopyHostToDevice(bulkByteCount: 8, address: base, stream: 0), flags: bulk)
            + [1, 2, 3, 4, 5, 6, 7, 8]
            + lane.frame(
                of: Fill(address: base, pitch: 64, elementByteCount: 4, value: 7, width: 4, height: 4, stream: 0),
                flags: 0)
            + lane.frame(
                of: CopyDeviceToHost3D(
                    address: base, pitch: 64, slicePitch: 512, width: 16, height: 4, depth: 2, stream: 0), flags: reply)
            + lane.frame(of: StreamCreate(phStream: 5, Flags: 0), flags: 0)
            + lane.frame(of: EventCreate(phEvent: 6, Flags: 0), flags: 0)
            + lane.frame(of: EventRecord(hEvent: 6, hStream: 5), flags: 0)
            + lane.frame(of: EventSynchronize(hEvent: 6), flags: reply)
            + lane.frame(of: MemoryFree(address: base, stream: 5), flags: 0)
            + lane.frame(of: ContextSynchronize(context: 1), flags: reply)
    }
}
