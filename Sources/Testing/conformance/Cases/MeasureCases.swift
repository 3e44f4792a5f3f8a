internal import CCUDA
internal import CUDABinding
internal import Glibc

extension Suite {
    /// What calls and copies cost. These pass if they can be measured.
    static let measureCases: [ConformanceCase] = [
        ConformanceCase("measure.calls", "times of calls that wait and that do not", secondCountMax: 60) { trial in
            try measureCalls(trial)
        },
        ConformanceCase("measure.launches", "times of launches", secondCountMax: 60) { trial in
            try measureLaunches(trial)
        },
        ConformanceCase("measure.copies", "rates of copies", secondCountMax: 60) { trial in
            try measureCopies(trial)
        },
        ConformanceCase("measure.memory", "times of allocating and freeing", secondCountMax: 60) { trial in
            try measureMemory(trial)
        },
        ConformanceCase("measure.modules", "times of loading modules", secondCountMax: 60) { trial in
            try measureModules(trial)
        },
        ConformanceCase("measure.graphs", "times of launching graphs", secondCountMax: 60) { trial in
            try measureGraphs(trial)
        },
    ]

    private static func measureCalls(_ trial: Trial) throws {
        let cuda = trial.cuda
        var event: CUevent?
        try cuda.cuEventCreate(&event, CU_EVENT_DISABLE_TIMING.rawValue)
        try Stopwatch.report("call.stream_query", count: 200) { try cuda.cuStreamQuery(nil) }
        try Stopwatch.report("call.stream_synchronize", count: 200) { try cuda.cuStreamSynchronize(nil) }
        try Stopwatch.report("call.event_record", count: 200, after: { try cuda.cuStreamSynchronize(nil) }) {
            try cuda.cuEventRecord(event, nil)
        }
        var device: CUdevice = 0
        try Stopwatch.report("call.context_get_device", count: 200) { try cuda.cuCtxGetDevice(&device) }
        var free = 0
        var all = 0
        try Stopwatch.report("call.memory_info", count: 50) { try cuda.cuMemGetInfo_v2(&free, &all) }
        try cuda.cuEventDestroy_v2(event)
    }

    private static func measureLaunches(_ trial: Trial) throws {
        let cuda = trial.cuda
        let empty = try trial.kernel("empty")
        let affine = try trial.kernel("affine")
        let address = try trial.allocate(4096)
        let values = LaunchArguments([.address(address), .word(32), .word(3), .word(1)])
        let wait = { try cuda.cuStreamSynchronize(nil) }
        try Stopwatch.report("launch.empty.enqueue", count: 200, after: wait) {
            try cuda.cuLaunchKernel(empty, 1, 1, 1, 32, 1, 1, 0, nil, nil, nil)
        }
        try Stopwatch.report("launch.four_parameters.enqueue", count: 200, after: wait) {
            try cuda.cuLaunchKernel(affine, 1, 1, 1, 32, 1, 1, 0, nil, values.pointers, nil)
        }
        try Stopwatch.report("launch.empty.and_wait", count: 50) {
            try cuda.cuLaunchKernel(empty, 1, 1, 1, 32, 1, 1, 0, nil, nil, nil)
            try cuda.cuStreamSynchronize(nil)
        }
        let count = Pace.isQuick ? 2_000 : 20_000
        let start = monotonicNanoseconds()
        for _ in 0..<count { try cuda.cuLaunchKernel(empty, 1, 1, 1, 32, 1, 1, 0, nil, nil, nil) }
        try cuda.cuStreamSynchronize(nil)
        let seconds = Double(monotonicNanoseconds() - start) / 1e9
        ChildMessage.send(Figure(name: "launch.empty.sustained", value: Double(count) / seconds, unit: "launches/s"))
    }

