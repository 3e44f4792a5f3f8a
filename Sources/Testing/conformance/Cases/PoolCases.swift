internal import CCUDA
internal import CUDABinding

extension Suite {
    static let poolCases: [ConformanceCase] = [
        ConformanceCase("pool.async", "memory in stream order, used and freed without a wait") { trial in
            try trial.needs(CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED, "memory pools")
            let cuda = trial.cuda
            var stream: CUstream?
            try cuda.cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING.rawValue)
            let affine = try trial.kernel("affine")
            let out = try trial.allocate(40)
            for turn in 0..<10 {
                var address: CUdeviceptr = 0
                try cuda.cuMemAllocAsync(&address, 1 << 20, stream)
                try cuda.cuMemsetD32Async(address, UInt32(turn), 1 << 18, stream)
                try trial.launch(
                    affine, LaunchShape(4, 256), on: stream, .address(address), .word(1000), .word(10), .word(1))
                try cuda.cuMemcpyDtoDAsync_v2(out + UInt64(4 * turn), address + 3996, 4, stream)
                try cuda.cuMemFreeAsync(address, stream)
            }
            try cuda.cuStreamSynchronize(stream)
            let found = try trial.download(out, 10)
            try requireEqual(found, (0..<10).map { UInt32($0 * 10 + 1) })
            trial.record(found)
            try cuda.cuStreamDestroy_v2(stream)
        },
        ConformanceCase("pool.own", "a pool of the program's own, with attributes") { trial in
            try trial.needs(CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED, "memory pools")
            let cuda = trial.cuda
            var properties = CUmemPoolProps()
            properties.allocType = CU_MEM_ALLOCATION_TYPE_PINNED
            properties.location.type = CU_MEM_LOCATION_TYPE_DEVICE
            properties.location.id = trial.device
            var pool: CUmemoryPool?
            try cuda.cuMemPoolCreate(&pool, &properties)
            var threshold: UInt64 = 1 << 22
            try cuda.cuMemPoolSetAttribute(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &threshold)
            threshold = 0
            try cuda.cuMemPoolGetAttribute(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &threshold)
            try requireEqual(threshold, 1 << 22)
            var address: CUdeviceptr = 0
            var used: UInt64 = 0
            try cuda.cuMemAllocFromPoolAsync(&address, 100_000, pool, nil)
            try cuda.cuStreamSynchronize(nil)
            try cuda.cuMemPoolGetAttribute(pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT, &used)
            try require(used >= 100_000, "\(used) bytes in use")
            let values = trial.words(1000, seed: 40)
            try trial.write(values, to: address)
            try requireEqual(try trial.download(address, 1000), values)
            try cuda.cuMemFreeAsync(address, nil)
            try cuda.cuStreamSynchronize(nil)
            try cuda.cuMemPoolTrimTo(pool, 0)
            try cuda.cuMemPoolGetAttribute(pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT, &used)
            try requireEqual(used, 0)
            try cuda.cuMemPoolDestroy(pool)
        },
        ConformanceCase("pool.default", "a device's default pool and its current one") { trial in
            try trial.needs(CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED, "memory pools")
            var pools: [CUmemoryPool?] = [nil, nil]
            try trial.cuda.cuDeviceGetDefaultMemPool(&pools[0], trial.device)
            try trial.cuda.cuDeviceGetMemPool(&pools[1], trial.device)
            try require(pools[0] != nil && pools[0] == pools[1])
        },
        ConformanceCase("pool.free", "stream-ordered memory may be freed by cuMemFree") { trial in
            try trial.needs(CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED, "memory pools")
            var address: CUdeviceptr = 0
            try trial.cuda.cuMemAllocAsync(&address, 5000, nil)
            try trial.cuda.cuMemsetD8Async(address, 1, 5000, nil)
            try trial.cuda.cuMemFree_v2(address)
            var other: CUdeviceptr = 0
            try trial.cuda.cuMemAlloc_v2(&other, 5000)
            try trial.cuda.cuMemFreeAsync(other, nil)
            try trial.cuda.cuStreamSynchronize(nil)
        },
    ]

    static let virtualMemoryCases: [ConformanceCase] = [
        ConformanceCase("virtual.map", "reserve, create, map, allow, use, take apart") { trial in
            let memory = try VirtualMemory(trial, pieces: 2)
            let count = memory.pieceByteCount / 4
            let values = trial.words(1000, seed: 41)
            // Across the seam of the two pieces.
            let seam = memory.address + UInt64(memory.pieceByteCount) - 2000
            try trial.write(values, to: seam)
            try trial.launch(
                try trial.kernel("affine"), LaunchShape(4, 256), .address(seam), .word(1000), .word(3), .word(9))
            let found = try trial.download(seam, 1000)
            try requireEqual(found, values.map { $0 &* 3 &+ 9 })
            try require(count > 0)
            trial.record(found)
            try memory.release()
        },
        ConformanceCase("virtual.twice", "one piece at two addresses is one memory") { trial in
            let cuda = trial.cuda
            let memory = try VirtualMemory(trial, pieces: 1)
            var other: CUdeviceptr = 0
            try cuda.cuMemAddressReserve(&other, memory.pieceByteCount, 0, 0, 0)
            try cuda.cuMemMap(other, memory.pieceByteCount, 0, memory.pieces[0], 0)
            var access = VirtualMemory.access(trial)
            try cuda.cuMemSetAccess(other, memory.pieceByteCount, &access, 1)
            let values = trial.words(1000, seed: 42)
            try trial.write(values, to: memory.address)
            let found = try trial.download(other, 1000)
            try requireEqual(found, values)
            trial.record(found)
            try cuda.cuMemUnmap(other, memory.pieceByteCount)
            try cuda.cuMemAddressFree(other, memory.pieceByteCount)
            try memory.release()
        },
        ConformanceCase("virtual.grow", "mapping more behind keeps what is there") { trial in
            let cuda = trial.cuda
            let memory = try VirtualMemory(trial, pieces: 1, room: 4)
            let values = trial.words(1000, seed: 43)
            try trial.write(values, to: memory.address)
            for index in 1..<4 { try memory.add(index, trial) }
            try cuda.cuMemsetD32_v2(memory.address + UInt64(memory.pieceByteCount), 7, memory.pieceByteCount / 4 * 3)
            try requireEqual(try trial.download(memory.address, 1000), values)
            let end = memory.address + UInt64(memory.pieceByteCount * 4 - 4)
            try requireEqual(try trial.download(end, 1), [7])
            try memory.release()
        },
        ConformanceCase("virtual.access", "what is allowed can be asked") { trial in
            let memory = try VirtualMemory(trial, pieces: 1)
            var location = VirtualMemory.access(trial).location
            var flags: UInt64 = 0
            try trial.cuda.cuMemGetAccess(&flags, &location, memory.address)
            try requireEqual(flags, UInt64(CU_MEM_ACCESS_FLAGS_PROT_READWRITE.rawValue))
            try memory.release()
        },
    ]
}

