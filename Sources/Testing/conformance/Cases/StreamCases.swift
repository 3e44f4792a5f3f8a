internal import CCUDA
internal import CPosix
internal import CUDABinding

extension Suite {
    static let streamCases: [ConformanceCase] = [
        ConformanceCase("stream.create", "flags, priorities, ids, contexts of streams") { trial in
            let cuda = trial.cuda
            var least: Int32 = 0
            var greatest: Int32 = 0
            var streams: [CUstream?] = [nil, nil]
            try cuda.cuCtxGetStreamPriorityRange(&least, &greatest)
            try cuda.cuStreamCreateWithPriority(&streams[0], CU_STREAM_NON_BLOCKING.rawValue, greatest)
            try cuda.cuStreamCreate(&streams[1], 0)
            var flags: UInt32 = 9
            var priority: Int32 = 9
            var context: CUcontext?
            var ids: [UInt64] = [0, 0]
            try cuda.cuStreamGetFlags(streams[0], &flags)
            try requireEqual(flags, CU_STREAM_NON_BLOCKING.rawValue)
            try cuda.cuStreamGetPriority(streams[0], &priority)
            try requireEqual(priority, greatest)
            try cuda.cuStreamGetCtx(streams[1], &context)
            try requireEqual(context, trial.context)
            for index in 0..<2 { try cuda.cuStreamGetId(streams[index], &ids[index]) }
            try require(ids[0] != ids[1])
            for stream in streams {
                try cuda.cuStreamQuery(stream)
                try cuda.cuStreamDestroy_v2(stream)
            }
        },
        ConformanceCase("stream.wait-event", "a stream that waits for an event sees what was before it") { trial in
            let cuda = trial.cuda
            var streams: [CUstream?] = [nil, nil]
            var event: CUevent?
            for index in 0..<2 { try cuda.cuStreamCreate(&streams[index], CU_STREAM_NON_BLOCKING.rawValue) }
            try cuda.cuEventCreate(&event, CU_EVENT_DISABLE_TIMING.rawValue)
            let affine = try trial.kernel("affine")
            let address = try trial.allocate(40_000)
            try cuda.cuMemsetD32Async(address, 1, 10_000, streams[0])
            for turn in 0..<10 {
                let (one, other) = (streams[turn % 2], streams[(turn + 1) % 2])
                try trial.launch(
                    affine, LaunchShape(40, 256), on: one, .address(address), .word(10_000), .word(3),
                    .word(UInt32(turn)))
                try cuda.cuEventRecord(event, one)
                try cuda.cuStreamWaitEvent(other, event, 0)
            }
            try cuda.cuStreamSynchronize(streams[0])
            try cuda.cuStreamSynchronize(streams[1])
            let wanted = (0..<10).reduce(UInt32(1)) { $0 &* 3 &+ UInt32($1) }
            let found = try trial.download(address, 10_000)
            try requireEqual(found, [UInt32](repeating: wanted, count: 10_000))
            trial.record(found)
            for stream in streams { try cuda.cuStreamDestroy_v2(stream) }
            try cuda.cuEventDestroy_v2(event)
        },
        ConformanceCase("stream.legacy", "the legacy default stream is in order with blocking streams") { trial in
            let cuda = trial.cuda
            var stream: CUstream?
            try cuda.cuStreamCreate(&stream, CU_STREAM_DEFAULT.rawValue)
            let affine = try trial.kernel("affine")
            let address = try trial.allocate(4)
            try cuda.cuMemsetD32_v2(address, 1, 1)
            for turn: UInt32 in 0..<12 {
                try trial.launch(
                    affine, LaunchShape(1, 32), on: turn % 2 == 0 ? stream : nil, .address(address), .word(1), .word(5),
                    .word(turn))
            }
            let wanted = (0..<12).reduce(UInt32(1)) { $0 &* 5 &+ UInt32($1) }
            try requireEqual(try trial.download(address, 1), [wanted])
            try cuda.cuStreamDestroy_v2(stream)
            trial.record([wanted])
        },
        ConformanceCase("stream.special-handles", "the handles 1 and 2 name the default streams") { trial in
            let cuda = trial.cuda
            let address = try trial.allocate(8)
            try cuda.cuMemsetD32Async(address, 11, 1, OpaquePointer(bitPattern: 1))
            try cuda.cuMemsetD32Async(address + 4, 22, 1, OpaquePointer(bitPattern: 2))
            try cuda.cuStreamSynchronize(OpaquePointer(bitPattern: 1))
            try cuda.cuStreamSynchronize(OpaquePointer(bitPattern: 2))
            try requireEqual(try trial.download(address, 2), [11, 22])
        },
        ConformanceCase("stream.host-function", "host functions run in stream order and once") { trial in
            let cuda = trial.cuda
            var stream: CUstream?
            try cuda.cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING.rawValue)
            let log = HostLog()
            let address = try trial.allocate(4)
            for turn in 1...5 {
                try cuda.cuMemsetD32Async(address, UInt32(turn), 1, stream)
                try cuda.cuMemcpyDtoHAsync_v2(log.room + turn, address, 4, stream)
                try cuda.cuLaunchHostFunc(stream, HostLog.append, log.pointer)
            }
            try cuda.cuStreamSynchronize(stream)
            try requireEqual(log.count, 5)
            try requireEqual((1...5).map { log.room[$0] }, [1, 2, 3, 4, 5])
            try cuda.cuStreamDestroy_v2(stream)
            trial.record([log.count])
        },
        ConformanceCase("stream.callback", "a callback gets its stream and the state of success") { trial in
            let cuda = trial.cuda
            var stream: CUstream?
            try cuda.cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING.rawValue)
            let log = HostLog()
            try cuda.cuStreamAddCallback(
                stream,
                { _, status, data in
                    if status == CUDA_SUCCESS { HostLog.append(data) }
                }, log.pointer, 0)
            try cuda.cuStreamSynchronize(stream)
            try requireEqual(log.count, 1)
            try cuda.cuStreamDestroy_v2(stream)
        },
        ConformanceCase("stream.host-function-blocks", "work behind a host function waits for it") { trial in
            let cuda = trial.cuda
            var stream: CUstream?
            var event: CUevent?
            try cuda.cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING.rawValue)
            try cuda.cuEventCreate(&event, CU_EVENT_DISABLE_TIMING.rawValue)
            let log = HostLog()
            try cuda.cuLaunchHostFunc(
                stream,
                { data in
                    guard let data else { return }
                    while posix_atomic_load_acquire_32(data + 4) == 0 { posix_yield() }
                    HostLog.append(data)
                }, log.pointer)
            try cuda.cuEventRecord(event, stream)
            try expect(CUDA_ERROR_NOT_READY) { try cuda.cuEventQuery(event) }
            try expect(CUDA_ERROR_NOT_READY) { try cuda.cuStreamQuery(stream) }
            posix_atomic_store_release_32(log.pointer + 4, 1)
            try cuda.cuEventSynchronize(event)
            try requireEqual(log.count, 1)
            try cuda.cuStreamDestroy_v2(stream)
            try cuda.cuEventDestroy_v2(event)
        },
        ConformanceCase("stream.destroy-busy", "a stream may be destroyed with work in it") { trial in
            let cuda = trial.cuda
            let address = try trial.allocate(4096)
            for value: UInt32 in 1...5 {
                var stream: CUstream?
                try cuda.cuStreamCreate(&stream, 0)
                try cuda.cuMemsetD32Async(address, value, 1024, stream)
                try cuda.cuStreamDestroy_v2(stream)
                try cuda.cuCtxSynchronize()
                try requireEqual(try trial.download(address, 1024), [UInt32](repeating: value, count: 1024))
            }
        },
        ConformanceCase("stream.many", "fifty streams at once") { trial in
            let cuda = trial.cuda
            var streams = [CUstream?](repeating: nil, count: 50)
            let sequence = try trial.kernel("sequence")
            let address = try trial.allocate(50 * 4000)
            for index in streams.indices {
                try cuda.cuStreamCreate(&streams[index], CU_STREAM_NON_BLOCKING.rawValue)
                try trial.launch(
                    sequence, LaunchShape(4, 256), on: streams[index], .address(address + UInt64(index * 4000)),
                    .word(1000), .word(UInt32(index * 1000)), .word(1))
            }
            for stream in streams {
                try cuda.cuStreamSynchronize(stream)
                try cuda.cuStreamDestroy_v2(stream)
            }
            let found = try trial.download(address, 50_000)
            try requireEqual(found, (0..<50_000).map { UInt32($0) })
            trial.record(found)
        },
    ]

    static let eventCases: [ConformanceCase] = [
        ConformanceCase("event.timing", "time between events grows with the work between") { trial in
            let cuda = trial.cuda
            var events: [CUevent?] = [nil, nil, nil]
            for index in events.indices { try cuda.cuEventCreate(&events[index], CU_EVENT_DEFAULT.rawValue) }
            let busy = try trial.kernel("busy")
            let address = try trial.allocate(4)
            try trial.launch(busy, LaunchShape(1, 1), .address(address), .word(10))
            try cuda.cuEventRecord(events[0], nil)
            try trial.launch(busy, LaunchShape(1, 1), .address(address), .word(100))
            try cuda.cuEventRecord(events[1], nil)
            try trial.launch(busy, LaunchShape(1, 1), .address(address), .word(200_000))
            try cuda.cuEventRecord(events[2], nil)
            try cuda.cuEventSynchronize(events[2])
            var short: Float = -1
            var long: Float = -1
            try cuda.cuEventElapsedTime(&short, events[0], events[1])
            try cuda.cuEventElapsedTime(&long, events[1], events[2])
            try require(short >= 0 && long > 0.05 && long < 10_000, "\(short) ms and \(long) ms")
            for event in events { try cuda.cuEventDestroy_v2(event) }
        },
        ConformanceCase("event.not-recorded", "an event that was never recorded is done, and has no time") { trial in
            let cuda = trial.cuda
            var events: [CUevent?] = [nil, nil]
            for index in events.indices { try cuda.cuEventCreate(&events[index], 0) }
            try cuda.cuEventQuery(events[0])
            try cuda.cuEventSynchronize(events[0])
            var time: Float = 0
            try expect(CUDA_ERROR_INVALID_HANDLE) { try cuda.cuEventElapsedTime(&time, events[0], events[1]) }
            for event in events { try cuda.cuEventDestroy_v2(event) }
        },
        ConformanceCase("event.no-timing", "an event without timing has no time") { trial in
            let cuda = trial.cuda
            var events: [CUevent?] = [nil, nil]
            for index in events.indices {
                try cuda.cuEventCreate(&events[index], CU_EVENT_DISABLE_TIMING.rawValue)
                try cuda.cuEventRecord(events[index], nil)
            }
            try cuda.cuCtxSynchronize()
            var time: Float = 0
            try expect(CUDA_ERROR_INVALID_HANDLE) { try cuda.cuEventElapsedTime(&time, events[0], events[1]) }
            for event in events { try cuda.cuEventDestroy_v2(event) }
        },
        ConformanceCase("event.again", "an event can be recorded many times, the last counts") { trial in
            let cuda = trial.cuda
            var event: CUevent?
            try cuda.cuEventCreate(&event, 0)
            let address = try trial.allocate(4)
            for value: UInt32 in 1...100 {
                try cuda.cuMemsetD32Async(address, value, 1, nil)
                try cuda.cuEventRecord(event, nil)
            }
            try cuda.cuEventSynchronize(event)
            try requireEqual(try trial.download(address, 1), [100])
            try cuda.cuEventDestroy_v2(event)
        },
    ]
}

/// Memory that host functions count in: a count, a gate, and room for copies.
final class HostLog {
    /// What host functions get: the count, and behind it a word to wait for.
    let pointer = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 64)
    /// Words that copies go to.
    let room = UnsafeMutablePointer<UInt32>.allocate(capacity: 64)

    init() {
        pointer.initializeMemory(as: UInt32.self, repeating: 0, count: 16)
        room.initialize(repeating: 0, count: 64)
    }

    deinit {
        pointer.deallocate()
        room.deallocate()
    }

    var count: UInt32 { posix_atomic_load_acquire_32(pointer) }

    /// A host function that counts.
    static let append: @convention(c) (UnsafeMutableRawPointer?) -> Void = { data in
        if let data { _ = posix_atomic_add_32(data, 1) }
    }
}
