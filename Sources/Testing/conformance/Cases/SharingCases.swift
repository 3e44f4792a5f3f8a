internal import CCUDA
internal import CUDABinding
internal import Glibc
internal import Primitives

extension Suite {
    static let streamMemoryCases: [ConformanceCase] = [
        ConformanceCase("stream-memory.write-wait", "a stream writes a word that another waits for") { trial in
            let cuda = trial.cuda
            var streams: [CUstream?] = [nil, nil]
            for index in 0..<2 { try cuda.cuStreamCreate(&streams[index], CU_STREAM_NON_BLOCKING.rawValue) }
            let words = try trial.upload([UInt32](repeating: 0, count: 4))
            let out = try trial.upload([UInt32(0)])
            try cuda.cuMemsetD32Async(out, 1, 1, streams[0])
            try cuda.cuStreamWriteValue32_v2(streams[0], words, 5, 0)
            try cuda.cuStreamWaitValue32_v2(streams[1], words, 5, CU_STREAM_WAIT_VALUE_GEQ.rawValue)
            try trial.launch(
                try trial.kernel("affine"), LaunchShape(1, 1), on: streams[1], .address(out), .word(1), .word(6),
                .word(1))
            try cuda.cuStreamSynchronize(streams[1])
            try requireEqual(try trial.download(out, 1), [7])
            try requireEqual(try trial.download(words, 1), [5])
            for stream in streams { try cuda.cuStreamDestroy_v2(stream) }
        },
        ConformanceCase("stream-memory.host-gate", "a stream waits for a word that the host writes") { trial in
            let cuda = trial.cuda
            var raw: UnsafeMutableRawPointer?
            var gate: CUdeviceptr = 0
            try cuda.cuMemHostAlloc(&raw, 4096, UInt32(CU_MEMHOSTALLOC_DEVICEMAP))
            try cuda.cuMemHostGetDevicePointer_v2(&gate, raw, 0)
            let host = try some(raw).bindMemory(to: UInt32.self, capacity: 1)
            host[0] = 0
            var stream: CUstream?
            try cuda.cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING.rawValue)
            try cuda.cuStreamWaitValue32_v2(stream, gate, 9, CU_STREAM_WAIT_VALUE_EQ.rawValue)
            let out = try trial.allocate(4)
            try cuda.cuMemsetD32Async(out, 77, 1, stream)
            try expect(CUDA_ERROR_NOT_READY) { try cuda.cuStreamQuery(stream) }
            host[0] = 9
            try cuda.cuStreamSynchronize(stream)
            try requireEqual(try trial.download(out, 1), [77])
            try cuda.cuStreamDestroy_v2(stream)
            try cuda.cuMemFreeHost(raw)
        },
        ConformanceCase("stream-memory.batch", "several operations in one call") { trial in
            let words = try trial.upload([UInt32](repeating: 0, count: 4))
            var operations = (0..<2).map { index in
                var operation = CUstreamBatchMemOpParams()
                operation.writeValue.operation = CU_STREAM_MEM_OP_WRITE_VALUE_32
                operation.writeValue.address = words + UInt64(index * 4)
                operation.writeValue.value = UInt32(10 + index)
                return operation
            }
            var stream: CUstream?
            try trial.cuda.cuStreamCreate(&stream, 0)
            try trial.cuda.cuStreamBatchMemOp_v2(stream, 2, &operations, 0)
            try trial.cuda.cuStreamSynchronize(stream)
            try requireEqual(try trial.download(words, 2), [10, 11])
            try trial.cuda.cuStreamDestroy_v2(stream)
        },
    ]

    static let sharingCases: [ConformanceCase] = [
        ConformanceCase("ipc.memory", "another process opens memory, reads and changes it") { trial in
            let cuda = trial.cuda
            let values = trial.words(1000, seed: 60)
            let address = try trial.upload(values)
            var handle = CUipcMemHandle()
            try cuda.cuIpcGetMemHandle(&handle, address)
            try cuda.cuCtxSynchronize()
            let text = withUnsafeBytes(of: handle) { hexadecimal($0) }
            try requireEqual(try trial.spawn("ipc-memory", text).exitStatus(), 0)
            let found = try trial.download(address, 1000)
            try requireEqual(found, values.map { $0 &* 3 &+ 1 })
            trial.record(found)
        },
        ConformanceCase("ipc.event", "another process waits for an event of this one") { trial in
            let cuda = trial.cuda
            var event: CUevent?
            let flags = CU_EVENT_INTERPROCESS.rawValue | CU_EVENT_DISABLE_TIMING.rawValue
            try cuda.cuEventCreate(&event, flags)
            let address = try trial.allocate(4096)
            var memory = CUipcMemHandle()
            var shared = CUipcEventHandle()
            try cuda.cuIpcGetMemHandle(&memory, address)
            try cuda.cuIpcGetEventHandle(&shared, event)
            try cuda.cuMemsetD32Async(address, 41, 1024, nil)
            try cuda.cuEventRecord(event, nil)
            let memoryText = withUnsafeBytes(of: memory) { hexadecimal($0) }
            let eventText = withUnsafeBytes(of: shared) { hexadecimal($0) }
            try requireEqual(try trial.spawn("ipc-event", memoryText, eventText).exitStatus(), 0)
            try cuda.cuEventDestroy_v2(event)
        },
        ConformanceCase("ipc.virtual-memory", "physical memory passed on as a descriptor") { trial in
            try trial.needs(CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED, "virtual memory management")
            try trial.needs(
                CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED, "descriptors of memory")
            let cuda = trial.cuda
            var properties = VirtualMemory.properties(trial)
            properties.requestedHandleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR
            var byteCount = 0
            try cuda.cuMemGetAllocationGranularity(&byteCount, &properties, CU_MEM_ALLOC_GRANULARITY_MINIMUM)
            var piece: CUmemGenericAllocationHandle = 0
            var address: CUdeviceptr = 0
            try cuda.cuMemCreate(&piece, byteCount, &properties, 0)
            try cuda.cuMemAddressReserve(&address, byteCount, 0, 0, 0)
            try cuda.cuMemMap(address, byteCount, 0, piece, 0)
            var access = VirtualMemory.access(trial)
            try cuda.cuMemSetAccess(address, byteCount, &access, 1)
            let values = trial.words(1000, seed: 61)
            try trial.write(values, to: address)
            var descriptor: Int32 = -1
            try cuda.cuMemExportToShareableHandle(&descriptor, piece, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0)
            defer { close(descriptor) }
            let child = try trial.spawn("virtual", "\(byteCount)", passing: descriptor)
            try requireEqual(child.exitStatus(), 0)
            let found = try trial.download(address, 1000)
            try requireEqual(found, values.map { $0 &* 3 &+ 1 })
            trial.record(found)
            try cuda.cuMemUnmap(address, byteCount)
            try cuda.cuMemRelease(piece)
            try cuda.cuMemAddressFree(address, byteCount)
        },
        ConformanceCase("peer.copies", "memory of one device copied to another") { trial in
            guard try trial.deviceCount() > 1 else { throw CaseFailure.unsupported("there is one device") }
            let cuda = trial.cuda
            var other: CUdevice = 0
            var context: CUcontext?
            var can: Int32 = 0
            try cuda.cuDeviceGet(&other, 1)
            try cuda.cuDeviceCanAccessPeer(&can, trial.device, other)
            let values = trial.words(10_000, seed: 62)
            let address = try trial.upload(values)
            try cuda.cuDevicePrimaryCtxRetain(&context, other)
            try cuda.cuCtxSetCurrent(context)
            var target: CUdeviceptr = 0
            try cuda.cuMemAlloc_v2(&target, 40_000)
            try cuda.cuMemcpyPeer(target, context, address, trial.context, 40_000)
            let found = try trial.download(target, 10_000)
            try requireEqual(found, values)
            try cuda.cuMemFree_v2(target)
            try cuda.cuCtxSetCurrent(trial.context)
            try cuda.cuDevicePrimaryCtxRelease_v2(other)
            trial.record(found)
        },
        ConformanceCase("green.context", "a context with a part of the multiprocessors") { trial in
            let cuda = trial.cuda
            var whole = CUdevResource()
            try cuda.cuDeviceGetDevResource(trial.device, &whole, CU_DEV_RESOURCE_TYPE_SM)
            let count = try trial.attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)
            try requireEqual(Int(whole.sm.smCount), count)
            guard count >= 8 else { throw CaseFailure.unsupported("\(count) multiprocessors are too few to split") }
            var part = CUdevResource()
            var groups: UInt32 = 1
            try cuda.cuDevSmResourceSplitByCount(&part, &groups, &whole, nil, 0, 4)
            try require(part.sm.smCount >= 4, "\(part.sm.smCount) multiprocessors")
            var description: CUdevResourceDesc?
            var green: CUgreenCtx?
            var stream: CUstream?
            try cuda.cuDevResourceGenerateDesc(&description, &part, 1)
            let flags = UInt32(CU_GREEN_CTX_DEFAULT_STREAM.rawValue)
            try cuda.cuGreenCtxCreate(&green, description, trial.device, flags)
            try cuda.cuGreenCtxStreamCreate(&stream, green, CU_STREAM_NON_BLOCKING.rawValue, 0)
            let address = try trial.allocate(4000)
            try cuda.cuMemsetD32Async(address, 3, 1000, stream)
            try cuda.cuStreamSynchronize(stream)
            try requireEqual(try trial.download(address, 1000), [UInt32](repeating: 3, count: 1000))
            try cuda.cuStreamDestroy_v2(stream)
            try cuda.cuGreenCtxDestroy(green)
        },
        ConformanceCase("threads.own-streams", "eight threads, each with its stream and memory") { trial in
            let cuda = trial.cuda
            let context = ContextHandle(value: trial.context)
            let answers = ThreadAnswers()
            let threads = (0..<8).map { index in
                OSThread.start("case") {
                    answers.add { try ThreadAnswers.work(cuda, context, seed: UInt64(index)) }
                }
            }
            for thread in threads { try some(thread).join() }
            try requireEqual(answers.failures, [])
            try requireEqual(answers.sum, (0..<8).reduce(0) { $0 &+ ThreadAnswers.wanted(seed: UInt64($1)) })
            trial.record([answers.sum])
        },
        ConformanceCase("threads.per-thread-stream", "the per-thread default stream is the thread's own") { trial in
            let cuda = trial.cuda
            let context = ContextHandle(value: trial.context)
            let answers = ThreadAnswers()
            let address = try trial.allocate(64)
            let threads = (0..<4).map { index in
                OSThread.start("case") {
                    answers.add {
                        try cuda.cuCtxSetCurrent(context.value)
                        let stream = CUstream(bitPattern: 2)
                        for value in 0..<200 {
                            try cuda.cuMemsetD32Async(address + UInt64(index * 4), UInt32(value), 1, stream)
                        }
                        try cuda.cuStreamSynchronize(stream)
                        return 1
                    }
                }
            }
            for thread in threads { try some(thread).join() }
            try requireEqual(answers.failures, [])
            try requireEqual(try trial.download(address, 4), [199, 199, 199, 199])
        },
    ]
}

