internal import CCUDA
internal import CUDABinding

extension Suite {
    static let hostMemoryCases: [ConformanceCase] = [
        ConformanceCase("host.pinned", "pinned memory carries copies both ways") { trial in
            let cuda = trial.cuda
            var raw: UnsafeMutableRawPointer?
            try cuda.cuMemAllocHost_v2(&raw, 65_536)
            let host = try some(raw).bindMemory(to: UInt32.self, capacity: 16_384)
            let values = trial.words(16_384, seed: 3)
            for (index, value) in values.enumerated() { host[index] = value }
            let address = try trial.allocate(65_536)
            try cuda.cuMemcpyHtoDAsync_v2(address, raw, 65_536, nil)
            try trial.launch(
                try trial.kernel("affine"), LaunchShape(64, 256), .address(address), .word(16_384), .word(3), .word(5))
            try cuda.cuMemcpyDtoHAsync_v2(raw, address, 65_536, nil)
            try cuda.cuStreamSynchronize(nil)
            let found = Array(UnsafeBufferPointer(start: host, count: 16_384))
            try requireEqual(found, values.map { $0 &* 3 &+ 5 })
            trial.record(found)
            try cuda.cuMemFreeHost(raw)
        },
        ConformanceCase("host.mapped", "a kernel reads and writes mapped host memory") { trial in
            let cuda = trial.cuda
            var raw: UnsafeMutableRawPointer?
            var address: CUdeviceptr = 0
            var flags: UInt32 = 0
            try cuda.cuMemHostAlloc(&raw, 4096, UInt32(CU_MEMHOSTALLOC_DEVICEMAP))
            try cuda.cuMemHostGetDevicePointer_v2(&address, raw, 0)
            try cuda.cuMemHostGetFlags(&flags, raw)
            try require(flags & UInt32(CU_MEMHOSTALLOC_DEVICEMAP) != 0, "flags \(flags)")
            let host = try some(raw).bindMemory(to: UInt32.self, capacity: 1024)
            for index in 0..<1024 { host[index] = UInt32(index) }
            try trial.launch(
                try trial.kernel("affine"), LaunchShape(8, 128), .address(address), .word(1024), .word(2), .word(1))
            try cuda.cuCtxSynchronize()
            let found = Array(UnsafeBufferPointer(start: host, count: 1024))
            try requireEqual(found, (0..<1024).map { 2 * $0 + 1 })
            trial.record(found)
            try cuda.cuMemFreeHost(raw)
        },
        ConformanceCase("host.mapped-stores", "later stores of the host are seen by later kernels") { trial in
            let cuda = trial.cuda
            var raw: UnsafeMutableRawPointer?
            var address: CUdeviceptr = 0
            try cuda.cuMemHostAlloc(&raw, 4096, UInt32(CU_MEMHOSTALLOC_DEVICEMAP))
            try cuda.cuMemHostGetDevicePointer_v2(&address, raw, 0)
            let host = try some(raw).bindMemory(to: UInt32.self, capacity: 1024)
            let out = try trial.allocate(4)
            let copy = try trial.kernel("copy")
            for value: UInt32 in [5, 17, 99] {
                host[0] = value
                try trial.launch(copy, LaunchShape(1, 32), .address(address), .address(out), .word(1))
                try requireEqual(try trial.download(out, 1), [value])
            }
            try cuda.cuMemFreeHost(raw)
        },
        ConformanceCase("host.registered", "memory of the program can be registered and copied from") { trial in
            let cuda = trial.cuda
            let host = UnsafeMutableRawPointer.allocate(byteCount: 65_536, alignment: 4096)
            defer { host.deallocate() }
            let words = host.bindMemory(to: UInt32.self, capacity: 16_384)
            let values = trial.words(16_384, seed: 4)
            for (index, value) in values.enumerated() { words[index] = value }
            try cuda.cuMemHostRegister_v2(host, 65_536, 0)
            try expect(CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED) { try cuda.cuMemHostRegister_v2(host, 65_536, 0) }
            let address = try trial.allocate(65_536)
            try cuda.cuMemcpyHtoDAsync_v2(address, host, 65_536, nil)
            try cuda.cuStreamSynchronize(nil)
            try requireEqual(try trial.download(address, 16_384), values)
            try cuda.cuMemHostUnregister(host)
            try expect(CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED) { try cuda.cuMemHostUnregister(host) }
            trial.record(values)
        },
        ConformanceCase("host.attributes", "pinned memory is host memory to the driver") { trial in
            let cuda = trial.cuda
            var raw: UnsafeMutableRawPointer?
            var kind: UInt32 = 0
            try cuda.cuMemAllocHost_v2(&raw, 4096)
            let address = CUdeviceptr(UInt(bitPattern: raw))
            try cuda.cuPointerGetAttribute(&kind, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, address)
            try requireEqual(kind, CU_MEMORYTYPE_HOST.rawValue)
            try cuda.cuMemFreeHost(raw)
        },
    ]

