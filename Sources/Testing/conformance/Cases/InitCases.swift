internal import CCUDA
internal import CUDABinding

extension Suite {
    static let initCases: [ConformanceCase] = [
        ConformanceCase("init.version", "the driver's version, at least 11.0") { trial in
            var version: Int32 = 0
            try trial.cuda.cuDriverGetVersion(&version)
            try require(version >= 11_000 && version < 100_000, "version \(version)")
        },
        ConformanceCase("init.again", "cuInit may be called again; flags must be 0") { trial in
            try trial.cuda.cuInit(0)
            try expect(CUDA_ERROR_INVALID_VALUE) { try trial.cuda.cuInit(1) }
        },
        ConformanceCase("init.proc-address", "cuGetProcAddress finds functions, by version and stream flag") { trial in
            var first: UnsafeMutableRawPointer?
            var second: UnsafeMutableRawPointer?
            var state = CU_GET_PROC_ADDRESS_SUCCESS
            try trial.cuda.cuGetProcAddress_v2("cuMemAlloc", &first, 12_000, 0, &state)
            try require(first != nil && state == CU_GET_PROC_ADDRESS_SUCCESS)
            let perThread = UInt64(CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM.rawValue)
            try trial.cuda.cuGetProcAddress_v2("cuLaunchKernel", &first, 12_000, 0, &state)
            try trial.cuda.cuGetProcAddress_v2("cuLaunchKernel", &second, 12_000, perThread, &state)
            try require(first != nil && second != nil && first != second, "one function for both default streams")
            try tolerating(CUDA_ERROR_NOT_FOUND) {
                try trial.cuda.cuGetProcAddress_v2("cuNoSuchFunction", &first, 12_000, 0, &state)
            }
            try require(state == CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND, "state \(state.rawValue)")
        },
        ConformanceCase("init.proc-address-old", "a version before a function's birth is said to be too old") { trial in
            var pointer: UnsafeMutableRawPointer?
            var state = CU_GET_PROC_ADDRESS_SUCCESS
            try tolerating(CUDA_ERROR_NOT_FOUND) {
                try trial.cuda.cuGetProcAddress_v2("cuMemAllocAsync", &pointer, 10_000, 0, &state)
            }
            try require(state == CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT, "state \(state.rawValue)")
        },
        ConformanceCase("init.export-tables", "the tables that the runtime library asks for are there") { trial in
            for identifier in exportTables {
                var table: UnsafeRawPointer?
                var uuid = CUuuid()
                withUnsafeMutableBytes(of: &uuid) { $0.copyBytes(from: identifier) }
                try trial.cuda.cuGetExportTable(&table, &uuid)
                let first = try some(table).load(as: UInt.self)
                try require(first != 0, "an empty table")
            }
            var unknown = CUuuid()
            var table: UnsafeRawPointer?
            try expect(CUDA_ERROR_NOT_FOUND, CUDA_ERROR_INVALID_VALUE) {
                try trial.cuda.cuGetExportTable(&table, &unknown)
            }
        },
        ConformanceCase("init.error-names", "names and texts of errors") { trial in
            var name: UnsafePointer<CChar>?
            try trial.cuda.cuGetErrorName(CUDA_ERROR_OUT_OF_MEMORY, &name)
            try requireEqual(String(cString: try some(name)), "CUDA_ERROR_OUT_OF_MEMORY")
            try trial.cuda.cuGetErrorString(CUDA_ERROR_OUT_OF_MEMORY, &name)
            try require(try some(name).pointee != 0, "an empty text")
            try expect(CUDA_ERROR_INVALID_VALUE) { try trial.cuda.cuGetErrorName(CUresult(rawValue: 54_321), &name) }
        },
        ConformanceCase("init.loading-mode", "modules load eagerly or lazily") { trial in
            var mode = CU_MODULE_EAGER_LOADING
            try trial.cuda.cuModuleGetLoadingMode(&mode)
            try require(mode == CU_MODULE_EAGER_LOADING || mode == CU_MODULE_LAZY_LOADING)
        },
        ConformanceCase("init.profiler", "the profiler's switches are accepted") { trial in
            try trial.cuda.cuProfilerStart()
            try trial.cuda.cuProfilerStop()
        },
    ]

    /// The tables for context-local storage, for tools and for the primary context.
    private static let exportTables: [[UInt8]] = [
        [0xc6, 0x93, 0x33, 0x6e, 0x11, 0x21, 0xdf, 0x11, 0xa8, 0xc3, 0x68, 0xf3, 0x55, 0xd8, 0x95, 0x93],
        [0xa0, 0x94, 0x79, 0x8c, 0x2e, 0x74, 0x2e, 0x74, 0x93, 0xf2, 0x08, 0x00, 0x20, 0x0c, 0x0a, 0x66],
        [0x42, 0xd8, 0x5a, 0x81, 0x23, 0xf6, 0xcb, 0x47, 0x82, 0x98, 0xf6, 0xe7, 0x8a, 0x3a, 0xec, 0xdc],
    ]
}
