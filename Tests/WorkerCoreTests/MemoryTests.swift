import GPUTestKit
import Testing
import Transport
import WireProtocol
import WorkerCore

private let arena = DeviceArena.standard()
private let base = arena.base

@Suite struct MemoryTests {
    @Test("bytes come back as they were written")
    func roundTrip() throws {
        let fixture = WorkerFixture()
        let lane = try fixture.laneWithContext()
        #expect(
            try lane.call(MemoryGrant(device: 0, minimumByteCount: 1 << 20, wantedByteCount: 2 << 20))
                .output.grantedByteCount == 2 << 20)
        try lane.send(MemoryAllocate(address: base, byteCount: 1 << 20, kind: 0))
        let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        try lane.send(CopyHostToDevice(bulkByteCount: 100_000, address: base + 3, stream: 0), bulk: bytes)
        let reply = try lane.call(CopyDeviceToHost(address: base + 3, byteCount: 100_000, stream: 0))
        #expect(reply.status == 0 && reply.deferredStatus == 0)
        #expect(reply.bulk == bytes)
    }

    @Test("all memory of a client that is gone is there for the next one at once")
    func reclaim() throws {
        let fixture = WorkerFixture()
        let all = fixture.worker.configuration.vramByteCount
        for _ in 0..<10 {
            let lane = try fixture.laneWithContext()
            let reply = try lane.call(MemoryGrant(device: 0, minimumByteCount: all, wantedByteCount: all))
            #expect(reply.status == 0)
            try lane.send(MemoryAllocate(address: base, byteCount: all, kind: 0))
            try lane.send(
                Fill(
                    address: base, pitch: 0, elementByteCount: 1, value: 9, width: all, height: 1, stream: 0))
            lane.connection.close()
        }
    }

    @Test("boxes are packed on the wire and spread in memory")
    func boxes() throws {
        let fixture = WorkerFixture()
        let lane = try fixture.laneWithContext()
        _ = try lane.call(MemoryGrant(device: 0, minimumByteCount: 8192, wantedByteCount: 8192))
        try lane.send(MemoryAllocate(address: base, byteCount: 4096, kind: 0))
        try lane.send(MemoryAllocate(address: base + 4096, byteCount: 4096, kind: 0))
        try lane.send(
            Fill(
                address: base, pitch: 0, elementByteCount: 1, value: 9, width: 4096, height: 1, stream: 0))
        try lane.send(
            CopyHostToDevice3D(
                bulkByteCount: 24, address: base, pitch: 16, slicePitch: 64, width: 4, height: 3, depth: 2, stream: 0),
            bulk: Array(0..<24))
        try lane.send(
            CopyDeviceToDevice3D(
                destination: base + 4096, destinationPitch: 8, destinationSlicePitch: 24, source: base,
                sourcePitch: 16, sourceSlicePitch: 64, width: 4, height: 3, depth: 2, stream: 0))
        let box = try lane.call(
            CopyDeviceToHost3D(
                address: base + 4096, pitch: 8, slicePitch: 24, width: 4, height: 3, depth: 2, stream: 0))
        #expect(box.bulk == Array(0..<24))
        let row = try lane.call(CopyDeviceToHost(address: base, byteCount: 20, stream: 0))
        #expect(row.bulk == [0, 1, 2, 3] + [UInt8](repeating: 9, count: 12) + [4, 5, 6, 7])
    }

    @Test("elements of a fill keep their width")
    func fills() throws {
        let fixture = WorkerFixture()
        let lane = try fixture.laneWithContext()
        _ = try lane.call(MemoryGrant(device: 0, minimumByteCount: 512, wantedByteCount: 512))
        try lane.send(MemoryAllocate(address: base, byteCount: 512, kind: 0))
        try lane.send(
            Fill(
                address: base, pitch: 0, elementByteCount: 4, value: 0x0102_0304, width: 2, height: 1, stream: 0))
        try lane.send(
            Fill(
                address: base + 4, pitch: 0, elementByteCount: 2, value: 0x0506, width: 1, height: 1, stream: 0))
        let reply = try lane.call(CopyDeviceToHost(address: base, byteCount: 8, stream: 0))
        #expect(reply.bulk == [4, 3, 2, 1, 6, 5, 2, 1])
    }

    @Test("a client that allocates beyond its grant learns it at the next answer")
    func allocationBeyondGrant() throws {
        let fixture = WorkerFixture()
        let lane = try fixture.laneWithContext()
        try lane.send(MemoryAllocate(address: base, byteCount: 512, kind: 0))
        #expect(try lane.call(Ping()).deferredStatus == 2)
        #expect(try lane.call(Ping()).deferredStatus == 0)
        #expect(try lane.call(CopyDeviceToHost(address: base, byteCount: 1, stream: 0)).status == 1)
    }

    @Test("two sessions share one limit and not their addresses")
    func quota() throws {
        let fixture = WorkerFixture(vramByteCount: 1 << 20)
        let first = try fixture.laneWithContext()
        let second = try fixture.laneWithContext()
        #expect(
            try first.call(MemoryGrant(device: 0, minimumByteCount: 600 << 10, wantedByteCount: 600 << 10))
                .output.grantedByteCount == 600 << 10)
        #expect(
            try second.call(MemoryGrant(device: 0, minimumByteCount: 600 << 10, wantedByteCount: 600 << 10)).status == 2
        )
        #expect(
            try second.call(MemoryGrant(device: 0, minimumByteCount: 1, wantedByteCount: 600 << 10))
                .output.grantedByteCount == 424 << 10)
        for (lane, value) in [(first, UInt32(1)), (second, UInt32(2))] {
            try lane.send(MemoryAllocate(address: base, byteCount: 4096, kind: 0))
            try lane.send(
                Fill(
                    address: base, pitch: 0, elementByteCount: 1, value: value, width: 4096, height: 1, stream: 0))
        }
        #expect(try first.call(CopyDeviceToHost(address: base, byteCount: 1, stream: 0)).bulk == [1])
        #expect(try second.call(CopyDeviceToHost(address: base, byteCount: 1, stream: 0)).bulk == [2])
        let free = try first.call(MemoryInfo(device: 0)).output
        #expect(free.totalByteCount == 1 << 20 && free.freeByteCount == 596 << 10)
        try first.send(MemoryReturn(device: 0, byteCount: 400 << 10))
        _ = try first.call(Ping())
        #expect(
            try second.call(MemoryGrant(device: 0, minimumByteCount: 500 << 10, wantedByteCount: 500 << 10)).status == 2
        )
        try first.send(MemoryFree(address: base, stream: StreamID.all))
        try first.send(MemoryReturn(device: 0, byteCount: 100 << 10))
        _ = try first.call(Ping())
        #expect(
            try second.call(MemoryGrant(device: 0, minimumByteCount: 500 << 10, wantedByteCount: 500 << 10)).status == 0
        )
    }

    @Test("a client can't allocate where the worker places variables, twice, or outside the arena")
    func badAddresses() throws {
        let fixture = WorkerFixture()
        let lane = try fixture.laneWithContext()
        _ = try lane.call(MemoryGrant(device: 0, minimumByteCount: 1 << 20, wantedByteCount: 1 << 20))
        try lane.send(MemoryAllocate(address: base, byteCount: 512, kind: 0))
        let bad: [(UInt64, UInt64, UInt32)] = [
            (base, 512, 0), (base + arena.moduleOffset, 512, 0), (base - 512, 512, 0),
            (base + arena.byteCount, 512, 0), (base + 512, 0, 0), (base + 7, 512, 0), (base + 512, 512, 3),
            (.max, .max, 0), (base + arena.moduleOffset - 512, 1024, 0),
        ]
        for (address, byteCount, kind) in bad {
            try lane.send(MemoryAllocate(address: address, byteCount: byteCount, kind: kind))
            #expect(try lane.call(Ping()).deferredStatus != 0, "\(address) \(byteCount) \(kind)")
        }
        try lane.send(MemoryFree(address: base + 512, stream: StreamID.all))
        #expect(try lane.call(Ping()).deferredStatus == 1)
        #expect(try fixture.monitor().call(VGPUStatusQuery()).status == 0)
        #expect(fixture.worker.status().usedByteCount == 512)
    }

    @Test("copies outside of live memory fail and leave the lane in order")
    func badCopies() throws {
        let fixture = WorkerFixture()
        let lane = try fixture.laneWithContext()
        _ = try lane.call(MemoryGrant(device: 0, minimumByteCount: 1 << 20, wantedByteCount: 1 << 20))
        try lane.send(MemoryAllocate(address: base, byteCount: 512, kind: 0))
        try lane.send(
            CopyHostToDevice(bulkByteCount: 100_000, address: base, stream: 0),
            bulk: [UInt8](repeating: 1, count: 100_000))
        #expect(try lane.call(Ping()).deferredStatus == 1)
        #expect(try lane.call(CopyDeviceToHost(address: base + 500, byteCount: 13, stream: 0)).status == 1)
        #expect(try lane.call(CopyDeviceToHost(address: .max, byteCount: .max, stream: 0)).status == 1)
        let box = CopyDeviceToHost3D(
            address: base, pitch: .max, slicePitch: .max, width: 2, height: .max, depth: 3, stream: 0)
        #expect(try lane.call(box).status == 1)
        #expect(try lane.call(CopyDeviceToHost(address: base, byteCount: 512, stream: 0)).bulk.count == 512)
    }
}
