internal import CCUDA
internal import CUDABinding

extension Suite {
    static let captureCases: [ConformanceCase] = [
        ConformanceCase("capture.replay", "captured work runs at each launch of the graph and not before") { trial in
            let cuda = trial.cuda
            let capture = try Capture(trial)
            let affine = try trial.kernel("affine")
            let address = try trial.upload([UInt32](repeating: 1, count: 1000))
            let copy = try trial.allocate(4000)
            try capture.begin()
            for turn: UInt32 in 0..<3 {
                try trial.launch(
                    affine, LaunchShape(4, 256), on: capture.stream, .address(address), .word(1000), .word(3),
                    .word(turn))
            }
            try cuda.cuMemcpyDtoDAsync_v2(copy, address, 4000, capture.stream)
            try cuda.cuMemsetD32Async(address + 400, 5, 10, capture.stream)
            let graph = try capture.end()
            try requireEqual(try trial.download(address, 1), [1])
            for _ in 0..<5 { try graph.launch(capture.stream) }
            try cuda.cuStreamSynchronize(capture.stream)
            var wanted = [UInt32](repeating: 1, count: 1000)
            var copied = wanted
            for _ in 0..<5 {
                wanted = wanted.map { (($0 &* 3) &* 3 &+ 1) &* 3 &+ 2 }
                copied = wanted
                for index in 100..<110 { wanted[index] = 5 }
            }
            let found = try trial.download(address, 1000)
            try requireEqual(found, wanted)
            try requireEqual(try trial.download(copy, 1000), copied)
            trial.record(found)
            try graph.destroy()
            try capture.destroy()
        },
        ConformanceCase("capture.fork", "streams join a capture by events, and come back") { trial in
            let cuda = trial.cuda
            let capture = try Capture(trial)
            var side: CUstream?
            var events: [CUevent?] = [nil, nil]
            try cuda.cuStreamCreate(&side, CU_STREAM_NON_BLOCKING.rawValue)
            for index in 0..<2 { try cuda.cuEventCreate(&events[index], CU_EVENT_DISABLE_TIMING.rawValue) }
            let out = try trial.allocate(80)
            try cuda.cuMemsetD8_v2(out, 0, 80)
            let sequence = try trial.kernel("sequence")
            try capture.begin()
            try cuda.cuEventRecord(events[0], capture.stream)
            try cuda.cuStreamWaitEvent(side, events[0], 0)
            try trial.launch(sequence, LaunchShape(1, 32), on: side, .address(out), .word(10), .word(1), .word(1))
            try trial.launch(
                sequence, LaunchShape(1, 32), on: capture.stream, .address(out + 40), .word(10), .word(50), .word(1))
            try cuda.cuEventRecord(events[1], side)
            try cuda.cuStreamWaitEvent(capture.stream, events[1], 0)
            let graph = try capture.end()
            try requireEqual(try graph.nodeCount(), 2)
            try graph.launch(capture.stream)
            try cuda.cuStreamSynchronize(capture.stream)
            let found = try trial.download(out, 20)
            try requireEqual(found, (0..<20).map { UInt32($0 < 10 ? 1 + $0 : 40 + $0) })
            trial.record(found)
            try graph.destroy()
            try capture.destroy()
            try cuda.cuStreamDestroy_v2(side)
            for event in events { try cuda.cuEventDestroy_v2(event) }
        },
        ConformanceCase("capture.state", "a stream tells whether it is captured") { trial in
            let cuda = trial.cuda
            let capture = try Capture(trial)
            var state = CU_STREAM_CAPTURE_STATUS_ACTIVE
            try cuda.cuStreamIsCapturing(capture.stream, &state)
            try require(state == CU_STREAM_CAPTURE_STATUS_NONE)
            try capture.begin()
            try cuda.cuStreamIsCapturing(capture.stream, &state)
            try require(state == CU_STREAM_CAPTURE_STATUS_ACTIVE)
            try capture.end().destroy()
            try cuda.cuStreamIsCapturing(capture.stream, &state)
            try require(state == CU_STREAM_CAPTURE_STATUS_NONE)
            try capture.destroy()
        },
        ConformanceCase("capture.wait-refused", "waiting for a captured stream breaks the capture") { trial in
            let cuda = trial.cuda
            let capture = try Capture(trial)
            try capture.begin()
            try expect(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED) { try cuda.cuStreamSynchronize(capture.stream) }
            var graph: CUgraph?
            try expect(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED) { try cuda.cuStreamEndCapture(capture.stream, &graph) }
            try cuda.cuStreamSynchronize(capture.stream)
            try capture.destroy()
        },
        ConformanceCase("capture.host-function", "host functions run at each launch") { trial in
            let cuda = trial.cuda
            let capture = try Capture(trial)
            let log = HostLog()
            try capture.begin()
            try cuda.cuLaunchHostFunc(capture.stream, HostLog.append, log.pointer)
            let graph = try capture.end()
            try requireEqual(log.count, 0)
            for _ in 0..<4 { try graph.launch(capture.stream) }
            try cuda.cuStreamSynchronize(capture.stream)
            try requireEqual(log.count, 4)
            try graph.destroy()
            try capture.destroy()
        },
        ConformanceCase("capture.host-copies", "copies from and to pinned memory use its contents at the launch") {
            trial in
            let cuda = trial.cuda
            let capture = try Capture(trial)
            var raw: UnsafeMutableRawPointer?
            try cuda.cuMemAllocHost_v2(&raw, 8192)
            let host = try some(raw).bindMemory(to: UInt32.self, capacity: 2048)
            let address = try trial.allocate(4096)
            try capture.begin()
            try cuda.cuMemcpyHtoDAsync_v2(address, host, 4096, capture.stream)
            try trial.launch(
                try trial.kernel("affine"), LaunchShape(4, 256), on: capture.stream, .address(address), .word(1024),
                .word(2), .word(1))
            try cuda.cuMemcpyDtoHAsync_v2(host + 1024, address, 4096, capture.stream)
            let graph = try capture.end()
            for turn in 0..<3 {
                for index in 0..<1024 { host[index] = UInt32(index * 10 + turn) }
                try graph.launch(capture.stream)
                try cuda.cuStreamSynchronize(capture.stream)
                let found = Array(UnsafeBufferPointer(start: host + 1024, count: 1024))
                try requireEqual(found, (0..<1024).map { UInt32(2 * ($0 * 10 + turn) + 1) })
                trial.record(found)
            }
            try graph.destroy()
            try cuda.cuMemFreeHost(raw)
            try capture.destroy()
        },
        ConformanceCase("capture.pool", "memory allocated and freed inside a graph") { trial in
            let cuda = trial.cuda
            let capture = try Capture(trial)
            let out = try trial.allocate(4)
            let affine = try trial.kernel("affine")
            try capture.begin()
            var address: CUdeviceptr = 0
            try cuda.cuMemAllocAsync(&address, 4096, capture.stream)
            try cuda.cuMemsetD32Async(address, 20, 1024, capture.stream)
            try trial.launch(
                affine, LaunchShape(1, 32), on: capture.stream, .address(address), .word(1), .word(2), .word(2))
            try cuda.cuMemcpyDtoDAsync_v2(out, address, 4, capture.stream)
            try cuda.cuMemFreeAsync(address, capture.stream)
            let graph = try capture.end()
            for _ in 0..<3 { try graph.launch(capture.stream) }
            try cuda.cuStreamSynchronize(capture.stream)
            try requireEqual(try trial.download(out, 1), [42])
            try graph.destroy()
            try capture.destroy()
        },
    ]
}

