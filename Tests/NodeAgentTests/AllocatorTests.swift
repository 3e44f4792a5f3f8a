import NodeModel
import Testing

@Suite("Allocator")
struct AllocatorTests {
    private static func capacity(_ name: String, gibibytes: UInt64) -> DeviceCapacity {
        DeviceCapacity(
            device: Device(
                id: DeviceID(rawValue: name), name: "test", kind: .software, memory: .gibibytes(gibibytes)))
    }

    private static func request(_ mebibytes: UInt64, _ percent: Int, count: Int = 1) throws -> GPURequest {
        GPURequest(
            memory: .mebibytes(mebibytes), compute: try #require(ComputeShare(percent: percent)), count: count,
            program: "test")
    }

    private static func devices(_ result: Result<[Placement], Refusal>) throws -> [String] {
        try result.get().map(\.device.rawValue)
    }

    @Test("One vGPU goes to the fullest device that has room")
    func packing() throws {
        var small = AllocatorTests.capacity("gpu-0", gibibytes: 8)
        var full = AllocatorTests.capacity("gpu-1", gibibytes: 8)
        small.allocatedPercent = 10
        full.allocatedPercent = 60
        full.allocatedMebibytes = 1024
        let fits = Allocator.place(try AllocatorTests.request(1024, 40), on: [small, full])
        #expect(try AllocatorTests.devices(fits) == ["gpu-1"])
        let tooLarge = Allocator.place(try AllocatorTests.request(1024, 41), on: [small, full])
        #expect(try AllocatorTests.devices(tooLarge) == ["gpu-0"])
    }

    @Test("Several vGPUs go to different devices, and share one only where they must")
    func spreading() throws {
        let capacities = [
            AllocatorTests.capacity("gpu-0", gibibytes: 8), AllocatorTests.capacity("gpu-1", gibibytes: 8),
        ]
        let two = Allocator.place(try AllocatorTests.request(1024, 30, count: 2), on: capacities)
        #expect(try AllocatorTests.devices(two).sorted() == ["gpu-0", "gpu-1"])
        let five = Allocator.place(try AllocatorTests.request(1024, 30, count: 5), on: capacities)
        #expect(try AllocatorTests.devices(five).filter { $0 == "gpu-0" }.count == 3)
        let tooMany = Allocator.place(try AllocatorTests.request(1024, 40, count: 5), on: capacities)
        #expect(throws: Refusal.self) { try tooMany.get() }
    }

    @Test("A refusal names what each device lacks and by how much")
    func refusal() throws {
        var busy = AllocatorTests.capacity("gpu-0", gibibytes: 8)
        busy.allocatedMebibytes = 7 * 1024
        busy.allocatedPercent = 90
        let small = AllocatorTests.capacity("gpu-1", gibibytes: 1)
        let result = Allocator.place(try AllocatorTests.request(2048, 50), on: [busy, small])
        guard case .failure(let refusal) = result else { Issue.record("placed"); return }
        #expect(
            refusal.message == """
                No room for a vGPU of 2 GiB and 50 % of compute:
                  gpu-0: 1 GiB of memory is free, 1 GiB too little; 10 % of compute is free, 40 % too little
                  gpu-1: 1 GiB of memory is free, 1 GiB too little
                Wait for a program to end (`roost ps` lists them), or ask for less with --vram, --compute or --gpus.
                """)
        let never = Allocator.place(try AllocatorTests.request(16 * 1024, 50), on: [busy, small])
        guard case .failure(let refusal) = never else { Issue.record("placed"); return }
        #expect(!refusal.fitsWhenIdle)
        #expect(refusal.message.hasSuffix("`roost devices` shows their sizes."))
    }

    @Test("A node without devices says so")
    func noDevices() throws {
        guard case .failure(let refusal) = Allocator.place(try AllocatorTests.request(1, 1), on: []) else {
            Issue.record("placed")
            return
        }
        #expect(refusal.message.contains("this node has no devices"))
    }

    @Test("Random requests never take more than a device has, and are refused only without room", arguments: 0..<20)
    func randomRequests(_ seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        var capacities = (0..<3).map { AllocatorTests.capacity("gpu-\($0)", gibibytes: UInt64(1 + $0 * 4)) }
        for _ in 0..<200 {
            let request = try AllocatorTests.request(
                UInt64.random(in: 1...2048, using: &random), Int.random(in: 1...60, using: &random),
                count: Int.random(in: 1...3, using: &random))
            let mebibytes = request.memory.coveringMebibytes
            // Counted by hand: how many of one size the devices still hold.
            let room = capacities.reduce(0) { room, capacity in
                room + min(Int(capacity.freeMebibytes / mebibytes), capacity.freePercent / request.compute.percent)
            }
            switch Allocator.place(request, on: capacities) {
            case .success(let placements):
                #expect(placements.count == request.count)
                for placement in placements {
                    let index = try #require(capacities.firstIndex { $0.device.id == placement.device })
                    capacities[index].allocatedMebibytes += mebibytes
                    capacities[index].allocatedPercent += request.compute.percent
                }
            case .failure(let refusal):
                #expect(room < request.count)
                #expect(refusal.shortfalls.map(\.room).reduce(0, +) == room)
                for index in capacities.indices where Bool.random(using: &random) {
                    capacities[index].allocatedMebibytes = 0
                    capacities[index].allocatedPercent = 0
                }
            }
            for capacity in capacities {
                #expect(capacity.allocatedMebibytes <= capacity.device.memory.wholeMebibytes)
                #expect(capacity.allocatedPercent <= 100)
            }
        }
    }
}