/// Bytes as hexadecimal digits, for a command line.
func hexadecimal(_ bytes: UnsafeRawBufferPointer) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

// SAFETY: a context's handle may be used from any thread.
/// A context for other threads.
struct ContextHandle: @unchecked Sendable {
    let value: CUcontext?
}

// SAFETY: the fields are only touched under the lock.
/// What threads found out.
final class ThreadAnswers: @unchecked Sendable {
    private let lock = Lock()
    private var values: [UInt64] = []
    private var texts: [String] = []

    var sum: UInt64 { lock.withLock { values.reduce(0, &+) } }
    var failures: [String] { lock.withLock { texts } }

    func add(_ body: () throws -> UInt64) {
        do {
            let value = try body()
            lock.withLock { values.append(value) }
        } catch {
            lock.withLock { texts.append("\(error)") }
        }
    }

    static func wanted(seed: UInt64) -> UInt64 {
        (0..<1000).reduce(0) { $0 &+ UInt64(UInt32(truncatingIfNeeded: seed &* 1000 &+ UInt64($1)) &* 3 &+ 1) }
    }

    /// Uploads, computes and downloads on a stream of the thread's own.
    static func work(_ cuda: CUDALibrary, _ context: ContextHandle, seed: UInt64) throws -> UInt64 {
        try cuda.cuCtxSetCurrent(context.value)
        var stream: CUstream?
        var module: CUmodule?
        var function: CUfunction?
        var address: CUdeviceptr = 0
        try cuda.cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING.rawValue)
        try cuda.cuModuleLoadData(&module, Kernels.basic)
        try cuda.cuModuleGetFunction(&function, module, "affine")
        try cuda.cuMemAlloc_v2(&address, 4000)
        var values = (0..<1000).map { UInt32(truncatingIfNeeded: seed &* 1000 &+ UInt64($0)) }
        try values.withUnsafeBytes { try cuda.cuMemcpyHtoDAsync_v2(address, $0.baseAddress, 4000, stream) }
        let packed = LaunchArguments([.address(address), .word(1000), .word(3), .word(1)])
        try cuda.cuLaunchKernel(function, 4, 1, 1, 256, 1, 1, 0, stream, packed.pointers, nil)
        try cuda.cuStreamSynchronize(stream)
        try values.withUnsafeMutableBytes { try cuda.cuMemcpyDtoH_v2($0.baseAddress, address, 4000) }
        try cuda.cuMemFree_v2(address)
        try cuda.cuModuleUnload(module)
        try cuda.cuStreamDestroy_v2(stream)
        return values.reduce(0) { $0 &+ UInt64($1) }
    }
}
