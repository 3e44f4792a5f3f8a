import CCUDA
import CUDAClient
import GPUTestKit
import Primitives
import Synchronization
import Testing
import WireProtocol
import WorkerCore

/// What a CUDA program sees, with the driver's functions called as the exports call them.
@Suite(.serialized) struct ProgramTests {
    init() throws { try Program.begin() }

    @Test("a program sees one device with the vGPU's memory")
    func device() throws {
        var count: Int32 = 0
        try Program.check(CUDADriver.deviceGetCount(&count))
        #expect(count == 1)
        var bytes = 0
        try Program.check(CUDADriver.deviceTotalMemV2(&bytes, 0))
        #expect(UInt64(bytes) == Program.vramByteCount)
    }

    @Test("a kernel adds two vectors")
    func kernel() throws {
        let add = try Program.function("add", of: TestKernels.add)
        let places = try (0..<3).map { _ in try Program.allocate(128) }
        try Program.write((0..<32).map { $0 }, to: places[0])
        try Program.write((0..<32).map { $0 * 10 }, to: places[1])
        try Program.check(Program.launch(add, places + [32]))
        #expect(try Program.read(32, from: places[2]) == (0..<32).map { $0 * 11 })
        for place in places { try Program.check(CUDADriver.memFreeV2(place)) }
    }

    @Test("memory beyond the vGPU's is refused at the call, and freed memory can be had again")
    func quota() throws {
        let half = Int(Program.vramByteCount / 2)
        for _ in 0..<10 {
            let first = try Program.allocate(half)
            var second: CUdeviceptr = 0
            #expect(CUDADriver.memAllocV2(&second, half + (1 << 20)) == CUDA_ERROR_OUT_OF_MEMORY)
            try Program.check(CUDADriver.memFreeV2(first))
        }
        try Program.check(CUDADriver.ctxSynchronize())
        #expect(Program.fixture.worker.status().usedByteCount <= 4096)
    }

    @Test("host functions run between the kernels around them")
    func hostFunctions() throws {
        let next = try Program.function("next", of: TestKernels.counter)
        let target = try Program.allocate(4)
        let seen = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
        seen.initialize(to: 0)
        defer { seen.deallocate() }
        var stream: CUstream?
        try Program.check(CUDADriver.streamCreate(&stream, 1))
        try Program.check(Program.launch(next, [target], stream: stream))
        try Program.check(
            CUDADriver.launchHostFunc(
                stream, { $0?.assumingMemoryBound(to: UInt32.self).pointee += 1 }, seen))
        try Program.check(Program.launch(next, [target], stream: stream))
        try Program.check(CUDADriver.streamSynchronize(stream))
        #expect(seen.pointee == 1)
        #expect(try Program.read(1, from: target).first ?? 0 > 42)
        try Program.check(CUDADriver.streamDestroy(stream))
    }

    @Test("work of a thread comes after the work of a thread that it was started by")
    func threads() throws {
        let target = try Program.allocate(4)
        let answers = Mutex<[UInt32]>([])
        for round: UInt32 in 0..<50 {
            // No call waits here, so only the lanes' own order can make the other thread see the value.
            try Program.check(CUDADriver.memsetD32V2(target, round, 1))
            let thread = OSThread.start("test") {
                guard (try? Program.begin()) != nil else { return }
                let value = try? Program.read(1, from: target)
                answers.withLock { $0.append(contentsOf: value ?? []) }
            }
            try #require(thread).join()
        }
        #expect(answers.withLock { $0 } == Array(0..<50))
    }

    @Test("the worker names this process as the one that uses memory")
    func status() throws {
        let place = try Program.allocate(1 << 20)
        try Program.check(CUDADriver.ctxSynchronize())
        let status = Program.fixture.worker.status()
        #expect(status.processes.count == 1)
        #expect(status.processes.first?.usedByteCount ?? 0 >= 1 << 20)
        try Program.check(CUDADriver.memFreeV2(place))
    }
}