    private static func measureCopies(_ trial: Trial) throws {
        let cuda = trial.cuda
        let byteCountMax = Pace.isQuick ? 8 << 20 : 64 << 20
        let pageable = UnsafeMutableRawPointer.allocate(byteCount: byteCountMax, alignment: 4096)
        defer { pageable.deallocate() }
        memset(pageable, 1, byteCountMax)
        var pinned: UnsafeMutableRawPointer?
        try cuda.cuMemAllocHost_v2(&pinned, byteCountMax)
        memset(try some(pinned), 1, byteCountMax)
        let first = try trial.allocate(byteCountMax)
        let second = try trial.allocate(byteCountMax)
        let wait = { try cuda.cuStreamSynchronize(nil) }
        for byteCount in [4096, 1 << 20, byteCountMax] {
            let size = byteCount >= 1 << 20 ? "\(byteCount >> 20)MiB" : "\(byteCount >> 10)KiB"
            for (kind, host) in [("pageable", pageable), ("pinned", try some(pinned))] {
                try Stopwatch.reportRate("copy.host_to_device.\(kind).\(size)", byteCount) {
                    try cuda.cuMemcpyHtoDAsync_v2(first, host, byteCount, nil)
                    try wait()
                }
                try Stopwatch.reportRate("copy.device_to_host.\(kind).\(size)", byteCount) {
                    try cuda.cuMemcpyDtoHAsync_v2(host, first, byteCount, nil)
                    try wait()
                }
            }
            try Stopwatch.reportRate("copy.device_to_device.\(size)", byteCount) {
                try cuda.cuMemcpyDtoDAsync_v2(second, first, byteCount, nil)
                try wait()
            }
        }
        try cuda.cuMemFreeHost(pinned)
    }

    private static func measureMemory(_ trial: Trial) throws {
        let cuda = trial.cuda
        for (name, byteCount) in [("4KiB", 4096), ("2MiB", 2 << 20), ("64MiB", 64 << 20)] {
            var address: CUdeviceptr = 0
            try Stopwatch.report("memory.allocate_and_free.\(name)", count: 20) {
                try cuda.cuMemAlloc_v2(&address, byteCount)
                try cuda.cuMemFree_v2(address)
            }
        }
        if try trial.attribute(CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED) != 0 {
            var address: CUdeviceptr = 0
            let wait = { try cuda.cuStreamSynchronize(nil) }
            try Stopwatch.report("memory.allocate_and_free_async.2MiB", count: 50, after: wait) {
                try cuda.cuMemAllocAsync(&address, 2 << 20, nil)
                try cuda.cuMemFreeAsync(address, nil)
            }
        }
    }

    private static func measureModules(_ trial: Trial) throws {
        let cuda = trial.cuda
        var module: CUmodule?
        var function: CUfunction?
        try Stopwatch.report("module.load_and_unload", count: 3) {
            try cuda.cuModuleLoadData(&module, Kernels.basic)
            try cuda.cuModuleGetFunction(&function, module, "affine")
            try cuda.cuModuleUnload(module)
        }
    }

    private static func measureGraphs(_ trial: Trial) throws {
        let cuda = trial.cuda
        let capture = try Capture(trial)
        let affine = try trial.kernel("affine")
        let address = try trial.allocate(4096)
        for count in [1, 100] {
            try capture.begin()
            for _ in 0..<count {
                try trial.launch(
                    affine, LaunchShape(1, 32), on: capture.stream, .address(address), .word(32), .word(3), .word(1))
            }
            let graph = try capture.end()
            let wait = { try cuda.cuStreamSynchronize(capture.stream) }
            try graph.launch(capture.stream)
            try Stopwatch.report("graph.launch.\(count)_kernels.enqueue", count: 20, after: wait) {
                try graph.launch(capture.stream)
            }
            try Stopwatch.report("graph.launch.\(count)_kernels.and_wait", count: 20) {
                try graph.launch(capture.stream)
                try wait()
            }
            try graph.destroy()
        }
        try capture.destroy()
    }
}

/// Measures something many times and sends the median.
enum Stopwatch {
    /// Microseconds of one call: batches of `count` calls, with `after` between them, until the time is over.
    static func report(
        _ name: String, count: Int, after: () throws -> Void = {}, _ body: () throws -> Void
    ) throws {
        var values: [Double] = []
        try body()
        try after()
        let deadline = monotonicNanoseconds() + limit
        repeat {
            let start = monotonicNanoseconds()
            for _ in 0..<count { try body() }
            values.append(Double(monotonicNanoseconds() - start) / 1000 / Double(count))
            try after()
        } while monotonicNanoseconds() < deadline && values.count < 200
        ChildMessage.send(Figure(name: name, value: median(values), unit: "us"))
    }

    /// Gigabytes in a second.
    static func reportRate(_ name: String, _ byteCount: Int, _ body: () throws -> Void) throws {
        var values: [Double] = []
        try body()
        let deadline = monotonicNanoseconds() + limit
        repeat {
            let start = monotonicNanoseconds()
            try body()
            values.append(Double(byteCount) / Double(max(1, monotonicNanoseconds() - start)))
        } while monotonicNanoseconds() < deadline && values.count < 500
        ChildMessage.send(Figure(name: name, value: median(values), unit: "GB/s"))
    }

    private static var limit: UInt64 { Pace.isQuick ? 40_000_000 : 250_000_000 }

    private static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
    }
}
