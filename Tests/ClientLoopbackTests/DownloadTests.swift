import CCUDA
import CUDAClient
import GPUTestKit
import Glibc
import Primitives
import Synchronization
import Testing
import WorkerCore

/// Copies to the host that the program does not wait for.
extension ProgramTests {
    private struct Pinned {
        let words: UnsafeMutablePointer<UInt32>

        init(_ count: Int) throws {
            var start: UnsafeMutableRawPointer?
            try Program.check(CUDADriver.memHostAlloc(&start, count * 4, 0))
            words = try #require(start).bindMemory(to: UInt32.self, capacity: count)
            for index in 0..<count { words[index] = 99 }
        }

        func end() throws { try Program.check(CUDADriver.memFreeHost(words)) }
    }

    /// Waiting calls that reach the worker while `body` runs.
    private func waits(_ body: () throws -> Void) rethrows -> UInt64 {
        let before = Program.fixture.worker.waitingCallCount
        try body()
        return Program.fixture.worker.waitingCallCount - before
    }

    private func stream() throws -> CUstream {
        var stream: CUstream?
        try Program.check(CUDADriver.streamCreate(&stream, 1))
        return try #require(stream)
    }

    @Test("a copy to the host and the synchronization after it are one waiting call", arguments: [true, false])
    func oneWait(isPinned: Bool) throws {
        let place = try Program.allocate(1024)
        try Program.write([1, 2, 3], to: place)
        let pinned = try Pinned(3)
        let pageable = UnsafeMutablePointer<UInt32>.allocate(capacity: 3)
        defer { pageable.deallocate() }
        let target = isPinned ? pinned.words : pageable
        let stream = try stream()
        let count = try waits {
            try Program.check(CUDADriver.memcpyDtoHAsyncV2(target, place, 12, stream))
            try Program.check(CUDADriver.streamSynchronize(stream))
        }
        #expect(count == 1)
        #expect([target[0], target[1], target[2]] == [1, 2, 3])
        // Work after it has to be waited for again.
        let next = try waits {
            try Program.check(CUDADriver.memsetD8Async(place, 0, 12, stream))
            try Program.check(CUDADriver.streamSynchronize(stream))
        }
        #expect(next == 1)
        try Program.check(CUDADriver.streamDestroy(stream))
        try pinned.end()
        try Program.check(CUDADriver.memFreeV2(place))
    }

    @Test("a download has the bytes of its turn, whatever comes behind it in the stream")
    func downloadTurn() throws {
        let place = try Program.allocate(64)
        let pinned = try Pinned(32)
        for round: UInt32 in 0..<16 {
            try Program.check(CUDADriver.memsetD32Async(place, round, 2, nil))
            try Program.check(CUDADriver.memcpyDtoHAsyncV2(pinned.words + Int(round) * 2, place, 8, nil))
        }
        try Program.check(CUDADriver.ctxSynchronize())
        #expect((0..<32).map { pinned.words[$0] } == (0..<32).map { UInt32($0 / 2) })
        try pinned.end()
        try Program.check(CUDADriver.memFreeV2(place))
    }

    @Test("what is copied out of pinned memory, or into it, comes after what is still to arrive there")
    func downloadThenUse() throws {
        let place = try Program.allocate(64)
        let other = try Program.allocate(64)
        let pinned = try Pinned(4)
        try Program.check(CUDADriver.memsetD32Async(place, 7, 4, nil))
        try Program.check(CUDADriver.memcpyDtoHAsyncV2(pinned.words, place, 16, nil))
        try Program.check(CUDADriver.memcpyHtoDAsyncV2(other, pinned.words, 16, nil))
        #expect(try Program.read(4, from: other) == [7, 7, 7, 7])
        try Program.check(CUDADriver.memcpyDtoHAsyncV2(pinned.words, place, 16, nil))
        try Program.check(CUDADriver.memsetD32V2(place, 8, 4))
        try Program.check(CUDADriver.memcpyDtoHV2(pinned.words, place, 16))
        #expect(pinned.words[0] == 8 && pinned.words[3] == 8)
        try pinned.end()
        try Program.check(CUDADriver.memFreeV2(place))
        try Program.check(CUDADriver.memFreeV2(other))
    }

    @Test("events, queries and host functions see what was downloaded before them")
    func downloadObservers() throws {
        let place = try Program.allocate(64)
        let pinned = try Pinned(4)
        let stream = try stream()
        var event: CUevent?
        try Program.check(CUDADriver.eventCreate(&event, 2))
        for round: UInt32 in 1...4 {
            try Program.check(CUDADriver.memsetD32Async(place, round, 1, stream))
            try Program.check(CUDADriver.memcpyDtoHAsyncV2(pinned.words, place, 4, stream))
            try Program.check(CUDADriver.eventRecord(event, stream))
            switch round {
            case 1: try Program.check(CUDADriver.eventSynchronize(event))
            case 2: while CUDADriver.eventQuery(event) == CUDA_ERROR_NOT_READY { _ = sched_yield() }
            case 3: while CUDADriver.streamQuery(stream) == CUDA_ERROR_NOT_READY { _ = sched_yield() }
            default:
                try Program.check(
                    CUDADriver.launchHostFunc(
                        stream,
                        {
                            guard let words = $0?.assumingMemoryBound(to: UInt32.self) else { return }
                            words[1] = words[0] * 10
                        }, pinned.words))
                try Program.check(CUDADriver.streamSynchronize(stream))
                #expect(pinned.words[1] == 40)
            }
            #expect(pinned.words[0] == round)
        }
        try Program.check(CUDADriver.eventDestroy(event))
        try Program.check(CUDADriver.streamDestroy(stream))
        try pinned.end()
        try Program.check(CUDADriver.memFreeV2(place))
    }