/// Pieces of physical memory behind one another in a reserved range.
final class VirtualMemory {
    private let cuda: CUDALibrary
    let pieceByteCount: Int
    private(set) var address: CUdeviceptr = 0
    private(set) var pieces: [CUmemGenericAllocationHandle] = []
    private let room: Int

    init(_ trial: Trial, pieces count: Int, room: Int? = nil) throws {
        try trial.needs(CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED, "virtual memory management")
        cuda = trial.cuda
        self.room = room ?? count
        var properties = Self.properties(trial)
        var granularity = 0
        try cuda.cuMemGetAllocationGranularity(&granularity, &properties, CU_MEM_ALLOC_GRANULARITY_MINIMUM)
        try require(granularity > 0 && granularity & (granularity - 1) == 0, "granularity \(granularity)")
        pieceByteCount = granularity
        try cuda.cuMemAddressReserve(&address, granularity * self.room, 0, 0, 0)
        for index in 0..<count { try add(index, trial) }
    }

    static func properties(_ trial: Trial) -> CUmemAllocationProp {
        var properties = CUmemAllocationProp()
        properties.type = CU_MEM_ALLOCATION_TYPE_PINNED
        properties.location.type = CU_MEM_LOCATION_TYPE_DEVICE
        properties.location.id = trial.device
        return properties
    }

    static func access(_ trial: Trial) -> CUmemAccessDesc {
        var access = CUmemAccessDesc()
        access.location.type = CU_MEM_LOCATION_TYPE_DEVICE
        access.location.id = trial.device
        access.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE
        return access
    }

    /// Creates another piece and maps it at its place.
    func add(_ index: Int, _ trial: Trial) throws {
        var properties = Self.properties(trial)
        var piece: CUmemGenericAllocationHandle = 0
        try cuda.cuMemCreate(&piece, pieceByteCount, &properties, 0)
        pieces.append(piece)
        let place = address + UInt64(index * pieceByteCount)
        try cuda.cuMemMap(place, pieceByteCount, 0, piece, 0)
        var access = Self.access(trial)
        try cuda.cuMemSetAccess(place, pieceByteCount, &access, 1)
    }

    func release() throws {
        try cuda.cuCtxSynchronize()
        for (index, piece) in pieces.enumerated() {
            try cuda.cuMemUnmap(address + UInt64(index * pieceByteCount), pieceByteCount)
            try cuda.cuMemRelease(piece)
        }
        try cuda.cuMemAddressFree(address, pieceByteCount * room)
    }
}
