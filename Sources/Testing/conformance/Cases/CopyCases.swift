internal import CCUDA
internal import CUDABinding

extension Suite {
    static let copyCases: [ConformanceCase] = [
        ConformanceCase("copy.sizes", "copies of many sizes and places, there and back") { trial in
            let values = trial.words(300_000, seed: 5).withUnsafeBytes { Array($0) }
            let address = try trial.allocate(values.count)
            var at = 0
            for byteCount in [1, 3, 4, 7, 255, 256, 4095, 4096, 65_537, 700_001] {
                try values.withUnsafeBytes { bytes in
                    try trial.cuda.cuMemcpyHtoD_v2(address + UInt64(at), bytes.baseAddress?.advanced(by: at), byteCount)
                }
                at += byteCount
            }
            let found = try trial.download(address, at, as: UInt8.self)
            try requireEqual(found, Array(values[..<at]))
            trial.record(found)
        },
        ConformanceCase("copy.large", "32 MiB there and back") { trial in
            let values = trial.words(8 << 20, seed: 6)
            let address = try trial.upload(values)
            let found = try trial.download(address, 8 << 20)
            try require(found == values, "other bytes came back")
        },
        ConformanceCase("copy.device", "between places of the device, and by address alone") { trial in
            let cuda = trial.cuda
            let values = trial.words(5000, seed: 7)
            let first = try trial.upload(values)
            let second = try trial.allocate(20_000)
            let third = try trial.allocate(20_000)
            try cuda.cuMemcpyDtoD_v2(second, first, 20_000)
            try cuda.cuMemcpy(third, second, 20_000)
            try cuda.cuMemcpyDtoDAsync_v2(first, third + 4, 19_996, nil)
            let found = try trial.download(first, 5000)
            try requireEqual(found, Array(values.dropFirst()) + [values[4999]])
            trial.record(found)
        },
        ConformanceCase("copy.unified", "cuMemcpy tells host from device by the address") { trial in
            let values = trial.words(1000, seed: 8)
            let address = try trial.allocate(4000)
            var back = [UInt32](repeating: 0, count: 1000)
            try values.withUnsafeBytes {
                try trial.cuda.cuMemcpy(address, CUdeviceptr(UInt(bitPattern: $0.baseAddress)), 4000)
            }
            try back.withUnsafeMutableBytes {
                try trial.cuda.cuMemcpy(CUdeviceptr(UInt(bitPattern: $0.baseAddress)), address, 4000)
            }
            try requireEqual(back, values)
        },
        ConformanceCase("copy.rectangle", "a rectangle from host to device and back") { trial in
            try copyRectangle(trial)
        },
        ConformanceCase("copy.rectangle-device", "a rectangle from device to device") { trial in
            let values = trial.words(32 * 20, seed: 10)
            let from = try trial.upload(values)
            let to = try trial.allocate(64 * 4 * 10)
            try trial.cuda.cuMemsetD8_v2(to, 0, 64 * 4 * 10)
            var copy = CUDA_MEMCPY2D()
            copy.srcMemoryType = CU_MEMORYTYPE_DEVICE
            copy.srcDevice = from
            copy.srcPitch = 32 * 4
            copy.srcXInBytes = 8
            copy.srcY = 3
            copy.dstMemoryType = CU_MEMORYTYPE_DEVICE
            copy.dstDevice = to
            copy.dstPitch = 64 * 4
            copy.dstXInBytes = 16
            copy.dstY = 1
            copy.WidthInBytes = 40
            copy.Height = 7
            try trial.cuda.cuMemcpy2DUnaligned_v2(&copy)
            var wanted = [UInt32](repeating: 0, count: 64 * 10)
            for row in 0..<7 {
                for column in 0..<10 { wanted[64 * (row + 1) + 4 + column] = values[32 * (row + 3) + 2 + column] }
            }
            let found = try trial.download(to, 640)
            try requireEqual(found, wanted)
            trial.record(found)
        },
        ConformanceCase("copy.box", "a box of three dimensions") { trial in try copyBox(trial) },
        ConformanceCase("copy.async-order", "copies and kernels of a stream keep their order") { trial in
            let cuda = trial.cuda
            var stream: CUstream?
            try cuda.cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING.rawValue)
            let affine = try trial.kernel("affine")
            let address = try trial.allocate(4096)
            var raw: UnsafeMutableRawPointer?
            try cuda.cuMemAllocHost_v2(&raw, 8192)
            let host = try some(raw).bindMemory(to: UInt32.self, capacity: 2048)
            for index in 0..<1024 { host[index] = UInt32(index) }
            try cuda.cuMemcpyHtoDAsync_v2(address, raw, 4096, stream)
            for _ in 0..<10 {
                try trial.launch(
                    affine, LaunchShape(8, 128), on: stream, .address(address), .word(1024), .word(3), .word(1))
            }
            try cuda.cuMemcpyDtoHAsync_v2(host + 1024, address, 4096, stream)
            try cuda.cuStreamSynchronize(stream)
            let wanted = (0..<1024).map { index in (0..<10).reduce(UInt32(index)) { value, _ in value &* 3 &+ 1 } }
            let found = Array(UnsafeBufferPointer(start: host + 1024, count: 1024))
            try requireEqual(found, wanted)
            trial.record(found)
            try cuda.cuMemFreeHost(raw)
            try cuda.cuStreamDestroy_v2(stream)
        },
        ConformanceCase("copy.wrong", "copies beyond an allocation are refused") { trial in
            let address = try trial.allocate(4096)
            var host = [UInt8](repeating: 0, count: 16)
            try expect(CUDA_ERROR_INVALID_VALUE) { try trial.cuda.cuMemcpyDtoH_v2(&host, 0x10, 16) }
            try trial.cuda.cuMemcpyHtoD_v2(address, nil, 0)
        },
        ConformanceCase("copy.batch", "many copies in one call") { trial in
            let values = trial.words(3000, seed: 12)
            let from = try trial.upload(values)
            let to = try trial.allocate(12_000)
            var targets = (0..<3).map { to + UInt64($0 * 4000) }
            var sources = (0..<3).map { from + UInt64((2 - $0) * 4000) }
            var sizes = [4000, 4000, 4000]
            var attributes = CUmemcpyAttributes()
            attributes.srcAccessOrder = CU_MEMCPY_SRC_ACCESS_ORDER_STREAM
            var starts = [0]
            var stream: CUstream?
            try trial.cuda.cuStreamCreate(&stream, 0)
            try trial.cuda.cuMemcpyBatchAsync_v2(&targets, &sources, &sizes, 3, &attributes, &starts, 1, stream)
            try trial.cuda.cuStreamSynchronize(stream)
            let found = try trial.download(to, 3000)
            let wanted: [UInt32] = Array(values[2000...] + values[1000..<2000] + values[..<1000])
            try requireEqual(found, wanted)
            trial.record(found)
            try trial.cuda.cuStreamDestroy_v2(stream)
        },
    ]

    private static func copyRectangle(_ trial: Trial) throws {
        let values = trial.words(50 * 20, seed: 9)
        var address: CUdeviceptr = 0
        var pitch = 0
        try trial.cuda.cuMemAllocPitch_v2(&address, &pitch, 120, 20, 4)
        var back = [UInt32](repeating: 0, count: 30 * 20)
        try values.withUnsafeBytes { bytes in
            var copy = CUDA_MEMCPY2D()
            copy.srcMemoryType = CU_MEMORYTYPE_HOST
            copy.srcHost = bytes.baseAddress
            copy.srcPitch = 200
            copy.srcXInBytes = 40
            copy.dstMemoryType = CU_MEMORYTYPE_DEVICE
            copy.dstDevice = address
            copy.dstPitch = pitch
            copy.WidthInBytes = 120
            copy.Height = 20
            try trial.cuda.cuMemcpy2D_v2(&copy)
        }
        try back.withUnsafeMutableBytes { bytes in
            var copy = CUDA_MEMCPY2D()
            copy.srcMemoryType = CU_MEMORYTYPE_DEVICE
            copy.srcDevice = address
            copy.srcPitch = pitch
            copy.dstMemoryType = CU_MEMORYTYPE_HOST
            copy.dstHost = bytes.baseAddress
            copy.dstPitch = 120
            copy.WidthInBytes = 120
            copy.Height = 20
            try trial.cuda.cuMemcpy2DAsync_v2(&copy, nil)
            try trial.cuda.cuStreamSynchronize(nil)
        }
        try trial.cuda.cuMemFree_v2(address)
        let wanted: [UInt32] = (0..<600).map { (index: Int) -> UInt32 in values[50 * (index / 30) + 10 + index % 30] }
        try requireEqual(back, wanted)
        trial.record(back)
    }

    private static func copyBox(_ trial: Trial) throws {
        let values = trial.words(16 * 8 * 4, seed: 11)
        let from = try trial.upload(values)
        var back = [UInt32](repeating: 0, count: 4 * 3 * 2)
        try back.withUnsafeMutableBytes { bytes in
            var copy = CUDA_MEMCPY3D()
            copy.srcMemoryType = CU_MEMORYTYPE_DEVICE
            copy.srcDevice = from
            copy.srcPitch = 64
            copy.srcHeight = 8
            copy.srcXInBytes = 12
            copy.srcY = 2
            copy.srcZ = 1
            copy.dstMemoryType = CU_MEMORYTYPE_HOST
            copy.dstHost = bytes.baseAddress
            copy.dstPitch = 16
            copy.dstHeight = 3
            copy.WidthInBytes = 16
            copy.Height = 3
            copy.Depth = 2
            try trial.cuda.cuMemcpy3D_v2(&copy)
        }
        var wanted: [UInt32] = []
        for depth in 1..<3 {
            for row in 2..<5 {
                for column in 3..<7 { wanted.append(values[depth * 128 + row * 16 + column]) }
            }
        }
        try requireEqual(back, wanted)
        trial.record(back)
    }
}