    @Test("a host function does not wait for downloads that follow it", .timeLimit(.minutes(1)))
    func downloadBehindHostFunction() throws {
        let place = try Program.allocate(64)
        let pinned = try Pinned(64)
        let stream = try stream()
        // The worker asks for the function while the downloads behind it may be unknown to it.
        for _ in 0..<3000 {
            try Program.check(CUDADriver.launchHostFunc(stream, { _ in }, nil))
            for index in 0..<4 {
                try Program.check(CUDADriver.memcpyDtoHAsyncV2(pinned.words + index, place, 4, stream))
            }
            try Program.check(CUDADriver.streamSynchronize(stream))
        }
        try Program.check(CUDADriver.streamDestroy(stream))
        try pinned.end()
        try Program.check(CUDADriver.memFreeV2(place))
    }

    @Test("a host node sees what was downloaded before the launch of its graph")
    func downloadBeforeGraph() throws {
        let place = try Program.allocate(64)
        let pinned = try Pinned(2)
        let stream = try stream()
        var graph: CUgraph?
        var node: CUgraphNode?
        var executable: CUgraphExec?
        var function = CUDA_HOST_NODE_PARAMS()
        function.fn = {
            guard let words = $0?.assumingMemoryBound(to: UInt32.self) else { return }
            words[1] = words[0] * 10
        }
        function.userData = UnsafeMutableRawPointer(pinned.words)
        try Program.check(CUDADriver.graphCreate(&graph, 0))
        try Program.check(CUDADriver.graphAddHostNode(&node, graph, nil, 0, &function))
        try Program.check(CUDADriver.graphInstantiateWithFlags(&executable, graph, 0))
        for round: UInt32 in 1...20 {
            try Program.check(CUDADriver.memsetD32Async(place, round, 1, stream))
            try Program.check(CUDADriver.memcpyDtoHAsyncV2(pinned.words, place, 4, stream))
            try Program.check(CUDADriver.graphLaunch(executable, stream))
            try Program.check(CUDADriver.streamSynchronize(stream))
            #expect(pinned.words[1] == round * 10)
        }
        try Program.check(CUDADriver.graphExecDestroy(executable))
        try Program.check(CUDADriver.graphDestroy(graph))
        try Program.check(CUDADriver.streamDestroy(stream))
        try pinned.end()
        try Program.check(CUDADriver.memFreeV2(place))
    }

    @Test("rows of a box come to their places, and registered memory is pinned memory")
    func downloadBox() throws {
        let place = try Program.allocate(1024)
        try Program.write((0..<64).map { $0 }, to: place)
        let words = UnsafeMutablePointer<UInt32>.allocate(capacity: 64)
        defer { words.deallocate() }
        words.initialize(repeating: 5, count: 64)
        try Program.check(CUDADriver.memHostRegister(words, 256, 0))
        var request = CUDA_MEMCPY2D()
        request.srcMemoryType = CU_MEMORYTYPE_DEVICE
        request.srcDevice = place
        request.srcPitch = 64
        request.dstMemoryType = CU_MEMORYTYPE_HOST
        request.dstHost = UnsafeMutableRawPointer(words)
        request.dstPitch = 32
        request.WidthInBytes = 8
        request.Height = 3
        let started = try waits { try Program.check(CUDADriver.memcpy2DAsyncV2(&request, nil)) }
        #expect(started == 0)
        try Program.check(CUDADriver.memHostUnregister(words))
        #expect((0..<20).map { words[$0] } == [0, 1, 5, 5, 5, 5, 5, 5, 16, 17, 5, 5, 5, 5, 5, 5, 32, 33, 5, 5])
        try Program.check(CUDADriver.memFreeV2(place))
    }

    @Test("each of several threads that wait sees the bytes that its wait covers")
    func downloadThreads() throws {
        let wrong = Atomic(0)
        let threads = (0..<4).map { (index: UInt32) in
            OSThread.start("test") { if (try? downloadRounds(index)) != true { wrong.add(1, ordering: .relaxed) } }
        }
        for thread in threads { thread?.join() }
        #expect(wrong.load(ordering: .relaxed) == 0)
    }
}

/// Downloads again and again on the calling thread; whether all bytes were right.
private func downloadRounds(_ index: UInt32) throws -> Bool {
    try Program.begin()
    let place = try Program.allocate(4096)
    var start: UnsafeMutableRawPointer?
    try Program.check(CUDADriver.memHostAlloc(&start, 4096, 0))
    let words = try #require(start).bindMemory(to: UInt32.self, capacity: 1024)
    var isRight = true
    for round: UInt32 in 0..<50 {
        let value = round * 4 + index
        try Program.check(CUDADriver.memsetD32Async(place, value, 1024, nil))
        try Program.check(CUDADriver.memcpyDtoHAsyncV2(words, place, 4096, nil))
        try Program.check(CUDADriver.ctxSynchronize())
        if words[0] != value || words[1023] != value { isRight = false }
    }
    try Program.check(CUDADriver.memFreeHost(words))
    try Program.check(CUDADriver.memFreeV2(place))
    return isRight
}
