import GPUTestKit
import Testing
import Transport
import WireProtocol
import WorkerCore

private let arena = DeviceArena.standard()
private let base = arena.base

@Suite struct KernelTests {
    private func load(_ text: String, _ lane: TestLane) throws -> TestReply<ModuleLoad.Reply> {
        let bytes = Array(text.utf8)
        return try lane.call(ModuleLoad(bulkByteCount: UInt64(bytes.count), module: 3), bulk: bytes)
    }

    private func function(_ name: String, _ lane: TestLane) throws -> TestReply<FunctionLoad.Reply> {
        try Array(name.utf8).withUnsafeBytes { bytes throws in
            try lane.call(FunctionLoad(function: 4, module: 3, name: bytes))
        }
    }

    private func launch(_ lane: TestLane, _ parameters: [UInt64]) throws {
        try parameters.withUnsafeBytes { bytes throws in
            try lane.send(
                Launch(
                    function: 4, gridX: 1, gridY: 1, gridZ: 1, blockX: 1, blockY: 1, blockZ: 1, sharedByteCount: 0,
                    flags: 0, stream: 0, parameters: bytes))
        }
    }

    @Test("a module's variables cost memory until it is unloaded")
    func moduleMemory() throws {
        let fixture = WorkerFixture()
        let lane = try fixture.laneWithContext()
        let loaded = try load(TestKernels.counter, lane)
        #expect(loaded.status == 0)
        try loaded.output.bytes.withUnsafeBytes { bytes in
            var reader = WireReader(bytes)
            let snapshot = try ModuleSnapshot(from: &reader)
            #expect(snapshot.kernelNames == [Array("next".utf8)])
            let global = try #require(snapshot.globals.first)
            #expect(global.address >= base + arena.moduleOffset)
            #expect(
                try lane.call(CopyDeviceToHost(address: global.address, byteCount: 4, stream: 0)).bulk == [41, 0, 0, 0])
        }
        #expect(fixture.worker.status().usedByteCount == 4)
        #expect(try load(TestKernels.counter, lane).status == 400)
        try lane.send(ModuleUnload(module: 3))
        #expect(try lane.call(Ping()).deferredStatus == 0)
        #expect(fixture.worker.status().usedByteCount == 0)
        #expect(try load(TestKernels.counter, lane).status == 0)
    }

    @Test("a module that is unloaded takes its functions along, and their names serve those of the next")
    func functionsOfUnloadedModules() throws {
        let lane = try WorkerFixture().laneWithContext()
        for _ in 0..<2 {
            #expect(try load(TestKernels.counter, lane).status == 0)
            #expect(try function("next", lane).status == 0)
            // One that nobody uses before the module goes, and one that is compiled at its first use.
            try lane.send(FunctionPrepare(function: 5, module: 3, index: 0))
            try lane.send(FunctionPrepare(function: 6, module: 3, index: 0))
            #expect(try lane.call(FunctionDescribe(function: 6)).status == 0)
            #expect(try lane.call(Ping()).deferredStatus == 0)
            try lane.send(ModuleUnload(module: 3))
            for id: UInt64 in 4...6 { #expect(try lane.call(FunctionDescribe(function: id)).status == 400) }
        }
    }

    @Test("printed text comes with the answer of the synchronization")
    func printf() throws {
        let lane = try WorkerFixture().laneWithContext()
        #expect(try load(TestKernels.hello, lane).status == 0)
        #expect(try function("hello", lane).status == 0)
        try launch(lane, [42])
        #expect(String(decoding: try lane.call(StreamSynchronize(hStream: 0)).printf, as: UTF8.self) == "value 42\n")
    }

    @Test("a fault stays on the context, with a sentence, and another session goes on")
    func stickyFault() throws {
        let fixture = WorkerFixture()
        let lane = try fixture.laneWithContext()
        let other = try fixture.laneWithContext()
        #expect(try load(TestKernels.poke, lane).status == 0)
        #expect(try function("poke", lane).status == 0)
        try launch(lane, [base])
        let reply = try lane.call(StreamSynchronize(hStream: 0))
        #expect(reply.status == 700 && reply.deferredStatus == 700)
        #expect(reply.message.contains("poke"))
        #expect(try lane.call(StreamSynchronize(hStream: 0)).status == 700)
        #expect(try lane.call(Ping()).deferredStatus == 700)
        #expect(try other.call(StreamSynchronize(hStream: 0)).status == 0)
        try lane.send(ContextCreate(context: 9, device: 0, flags: 0))
        try lane.send(ContextSetCurrent(context: 9))
        #expect(try lane.call(StreamSynchronize(hStream: 0)).deferredStatus == 0)
    }

    @Test("a client that dies while its kernel runs for ever is forgotten")
    func deathInKernel() throws {
        let fixture = WorkerFixture()
        let lane = try fixture.laneWithContext()
        #expect(try load(TestKernels.spin, lane).status == 0)
        #expect(try function("spin", lane).status == 0)
        try launch(lane, [])
        try lane.write(lane.frame(of: StreamSynchronize(hStream: 0), flags: CommandHeader.replyFlag))
        lane.connection.close()
        #expect(eventually { fixture.worker.sessionCount == 0 })
    }

    @Test("wrong images fail with a log and leave nothing behind")
    func badImages() throws {
        let fixture = WorkerFixture(vramByteCount: 1024)
        let lane = try fixture.laneWithContext()
        let failed = try load(TestKernels.poke.replacing("[%rd1]", with: "[%rd9]"), lane)
        #expect(failed.status == 218 && failed.message.contains("line"))
        #expect(try load("", lane).status == 200)
        #expect(try function("poke", lane).status == 400)
        let huge = ".version 7.0\n.target sm_80\n.address_size 64\n.global .align 4 .b8 big[2048];\n"
        #expect(try load(huge, lane).status == 2)
        #expect(fixture.worker.status().usedByteCount == 0)
        #expect(try lane.call(MemoryInfo(device: 0)).output.freeByteCount == 1024)
    }
}
