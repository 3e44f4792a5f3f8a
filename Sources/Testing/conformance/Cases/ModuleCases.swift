internal import CCUDA
internal import CUDABinding

extension Suite {
    static let moduleCases: [ConformanceCase] = [
        ConformanceCase("module.globals", "variables have addresses; kernels and copies see one value") { trial in
            let cuda = trial.cuda
            let module = try trial.module(Kernels.basic)
            var counter: CUdeviceptr = 0
            var table: CUdeviceptr = 0
            var byteCount = 0
            try cuda.cuModuleGetGlobal_v2(&counter, &byteCount, module, "counter")
            try requireEqual(byteCount, 4)
            try requireEqual(try trial.download(counter, 1), [7])
            try cuda.cuModuleGetGlobal_v2(&table, &byteCount, module, "table")
            try requireEqual(byteCount, 16)
            let out = try trial.allocate(8)
            let variables = try trial.kernel("variables")
            try trial.launch(variables, LaunchShape(1, 1), .address(out))
            try requireEqual(try trial.download(out, 2), [8, 30])
            try trial.write([UInt32(100)], to: counter)
            try trial.write([UInt32(1), 2, 3, 4], to: table)
            try trial.launch(variables, LaunchShape(1, 1), .address(out))
            let found = try trial.download(out, 2)
            try requireEqual(found, [101, 3])
            trial.record(found)
            try expect(CUDA_ERROR_NOT_FOUND) { try cuda.cuModuleGetGlobal_v2(&table, &byteCount, module, "none") }
        },
        ConformanceCase("module.twice", "a module loaded twice has its own variables") { trial in
            let cuda = trial.cuda
            var modules: [CUmodule?] = [nil, nil]
            var addresses: [CUdeviceptr] = [0, 0]
            for index in 0..<2 {
                try cuda.cuModuleLoadData(&modules[index], Kernels.basic)
                try cuda.cuModuleGetGlobal_v2(&addresses[index], nil, modules[index], "counter")
            }
            try require(addresses[0] != addresses[1])
            try trial.write([UInt32(55)], to: addresses[0])
            try requireEqual(try trial.download(addresses[1], 1), [7])
            for module in modules { try cuda.cuModuleUnload(module) }
        },
        ConformanceCase("module.names", "kernels are found by name and counted") { trial in
            let cuda = trial.cuda
            let module = try trial.module(Kernels.basic)
            var function: CUfunction?
            try expect(CUDA_ERROR_NOT_FOUND) { try cuda.cuModuleGetFunction(&function, module, "no_such_kernel") }
            var count: UInt32 = 0
            try cuda.cuModuleGetFunctionCount(&count, module)
            try requireEqual(count, 9)
            var functions = [CUfunction?](repeating: nil, count: 9)
            try cuda.cuModuleEnumerateFunctions(&functions, 9, module)
            try require(functions.allSatisfy { $0 != nil })
            var name: UnsafePointer<CChar>?
            try cuda.cuFuncGetName(&name, try trial.kernel("tally"))
            try requireEqual(String(cString: try some(name)), "tally")
        },
        ConformanceCase("module.options", "JIT options give a log and go through") { trial in
            let cuda = trial.cuda
            var log = [CChar](repeating: 0, count: 4096)
            var module: CUmodule?
            try log.withUnsafeMutableBytes { log in
                var options = [
                    CU_JIT_INFO_LOG_BUFFER, CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES, CU_JIT_OPTIMIZATION_LEVEL,
                ]
                var values = [
                    log.baseAddress, UnsafeMutableRawPointer(bitPattern: 4096), UnsafeMutableRawPointer(bitPattern: 2),
                ]
                try cuda.cuModuleLoadDataEx(&module, Kernels.basic, 3, &options, &values)
            }
            try cuda.cuModuleUnload(module)
        },
        ConformanceCase("module.broken", "text that is no PTX is refused, with words in the error log") { trial in
            let cuda = trial.cuda
            var log = [CChar](repeating: 0, count: 4096)
            var module: CUmodule?
            try log.withUnsafeMutableBytes { log in
                var options = [CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES]
                var values = [log.baseAddress, UnsafeMutableRawPointer(bitPattern: 4096)]
                let failures = (
                    CUDA_ERROR_INVALID_PTX, CUDA_ERROR_INVALID_IMAGE, CUDA_ERROR_NO_BINARY_FOR_GPU
                )
                try expect(failures.0, failures.1, failures.2) {
                    try cuda.cuModuleLoadDataEx(&module, Kernels.broken, 2, &options, &values)
                    // A driver that looks at bodies lazily says it here.
                    var function: CUfunction?
                    try cuda.cuModuleGetFunction(&function, module, "broken")
                }
            }
            try expect(CUDA_ERROR_INVALID_IMAGE, CUDA_ERROR_INVALID_PTX, CUDA_ERROR_NO_BINARY_FOR_GPU) {
                try cuda.cuModuleLoadData(&module, "this is no module at all")
            }
        },
        ConformanceCase("module.linker", "two halves link to one module") { trial in
            let cuda = trial.cuda
            var state: CUlinkState?
            try cuda.cuLinkCreate_v2(0, nil, nil, &state)
            for (name, text) in [("caller", Kernels.linkedCaller), ("callee", Kernels.linkedCallee)] {
                var bytes = Array(text.utf8CString)
                let byteCount = bytes.count
                try cuda.cuLinkAddData_v2(state, CU_JIT_INPUT_PTX, &bytes, byteCount, name, 0, nil, nil)
            }
            var image: UnsafeMutableRawPointer?
            var byteCount = 0
            try cuda.cuLinkComplete(state, &image, &byteCount)
            try require(byteCount > 0)
            var module: CUmodule?
            var function: CUfunction?
            try cuda.cuModuleLoadData(&module, image)
            try cuda.cuLinkDestroy(state)
            try cuda.cuModuleGetFunction(&function, module, "linked")
            let out = try trial.allocate(4)
            try trial.launch(try some(function), LaunchShape(1, 1), .address(out), .word(21))
            try requireEqual(try trial.download(out, 1), [42])
            try cuda.cuModuleUnload(module)
        },
        ConformanceCase("library.kernels", "a library's kernels, launched and counted") { trial in
            let cuda = trial.cuda
            var library: CUlibrary?
            var kernel: CUkernel?
            var function: CUfunction?
            var count: UInt32 = 0
            try cuda.cuLibraryLoadData(&library, Kernels.basic, nil, nil, 0, nil, nil, 0)
            try cuda.cuLibraryGetKernel(&kernel, library, "sequence")
            try cuda.cuLibraryGetKernelCount(&count, library)
            try requireEqual(count, 9)
            let out = try trial.allocate(400)
            // A kernel is a function to cuLaunchKernel, and has one for the current context.
            try trial.launch(try some(kernel), LaunchShape(1, 128), .address(out), .word(100), .word(1), .word(2))
            try cuda.cuKernelGetFunction(&function, kernel)
            try trial.launch(try some(function), LaunchShape(1, 32), .address(out), .word(10), .word(9), .word(0))
            let found = try trial.download(out, 100)
            try requireEqual(found, (0..<100).map { $0 < 10 ? 9 : UInt32(1 + 2 * $0) })
            trial.record(found)
            try cuda.cuLibraryUnload(library)
        },
        ConformanceCase("library.globals", "a library's variables") { trial in
            let cuda = trial.cuda
            var library: CUlibrary?
            var module: CUmodule?
            var address: CUdeviceptr = 0
            var byteCount = 0
            try cuda.cuLibraryLoadData(&library, Kernels.basic, nil, nil, 0, nil, nil, 0)
            try cuda.cuLibraryGetGlobal(&address, &byteCount, library, "counter")
            try requireEqual(byteCount, 4)
            try requireEqual(try trial.download(address, 1), [7])
            try cuda.cuLibraryGetModule(&module, library)
            try require(module != nil)
            try cuda.cuLibraryUnload(library)
        },
        ConformanceCase("function.attributes", "what a kernel needs and may have") { trial in
            let cuda = trial.cuda
            let function = try trial.kernel("reverse", in: Kernels.blocks)
            var value: Int32 = -1
            try cuda.cuFuncGetAttribute(&value, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, function)
            try require(value >= 32 && value <= 1024, "threads \(value)")
            try cuda.cuFuncGetAttribute(&value, CU_FUNC_ATTRIBUTE_NUM_REGS, function)
            try require(value > 0 && value <= 255, "registers \(value)")
            try cuda.cuFuncGetAttribute(&value, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, function)
            try requireEqual(value, 0)
            try cuda.cuFuncSetAttribute(function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 40_000)
            try cuda.cuFuncGetAttribute(&value, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, function)
            try require(value >= 40_000, "dynamic shared memory \(value)")
        },
        ConformanceCase("function.parameters", "the places of a kernel's parameters") { trial in
            let cuda = trial.cuda
            let function = try trial.kernel("kinds", in: Kernels.parameters)
            let wanted = [(0, 1), (2, 2), (4, 4), (8, 8), (16, 4), (24, 8), (32, 12), (48, 8)]
            for (index, place) in wanted.enumerated() {
                var offset = -1
                var byteCount = -1
                try cuda.cuFuncGetParamInfo(function, index, &offset, &byteCount)
                try require(
                    offset == place.0 && byteCount == place.1, "parameter \(index) is at \(offset), \(byteCount) long")
            }
            var offset = 0
            try expect(CUDA_ERROR_INVALID_VALUE) { try cuda.cuFuncGetParamInfo(function, 8, &offset, nil) }
        },
        ConformanceCase("occupancy.blocks", "blocks of a multiprocessor and good block sizes") { trial in
            let cuda = trial.cuda
            let function = try trial.kernel("affine")
            var blocks: Int32 = 0
            var smallest: Int32 = 0
            var grid: Int32 = 0
            var size: Int32 = 0
            var room = 0
            try cuda.cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, function, 1024, 0)
            try require(blocks >= 1 && blocks <= 4, "\(blocks) blocks of 1024")
            try cuda.cuOccupancyMaxActiveBlocksPerMultiprocessor(&smallest, function, 128, 0)
            try require(smallest >= blocks, "\(smallest) blocks of 128")
            try cuda.cuOccupancyMaxPotentialBlockSize(&grid, &size, function, nil, 0, 0)
            try require(size % 32 == 0 && size >= 32 && size <= 1024 && grid >= 1, "\(grid) blocks of \(size)")
            try cuda.cuOccupancyAvailableDynamicSMemPerBlock(&room, function, 1, 128)
            try require(room >= 16_384, "\(room) bytes")
        },
    ]
}
