internal import CCUDA
internal import CUDABinding

extension Suite {
    static let errorCases: [ConformanceCase] = [
        ConformanceCase("error.illegal-address", "700 comes with the next wait and stays", spoilsProcess: true) {
            trial in
            try fails(trial, Kernels.illegalAddress, "illegal", [], CUDA_ERROR_ILLEGAL_ADDRESS)
        },
        ConformanceCase("error.trap", "a trap is a failed launch", spoilsProcess: true) { trial in
            try fails(
                trial, Kernels.trap, "stop", [], CUDA_ERROR_LAUNCH_FAILED, CUDA_ERROR_ILLEGAL_INSTRUCTION)
        },
        ConformanceCase("error.misaligned", "a load from a crooked address is told", spoilsProcess: true) { trial in
            let address = try trial.allocate(256)
            try fails(
                trial, Kernels.misaligned, "crooked", [.address(address)], CUDA_ERROR_MISALIGNED_ADDRESS,
                CUDA_ERROR_LAUNCH_FAILED)
        },
        ConformanceCase("error.use-after-free", "a kernel that uses freed memory fails or is harmless") { trial in
            // What the hardware does is not defined; that the driver goes on answering is.
            let cuda = trial.cuda
            var address: CUdeviceptr = 0
            try cuda.cuMemAlloc_v2(&address, 64 << 20)
            try cuda.cuMemFree_v2(address)
            let values = trial.words(64, seed: 20)
            try requireEqual(try trial.download(try trial.upload(values), 64), values)
        },
        ConformanceCase("error.fresh-process", "after a fault of another process, all is well") { trial in
            let child = try trial.spawn("fault")
            try requireEqual(child.exitStatus(), 0)
            let values = trial.words(1000, seed: 21)
            let address = try trial.upload(values)
            try trial.launch(
                try trial.kernel("affine"), LaunchShape(4, 256), .address(address), .word(1000), .word(5), .word(2))
            let found = try trial.download(address, 1000)
            try requireEqual(found, values.map { $0 &* 5 &+ 2 })
            trial.record(found)
        },
        ConformanceCase(
            "error.fresh-context", "a context of its own can be given up after a fault", spoilsProcess: true
        ) { trial in
            let cuda = trial.cuda
            var created: CUcontext?
            try cuda.cuCtxCreate_v2(&created, 0, trial.device)
            var module: CUmodule?
            var function: CUfunction?
            try cuda.cuModuleLoadData(&module, Kernels.illegalAddress)
            try cuda.cuModuleGetFunction(&function, module, "illegal")
            try cuda.cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, nil, nil, nil)
            try expect(CUDA_ERROR_ILLEGAL_ADDRESS) { try cuda.cuCtxSynchronize() }
            // Destroying it must come back, with or without the error.
            try tolerating(CUDA_ERROR_ILLEGAL_ADDRESS) { try cuda.cuCtxDestroy_v2(created) }
        },
        ConformanceCase("error.null", "null pointers are errors, not crashes") { trial in
            let cuda = trial.cuda
            try expect(CUDA_ERROR_INVALID_VALUE) { try cuda.cuMemAlloc_v2(nil, 4) }
            try expect(CUDA_ERROR_INVALID_VALUE) { try cuda.cuDeviceGetCount(nil) }
            try expect(CUDA_ERROR_INVALID_VALUE) { try cuda.cuStreamCreate(nil, 0) }
            try expect(CUDA_ERROR_INVALID_VALUE) { try cuda.cuModuleLoadData(nil, Kernels.basic) }
        },
        ConformanceCase("error.launch-shape", "impossible launches are refused at once") { trial in
            let cuda = trial.cuda
            let function = try trial.kernel("empty")
            try expect(CUDA_ERROR_INVALID_VALUE) {
                try cuda.cuLaunchKernel(function, 1, 1, 1, 2048, 1, 1, 0, nil, nil, nil)
            }
            try expect(CUDA_ERROR_INVALID_VALUE) {
                try cuda.cuLaunchKernel(function, 0, 1, 1, 32, 1, 1, 0, nil, nil, nil)
            }
            try expect(CUDA_ERROR_INVALID_VALUE) {
                try cuda.cuLaunchKernel(function, 1, 1, 1, 32, 1, 1, 1 << 30, nil, nil, nil)
            }
        },
    ]

    private static func fails(
        _ trial: Trial, _ source: String, _ name: String, _ arguments: [LaunchArgument], _ wanted: CUresult...
    ) throws {
        let cuda = trial.cuda
        let packed = LaunchArguments(arguments)
        try cuda.cuLaunchKernel(try trial.kernel(name, in: source), 1, 1, 1, 1, 1, 1, 0, nil, packed.pointers, nil)
        var address: CUdeviceptr = 0
        let calls: [() throws -> Void] = [
            { try cuda.cuCtxSynchronize() }, { try cuda.cuStreamSynchronize(nil) },
            { try cuda.cuMemAlloc_v2(&address, 4096) }, { try cuda.cuCtxSynchronize() },
        ]
        for call in calls {
            do {
                try call()
            } catch let failure as CUDAFailure {
                let isWanted = wanted.contains(failure.status)
                try require(isWanted, "\(failure.function): \(errorName(failure.status))")
                trial.record([failure.status.rawValue])
                continue
            }
            throw CaseFailure.failed("a call succeeds after the fault")
        }
    }
}
