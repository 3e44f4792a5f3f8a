internal import CCUDA
internal import CUDABinding

extension Suite {
    static let deviceCases: [ConformanceCase] = [
        ConformanceCase("device.count", "there is a device, and none beyond the last") { trial in
            let count = try trial.deviceCount()
            try require(count >= 1)
            var device: CUdevice = 0
            try expect(CUDA_ERROR_INVALID_DEVICE) { try trial.cuda.cuDeviceGet(&device, Int32(count)) }
            try expect(CUDA_ERROR_INVALID_DEVICE) { try trial.cuda.cuDeviceGet(&device, -1) }
        },
        ConformanceCase("device.name", "name, and UUID of the version that fits") { trial in
            var name = [CChar](repeating: 0, count: 256)
            try trial.cuda.cuDeviceGetName(&name, 256, trial.device)
            try require(name[0] != 0, "an empty name")
            var uuid = CUuuid()
            try trial.cuda.cuDeviceGetUuid_v2(&uuid, trial.device)
            try require(withUnsafeBytes(of: uuid) { $0.contains { $0 != 0 } }, "a UUID of zeros")
        },
        ConformanceCase("device.attributes", "limits that every GPU keeps") { trial in
            let minima: [(CUdevice_attribute, Int, Int)] = [
                (CU_DEVICE_ATTRIBUTE_WARP_SIZE, 32, 32),
                (CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK, 1024, 1024),
                (CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X, 1024, 1024),
                (CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z, 64, 64),
                (CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X, 0x7fff_ffff, 0x7fff_ffff),
                (CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y, 65_535, 65_535),
                (CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK, 49_152, 49_152),
                (CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY, 65_536, 65_536),
                (CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 1, 1024),
                (CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 5, 20),
                (CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING, 1, 1),
                (CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY, 1, 1),
                (CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY, 0, 1),
                (CU_DEVICE_ATTRIBUTE_CLOCK_RATE, 1, 100_000_000),
                (CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK, 32_768, 1 << 20),
            ]
            for (attribute, least, most) in minima {
                let value = try trial.attribute(attribute)
                try require(value >= least && value <= most, "attribute \(attribute.rawValue) is \(value)")
            }
            var value: Int32 = 0
            try expect(CUDA_ERROR_INVALID_VALUE) {
                try trial.cuda.cuDeviceGetAttribute(&value, CUdevice_attribute(rawValue: 9_999), trial.device)
            }
        },
        ConformanceCase("device.memory", "the device's memory and what the context says of it agree") { trial in
            var total = 0
            var free = 0
            var all = 0
            try trial.cuda.cuDeviceTotalMem_v2(&total, trial.device)
            try trial.cuda.cuMemGetInfo_v2(&free, &all)
            try require(total >= 32 << 20 && free <= all && all <= total, "\(free) of \(all), device \(total)")
        },
        ConformanceCase("device.pci", "a bus id leads back to the device") { trial in
            var text = [CChar](repeating: 0, count: 32)
            try trial.cuda.cuDeviceGetPCIBusId(&text, 32, trial.device)
            var device: CUdevice = -1
            try trial.cuda.cuDeviceGetByPCIBusId(&device, text)
            try requireEqual(device, trial.device)
        },
        ConformanceCase("device.capability", "two ways to ask for the compute capability agree") { trial in
            var major: Int32 = 0
            var minor: Int32 = 0
            try trial.cuda.cuDeviceComputeCapability(&major, &minor, trial.device)
            try requireEqual(Int(major), try trial.attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR))
            try requireEqual(Int(minor), try trial.attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR))
        },
    ]

    static let contextCases: [ConformanceCase] = [
        ConformanceCase("context.primary", "the primary context is one for all who retain it") { trial in
            let cuda = trial.cuda
            var again: CUcontext?
            var flags: UInt32 = 0
            var isActive: Int32 = 0
            try cuda.cuDevicePrimaryCtxRetain(&again, trial.device)
            try requireEqual(again, trial.context)
            try cuda.cuDevicePrimaryCtxGetState(trial.device, &flags, &isActive)
            try requireEqual(isActive, 1)
            try cuda.cuDevicePrimaryCtxRelease_v2(trial.device)
            try cuda.cuCtxSynchronize()
        },
        ConformanceCase("context.stack", "push, pop and current") { trial in
            let cuda = trial.cuda
            var created: CUcontext?
            var current: CUcontext?
            var popped: CUcontext?
            try cuda.cuCtxCreate_v2(&created, 0, trial.device)
            try cuda.cuCtxGetCurrent(&current)
            try requireEqual(current, created)
            try cuda.cuCtxPushCurrent_v2(trial.context)
            try cuda.cuCtxGetCurrent(&current)
            try requireEqual(current, trial.context)
            try cuda.cuCtxPopCurrent_v2(&popped)
            try requireEqual(popped, trial.context)
            try cuda.cuCtxPopCurrent_v2(&popped)
            try requireEqual(popped, created)
            try cuda.cuCtxDestroy_v2(created)
            try cuda.cuCtxGetCurrent(&current)
            try requireEqual(current, trial.context)
        },
        ConformanceCase("context.none", "without a current context, calls say so") { trial in
            let cuda = trial.cuda
            var address: CUdeviceptr = 0
            try cuda.cuCtxSetCurrent(nil)
            try expect(CUDA_ERROR_INVALID_CONTEXT) { try cuda.cuMemAlloc_v2(&address, 4) }
            try expect(CUDA_ERROR_INVALID_CONTEXT) { try cuda.cuCtxSynchronize() }
            try cuda.cuCtxSetCurrent(trial.context)
        },
        ConformanceCase("context.facts", "device, flags, version, id, priorities") { trial in
            let cuda = trial.cuda
            var device: CUdevice = -1
            var version: UInt32 = 0
            var least: Int32 = 0
            var greatest: Int32 = 1
            var id: UInt64 = 0
            try cuda.cuCtxGetDevice(&device)
            try requireEqual(device, trial.device)
            try cuda.cuCtxGetApiVersion(trial.context, &version)
            try require(version > 3000, "version \(version)")
            try cuda.cuCtxGetStreamPriorityRange(&least, &greatest)
            try require(least >= greatest, "priorities \(least) to \(greatest)")
            try cuda.cuCtxGetId(trial.context, &id)
            try require(id != 0)
        },
        ConformanceCase("context.limits", "limits can be read, and the stack's be set") { trial in
            let cuda = trial.cuda
            var value = 0
            try cuda.cuCtxGetLimit(&value, CU_LIMIT_STACK_SIZE)
            try require(value > 0)
            try cuda.cuCtxSetLimit(CU_LIMIT_STACK_SIZE, 4096)
            try cuda.cuCtxGetLimit(&value, CU_LIMIT_STACK_SIZE)
            try require(value >= 4096, "stack of \(value)")
            try cuda.cuCtxGetLimit(&value, CU_LIMIT_MALLOC_HEAP_SIZE)
            try require(value > 0)
            try expect(CUDA_ERROR_UNSUPPORTED_LIMIT, CUDA_ERROR_INVALID_VALUE) {
                try cuda.cuCtxGetLimit(&value, CUlimit(rawValue: 4711))
            }
        },
        ConformanceCase("context.two", "memory of one context is usable in another of the device") { trial in
            let cuda = trial.cuda
            let values = trial.words(1000, seed: 1)
            let address = try trial.upload(values)
            var created: CUcontext?
            try cuda.cuCtxCreate_v2(&created, 0, trial.device)
            try requireEqual(try trial.download(address, 1000), values)
            try cuda.cuCtxDestroy_v2(created)
            trial.record(values)
        },
        ConformanceCase("context.reset", "resetting the primary context frees everything", spoilsProcess: true) {
            trial in
            let cuda = trial.cuda
            var free = [0, 0, 0]
            var all = 0
            try cuda.cuMemGetInfo_v2(&free[0], &all)
            _ = try trial.allocate(16 << 20)
            try cuda.cuMemGetInfo_v2(&free[1], &all)
            try require(free[1] < free[0])
            try cuda.cuDevicePrimaryCtxReset_v2(trial.device)
            var context: CUcontext?
            try cuda.cuDevicePrimaryCtxRetain(&context, trial.device)
            try cuda.cuCtxSetCurrent(context)
            try cuda.cuMemGetInfo_v2(&free[2], &all)
            try require(free[2] > free[1], "still taken: \(free)")
        },
    ]
}
