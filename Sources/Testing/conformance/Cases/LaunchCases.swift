internal import CCUDA
internal import CUDABinding

extension Suite {
    static let launchCases: [ConformanceCase] = [
        ConformanceCase("launch.add", "the sum of two vectors") { trial in
            let count = 100_000
            let first = (0..<count).map { Float($0) * 0.5 }
            let second = (0..<count).map { Float($0 % 97) * 0.25 }
            let out = try trial.allocate(count * 4)
            try trial.launch(
                try trial.kernel("add"), LaunchShape((count + 255) / 256, 256), .address(try trial.upload(first)),
                .address(try trial.upload(second)), .address(out), .word(UInt32(count)))
            let found = try trial.download(out, count, as: Float.self)
            try requireEqual(found, zip(first, second).map { $0 + $1 })
            trial.record(found)
        },
        ConformanceCase("launch.parameters", "parameters of all widths and a structure") { trial in
            let out = try trial.allocate(56)
            let bytes = [UInt32(100), 20, 3].withUnsafeBytes { Array($0) }
            try trial.launch(
                try trial.kernel("kinds", in: Kernels.parameters), LaunchShape(1, 1), .word(200),
                .word(UInt32(bitPattern: -300)), .word(0xffff_fffe), .long(UInt64(bitPattern: -5)), .float(1.25),
                .double(-2.5), .bytes(bytes), .address(out))
            let found = try trial.download(out, 7, as: UInt64.self)
            let wanted: [UInt64] = [
                200, UInt64(bitPattern: -300), 0xffff_fffe, UInt64(bitPattern: -5), (1.25).bitPattern,
                (-2.5).bitPattern, 123,
            ]
            try requireEqual(found, wanted)
            trial.record(found)
        },
        ConformanceCase("launch.extra", "parameters as one packed block") { trial in
            let out = try trial.allocate(400)
            var packed: [UInt64] = [out, 100 | 7 << 32, 3]
            var byteCount = 20
            try withUnsafeMutablePointer(to: &byteCount) { byteCount in
                try packed.withUnsafeMutableBytes { packed in
                    var extra: [UnsafeMutableRawPointer?] = [
                        .init(bitPattern: 1), packed.baseAddress, .init(bitPattern: 2), .init(byteCount), nil,
                    ]
                    try trial.cuda.cuLaunchKernel(
                        try trial.kernel("sequence"), 1, 1, 1, 128, 1, 1, 0, nil, nil, &extra)
                }
            }
            let found = try trial.download(out, 100)
            try requireEqual(found, (0..<100).map { UInt32(7 + 3 * $0) })
            trial.record(found)
        },
        ConformanceCase("launch.arguments-taken", "arguments are read at the call, not later") { trial in
            let out = try trial.allocate(400)
            let sequence = try trial.kernel("sequence")
            let values = LaunchArguments([.address(out), .word(100), .word(5), .word(1)])
            try trial.cuda.cuLaunchKernel(sequence, 1, 1, 1, 128, 1, 1, 0, nil, values.pointers, nil)
            values.pointers[2]?.storeBytes(of: 77, as: UInt32.self)
            try requireEqual(try trial.download(out, 100), (0..<100).map { UInt32(5 + $0) })
        },
        ConformanceCase("launch.shape", "three dimensions of grid and block") { trial in
            let out = try trial.allocate(24)
            let values = LaunchArguments([.address(out)])
            try trial.cuda.cuLaunchKernel(
                try trial.kernel("shape"), 5, 4, 3, 8, 2, 2, 0, nil, values.pointers, nil)
            try requireEqual(try trial.download(out, 6), [5, 4, 3, 8, 2, 2])
        },
        ConformanceCase("launch.shared", "dynamic shared memory and barriers") { trial in
            let values = trial.words(256 * 10, seed: 30)
            let address = try trial.upload(values)
            try trial.launch(
                try trial.kernel("reverse", in: Kernels.blocks), LaunchShape(10, 256, sharedByteCount: 1024),
                .address(address), .word(256))
            let wanted = (0..<2560).map { (index: Int) -> UInt32 in values[index - index % 256 + 255 - index % 256] }
            let found = try trial.download(address, 2560)
            try requireEqual(found, wanted)
            trial.record(found)
        },
        ConformanceCase("launch.atomics", "all threads of all blocks count") { trial in
            let address = try trial.allocate(4)
            try trial.cuda.cuMemsetD32_v2(address, 0, 1)
            try trial.launch(try trial.kernel("tally"), LaunchShape(100, 512), .address(address), .word(50_001))
            try requireEqual(try trial.download(address, 1), [50_001])
        },
        ConformanceCase("launch.cooperative", "blocks of a cooperative launch meet") { trial in
            try trial.needs(CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH, "cooperative launches")
            let arrived = try trial.upload([UInt32(0)])
            let out = try trial.allocate(32)
            let values = LaunchArguments([.address(arrived), .address(out)])
            try trial.cuda.cuLaunchCooperativeKernel(
                try trial.kernel("meet", in: Kernels.blocks), 8, 1, 1, 64, 1, 1, 0, nil, values.pointers)
            try requireEqual(try trial.download(out, 8), [UInt32](repeating: 8, count: 8))
        },
        ConformanceCase("launch.cooperative-limit", "a cooperative launch that can't be resident is refused") { trial in
            try trial.needs(CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH, "cooperative launches")
            let arrived = try trial.upload([UInt32(0)])
            let values = LaunchArguments([.address(arrived), .address(arrived)])
            let function = try trial.kernel("meet", in: Kernels.blocks)
            try expect(CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE) {
                try trial.cuda.cuLaunchCooperativeKernel(
                    function, 1_000_000, 1, 1, 64, 1, 1, 0, nil, values.pointers)
            }
        },
        ConformanceCase("launch.attributes", "cuLaunchKernelEx with and without attributes") { trial in
            try launchWithAttributes(trial)
        },
        ConformanceCase("launch.many", "ten thousand launches without a wait") { trial in
            let affine = try trial.kernel("affine")
            let address = try trial.upload([UInt32(1)])
            for _ in 0..<10_000 {
                try trial.launch(affine, LaunchShape(1, 1), .address(address), .word(1), .word(3), .word(1))
            }
            let wanted = (0..<10_000).reduce(UInt32(1)) { value, _ in value &* 3 &+ 1 }
            let found = try trial.download(address, 1)
            try requireEqual(found, [wanted])
            trial.record(found)
        },
    ]

    private static func launchWithAttributes(_ trial: Trial) throws {
        let out = try trial.allocate(400)
        let sequence = try trial.kernel("sequence")
        var config = CUlaunchConfig()
        (config.gridDimX, config.gridDimY, config.gridDimZ) = (1, 1, 1)
        (config.blockDimX, config.blockDimY, config.blockDimZ) = (128, 1, 1)
        let plain = LaunchArguments([.address(out), .word(100), .word(1), .word(1)])
        try trial.cuda.cuLaunchKernelEx(&config, sequence, plain.pointers, nil)
        try requireEqual(try trial.download(out, 100), (1...100).map { UInt32($0) })
        var attribute = CUlaunchAttribute()
        attribute.id = CU_LAUNCH_ATTRIBUTE_PRIORITY
        attribute.value.priority = 0
        let other = LaunchArguments([.address(out), .word(100), .word(2), .word(2)])
        try withUnsafeMutablePointer(to: &attribute) { attribute in
            config.attrs = attribute
            config.numAttrs = 1
            try trial.cuda.cuLaunchKernelEx(&config, sequence, other.pointers, nil)
        }
        let found = try trial.download(out, 100)
        try requireEqual(found, (1...100).map { UInt32(2 * $0) })
        trial.record(found)
    }
}