/// A stream that is being captured.
final class Capture {
    private let cuda: CUDALibrary
    private(set) var stream: CUstream?

    init(_ trial: Trial) throws {
        cuda = trial.cuda
        try cuda.cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING.rawValue)
    }

    func begin() throws {
        try cuda.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)
    }

    func end() throws -> ReadyGraph {
        var graph: CUgraph?
        try cuda.cuStreamEndCapture(stream, &graph)
        return try ReadyGraph(cuda, try some(graph))
    }

    func destroy() throws {
        try cuda.cuStreamDestroy_v2(stream)
    }
}

/// A graph and what it was instantiated to.
final class ReadyGraph {
    private let cuda: CUDALibrary
    let graph: CUgraph
    private(set) var executable: CUgraphExec?

    init(_ cuda: CUDALibrary, _ graph: CUgraph) throws {
        self.cuda = cuda
        self.graph = graph
        try cuda.cuGraphInstantiateWithFlags(&executable, graph, 0)
    }

    func launch(_ stream: CUstream?) throws {
        try cuda.cuGraphLaunch(executable, stream)
    }

    func nodeCount() throws -> Int {
        var count = 0
        try cuda.cuGraphGetNodes(graph, nil, &count)
        return count
    }

    func destroy() throws {
        try cuda.cuGraphExecDestroy(executable)
        try cuda.cuGraphDestroy(graph)
    }
}
