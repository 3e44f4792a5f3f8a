internal import CCUDA
internal import CUDABinding

extension Suite {
    static let memoryCases: [ConformanceCase] = [
        ConformanceCase("memory.allocate", "addresses are aligned and apart, a double free is an error") { trial in
            let cuda = trial.cuda
            var addresses: [CUdeviceptr] = [0, 0, 0]
            for index in addresses.indices {
                try cuda.cuMemAlloc_v2(&addresses[index], 1000 * (index + 1))
                try require(addresses[index] != 0 && addresses[index] % 256 == 0)
            }
            try require(Set(addresses).count == 3)
            for address in addresses { try cuda.cuMemFree_v2(address) }
            try expect(CUDA_ERROR_INVALID_VALUE) { try cuda.cuMemFree_v2(addresses[0]) }
            try expect(CUDA_ERROR_INVALID_VALUE) { try cuda.cuMemAlloc_v2(&addresses[0], 0) }
        },
        ConformanceCase("memory.exhaust", "more than there is is refused, and nothing is lost") { trial in
            var address: CUdeviceptr = 0
            var total = 0
            try trial.cuda.cuDeviceTotalMem_v2(&total, trial.device)
            try expect(CUDA_ERROR_OUT_OF_MEMORY) { try trial.cuda.cuMemAlloc_v2(&address, total + 1) }
            let values = trial.words(64, seed: 2)
            try requireEqual(try trial.download(try trial.upload(values), 64), values)
        },
        ConformanceCase("memory.range", "an address inside an allocation leads to its start and size") { trial in
            let address = try trial.allocate(10_000)
            var start: CUdeviceptr = 0
            var byteCount = 0
            try trial.cuda.cuMemGetAddressRange_v2(&start, &byteCount, address + 5000)
            try requireEqual(start, address)
            try require(byteCount >= 10_000 && byteCount <= 10_000 + (2 << 20), "\(byteCount) bytes")
        },
        ConformanceCase("memory.pitched", "rows are apart by a pitch that holds them") { trial in
            var address: CUdeviceptr = 0
            var pitch = 0
            try trial.cuda.cuMemAllocPitch_v2(&address, &pitch, 100, 7, 4)
            try require(pitch >= 100 && pitch % 32 == 0, "pitch \(pitch)")
            try trial.cuda.cuMemsetD8_v2(address, 9, pitch * 7)
            try requireEqual(
                try trial.download(address, pitch * 7, as: UInt8.self), [UInt8](repeating: 9, count: pitch * 7))
            try trial.cuda.cuMemFree_v2(address)
        },
        ConformanceCase("memory.fill", "fills of 8, 16 and 32 bits") { trial in
            let cuda = trial.cuda
            let address = try trial.allocate(1024)
            try cuda.cuMemsetD32_v2(address, 0xdead_beef, 256)
            try cuda.cuMemsetD8_v2(address + 3, 0x5a, 11)
            try cuda.cuMemsetD16_v2(address + 100, 0x1234, 20)
            try cuda.cuMemsetD32_v2(address + 512, 7, 10)
            var wanted = [UInt32](repeating: 0xdead_beef, count: 256).withUnsafeBytes { Array($0) }
            for index in 3..<14 { wanted[index] = 0x5a }
            for index in 0..<20 {
                wanted[100 + 2 * index] = 0x34
                wanted[101 + 2 * index] = 0x12
            }
            for index in 512..<552 { wanted[index] = index % 4 == 0 ? 7 : 0 }
            let found = try trial.download(address, 1024, as: UInt8.self)
            try requireEqual(found, wanted)
            trial.record(found)
        },
        ConformanceCase("memory.fill-2d", "fills of rows leave the rest") { trial in
            let cuda = trial.cuda
            let address = try trial.allocate(64 * 16)
            try cuda.cuMemsetD8_v2(address, 0, 64 * 16)
            try cuda.cuMemsetD2D8_v2(address, 64, 1, 5, 3)
            try cuda.cuMemsetD2D16_v2(address + 64 * 4, 64, 0x0202, 5, 3)
            try cuda.cuMemsetD2D32_v2(address + 64 * 8, 64, 0x0303_0303, 5, 3)
            var wanted = [UInt8](repeating: 0, count: 64 * 16)
            for (block, width) in [5, 10, 20].enumerated() {
                for row in 0..<3 {
                    for column in 0..<width { wanted[64 * (block * 4 + row) + column] = UInt8(block + 1) }
                }
            }
            let found = try trial.download(address, 64 * 16, as: UInt8.self)
            try requireEqual(found, wanted)
            trial.record(found)
        },
        ConformanceCase("memory.fill-async", "fills are in the order of their stream") { trial in
            let cuda = trial.cuda
            var stream: CUstream?
            try cuda.cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING.rawValue)
            let address = try trial.allocate(4096)
            for value in 1...20 { try cuda.cuMemsetD32Async(address, UInt32(value), 1024, stream) }
            try cuda.cuMemsetD8Async(address, 0xff, 4, stream)
            try cuda.cuStreamSynchronize(stream)
            let found = try trial.download(address, 1024)
            try requireEqual(found, [UInt32.max] + [UInt32](repeating: 20, count: 1023))
            try cuda.cuStreamDestroy_v2(stream)
            trial.record(found)
        },
        ConformanceCase("memory.attributes", "what a pointer is") { trial in
            let address = try trial.allocate(4096)
            var kind: UInt32 = 0
            var ordinal: Int32 = -1
            var isManaged: UInt32 = 9
            var start: CUdeviceptr = 0
            var context: CUcontext?
            let cuda = trial.cuda
            try cuda.cuPointerGetAttribute(&kind, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, address + 8)
            try requireEqual(kind, CU_MEMORYTYPE_DEVICE.rawValue)
            try cuda.cuPointerGetAttribute(&ordinal, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, address + 8)
            try requireEqual(ordinal, trial.device)
            try cuda.cuPointerGetAttribute(&isManaged, CU_POINTER_ATTRIBUTE_IS_MANAGED, address + 8)
            try requireEqual(isManaged & 0xff, 0)
            try cuda.cuPointerGetAttribute(&start, CU_POINTER_ATTRIBUTE_RANGE_START_ADDR, address + 8)
            try requireEqual(start, address)
            try cuda.cuPointerGetAttribute(&context, CU_POINTER_ATTRIBUTE_CONTEXT, address + 8)
            try requireEqual(context, trial.context)
            var word: UInt64 = 0
            try withUnsafeMutablePointer(to: &word) { pointer in
                let outside = CUdeviceptr(UInt(bitPattern: pointer))
                try expect(CUDA_ERROR_INVALID_VALUE) {
                    try cuda.cuPointerGetAttribute(&kind, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, outside)
                }
            }
        },
        ConformanceCase("memory.attribute-list", "several attributes at once; unknown memory gives zeros") { trial in
            let address = try trial.allocate(4096)
            var kind: UInt32 = 0
            var ordinal: Int32 = -5
            var attributes = [CU_POINTER_ATTRIBUTE_MEMORY_TYPE, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL]
            try withUnsafeMutablePointer(to: &kind) { kind in
                try withUnsafeMutablePointer(to: &ordinal) { ordinal in
                    var places: [UnsafeMutableRawPointer?] = [.init(kind), .init(ordinal)]
                    try trial.cuda.cuPointerGetAttributes(2, &attributes, &places, address)
                    try requireEqual(kind.pointee, CU_MEMORYTYPE_DEVICE.rawValue)
                    try requireEqual(ordinal.pointee, trial.device)
                    let outside = CUdeviceptr(UInt(bitPattern: kind))
                    try trial.cuda.cuPointerGetAttributes(2, &attributes, &places, outside)
                    try requireEqual(kind.pointee, 0)
                    try requireEqual(ordinal.pointee, -2)
                }
            }
        },
    ]
}
