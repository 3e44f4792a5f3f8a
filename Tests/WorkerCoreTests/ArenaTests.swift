import GPUBackend
import GPUTestKit
import SoftwareBackend
import Testing
import WireProtocol

/// A software GPU that gives every session the same addresses, whatever it asks for, as a driver may.
private final class StubbornBackend: GPUBackend {
    static let arena = AddressArena(base: 0x3333_0000_0000, byteCount: 1 << 32)
    private let software = SoftwareBackend(options: SoftwareOptions())

    var devices: [DeviceProperties] { software.devices }

    func makeSession(device: Int, arena: AddressArena, host: any BackendHost) throws(BackendError)
        -> any BackendSession
    {
        try software.makeSession(device: device, arena: StubbornBackend.arena, host: host)
    }
}

@Suite("Arenas")
struct ArenaTests {
    private func reserve(_ lane: TestLane, _ arena: DeviceArena, device: UInt32 = 0) throws -> DeviceArena? {
        let answer = try lane.call(ArenaReserve(device: device, base: arena.base, byteCount: arena.byteCount))
        return answer.status == 0 ? DeviceArena(base: answer.output.base, byteCount: answer.output.byteCount) : nil
    }

    @Test("The worker takes a client's proposal, and memory lies in it")
    func proposal() throws {
        let lane = try WorkerFixture().lane()
        let wanted = DeviceArena(base: 0x2345_0000_0000, byteCount: 1 << 34)
        #expect(try reserve(lane, wanted) == wanted)
        try lane.send(ContextCreate(context: 1, device: 0, flags: 0))
        try lane.send(ContextSetCurrent(context: 1))
        _ = try lane.call(MemoryGrant(device: 0, minimumByteCount: 4096, wantedByteCount: 4096))
        try lane.send(MemoryAllocate(address: wanted.base + 512, byteCount: 512, kind: 0))
        #expect(try lane.call(Ping()).deferredStatus == 0)
        for outside in [wanted.base - 512, wanted.base + wanted.byteCount, wanted.base + wanted.moduleOffset] {
            try lane.send(MemoryAllocate(address: outside, byteCount: 512, kind: 0))
            #expect(try lane.call(Ping()).deferredStatus == BackendStatus.invalidValue)
        }
    }

    @Test("A backend may answer with other addresses")
    func counterProposal() throws {
        let lane = try WorkerFixture(backend: StubbornBackend()).lane()
        let answer = try reserve(lane, DeviceArena.inSlot(7))
        #expect(answer == DeviceArena(base: StubbornBackend.arena.base, byteCount: StubbornBackend.arena.byteCount))
    }

    @Test("A device without contexts moves to the next proposal; one with a context stays")
    func moving() throws {
        let lane = try WorkerFixture().lane()
        #expect(try reserve(lane, .inSlot(1)) == .inSlot(1))
        #expect(try reserve(lane, .inSlot(2)) == .inSlot(2))
        try lane.send(ContextCreate(context: 1, device: 0, flags: 0))
        #expect(try reserve(lane, .inSlot(3)) == .inSlot(2))
        #expect(try reserve(lane, .inSlot(3), device: 1) == .inSlot(3))
    }

    @Test("Proposals that make no sense are refused")
    func nonsense() throws {
        let lane = try WorkerFixture().lane()
        let good = DeviceArena.inSlot(0)
        for (base, byteCount) in [
            (good.base, 0), (good.base, 3 << 30), (good.base, .max), (0, 1 << 40), (good.base + 4096, 1 << 40),
            (1 << 47, 1 << 40), (.max, 1 << 40), (good.base, 1 << 29), (good.base, 1 << 41),
        ] as [(UInt64, UInt64)] {
            #expect(try reserve(lane, DeviceArena(base: base, byteCount: byteCount)) == nil)
        }
        #expect(try reserve(lane, good, device: 64) == nil)
        #expect(try reserve(lane, good) == good)
    }
}