    static let managedCases: [ConformanceCase] = [
        ConformanceCase("managed.both-ways", "host and kernels share managed memory") { trial in
            try trial.needs(CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY, "managed memory")
            let cuda = trial.cuda
            var address: CUdeviceptr = 0
            try cuda.cuMemAllocManaged(&address, 40_000, UInt32(CU_MEM_ATTACH_GLOBAL.rawValue))
            let raw = try some(UnsafeMutableRawPointer(bitPattern: UInt(address)))
            let host = raw.bindMemory(to: UInt32.self, capacity: 10_000)
            for index in 0..<10_000 { host[index] = UInt32(index) }
            let affine = try trial.kernel("affine")
            for _ in 0..<3 {
                try trial.launch(affine, LaunchShape(40, 256), .address(address), .word(10_000), .word(3), .word(1))
                try cuda.cuCtxSynchronize()
                host[77] = host[77] &+ 1
            }
            var wanted = (0..<10_000).map { UInt32($0) &* 27 &+ 13 }
            wanted[77] = ((77 * 3 + 2) * 3 + 2) * 3 + 2
            let found = Array(UnsafeBufferPointer(start: host, count: 10_000))
            try requireEqual(found, wanted)
            trial.record(found)
            try cuda.cuMemFree_v2(address)
        },
        ConformanceCase("managed.attributes", "a managed pointer says so") { trial in
            try trial.needs(CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY, "managed memory")
            let cuda = trial.cuda
            var address: CUdeviceptr = 0
            var isManaged: UInt32 = 0
            try cuda.cuMemAllocManaged(&address, 4096, UInt32(CU_MEM_ATTACH_GLOBAL.rawValue))
            try cuda.cuPointerGetAttribute(&isManaged, CU_POINTER_ATTRIBUTE_IS_MANAGED, address)
            try requireEqual(isManaged & 0xff, 1)
            try cuda.cuMemFree_v2(address)
        },
        ConformanceCase("managed.sparse", "single words of a large allocation, written by both sides") { trial in
            try trial.needs(CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY, "managed memory")
            let cuda = trial.cuda
            let count = 4 << 20
            var address: CUdeviceptr = 0
            try cuda.cuMemAllocManaged(&address, count * 4, UInt32(CU_MEM_ATTACH_GLOBAL.rawValue))
            let raw = try some(UnsafeMutableRawPointer(bitPattern: UInt(address)))
            let host = raw.bindMemory(to: UInt32.self, capacity: count)
            let affine = try trial.kernel("affine")
            var found: [UInt32] = []
            for step in [1, 511, 4096, 65_537] {
                for index in stride(from: 0, to: count - 8, by: step * 61) { host[index] = UInt32(step) }
                try trial.launch(affine, LaunchShape(1, 32), .address(address + 4), .word(4), .word(3), .word(1))
                try cuda.cuCtxSynchronize()
                found += [host[1], host[step * 61], host[(count - 9) / (step * 61) * step * 61]]
                try requireEqual(found[found.count - 1], UInt32(step))
                try requireEqual(found[found.count - 2], UInt32(step))
            }
            // Word 1 is the kernel's alone: x -> 3x + 1 from 0, four times.
            try requireEqual(found[9], 40)
            trial.record(found)
            try cuda.cuMemFree_v2(address)
        },
        ConformanceCase("managed.advice", "advice and prefetching are accepted and change no value") { trial in
            try trial.needs(CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS, "concurrent managed access")
            let cuda = trial.cuda
            var address: CUdeviceptr = 0
            try cuda.cuMemAllocManaged(&address, 65_536, UInt32(CU_MEM_ATTACH_GLOBAL.rawValue))
            let raw = try some(UnsafeMutableRawPointer(bitPattern: UInt(address)))
            let host = raw.bindMemory(to: UInt32.self, capacity: 16_384)
            for index in 0..<16_384 { host[index] = UInt32(index) }
            try cuda.cuMemAdvise(address, 65_536, CU_MEM_ADVISE_SET_READ_MOSTLY, trial.device)
            try cuda.cuMemPrefetchAsync(address, 65_536, trial.device, nil)
            try cuda.cuCtxSynchronize()
            try requireEqual(try trial.download(address, 16_384), (0..<16_384).map { UInt32($0) })
            try cuda.cuMemFree_v2(address)
        },
    ]
}
