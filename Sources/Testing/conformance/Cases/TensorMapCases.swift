internal import CCUDA
internal import CUDABinding

extension Suite {
    static let tensorMapCases: [ConformanceCase] = [
        ConformanceCase("tensor-map.attribute", "devices of compute capability 9.0 have tensor maps, older ones none") {
            trial in
            let major = try trial.attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
            try requireEqual(try trial.attribute(CU_DEVICE_ATTRIBUTE_TENSOR_MAP_ACCESS_SUPPORTED), major >= 9 ? 1 : 0)
        },
        ConformanceCase("tensor-map.tiled", "a tensor map is 128 bytes of which not all are zero") { trial in
            let plane = try TensorPlane(trial)
            try require(plane.map.contains { $0 != 0 }, "a map of zeros")
        },
        ConformanceCase("tensor-map.refused", "what the rules forbid is an invalid value") { trial in
            let plane = try TensorPlane(trial)
            let changes: [(String, (inout TensorPlane) -> Void)] = [
                ("rows", { $0.rowByteCount = 250 }), ("address", { $0.address += 4 }), ("rank", { $0.rank = 6 }),
                ("no rank", { $0.rank = 0 }), ("size", { $0.sizes[1] = 0 }), ("box", { $0.box[1] = 257 }),
                ("narrow box", { $0.box[0] = 3 }), ("steps", { $0.steps[1] = 9 }),
                ("NaN of integers", { $0.outside = CU_TENSOR_MAP_FLOAT_OOB_FILL_NAN_REQUEST_ZERO_FMA }),
                ("box beyond swizzle", { $0.swizzle = CU_TENSOR_MAP_SWIZZLE_32B }),
            ]
            for (name, change) in changes {
                var wrong = plane
                change(&wrong)
                do {
                    try expect(CUDA_ERROR_INVALID_VALUE) { _ = try wrong.encode() }
                } catch CaseFailure.failed(let message) {
                    throw CaseFailure.failed("\(name): \(message)")
                }
            }
        },
        ConformanceCase("tensor-map.load", "a box of a tensor in shared memory, with zeros for what is outside") {
            trial in
            let plane = try TensorPlane(trial)
            let found = try plane.load(plane.map, x: 56, y: -3)
            try requireEqual(found, plane.values(x: 56, y: -3, rowCount: 8))
            trial.record(found)
        },
        ConformanceCase("tensor-map.steps", "a box of every second row") { trial in
            var plane = try TensorPlane(trial)
            plane.steps[1] = 2
            let found = try plane.load(plane.encode(), x: 4, y: 5, rowCount: 4)
            try requireEqual(found, plane.values(x: 4, y: 5, rowCount: 4, step: 2))
            trial.record(found)
        },
        ConformanceCase("tensor-map.swizzle", "chunks of 16 bytes change places from row to row") { trial in
            for (swizzle, words) in [
                (CU_TENSOR_MAP_SWIZZLE_32B, 8), (CU_TENSOR_MAP_SWIZZLE_64B, 16), (CU_TENSOR_MAP_SWIZZLE_128B, 32),
            ] {
                var plane = try TensorPlane(trial)
                (plane.box[0], plane.swizzle) = (UInt32(words), swizzle)
                let found = try plane.load(plane.encode(), x: 8, y: 1)
                var wanted = [UInt32](repeating: 0, count: words * 8)
                for row in 0..<8 {
                    for word in 0..<words {
                        let chunk = word / 4 ^ (row * words / 32) % (words / 4)
                        wanted[row * words + chunk * 4 + word % 4] = plane.value(8 + word, 1 + row)
                    }
                }
                try requireEqual(found, wanted)
                trial.record(found)
            }
        },
        ConformanceCase("tensor-map.store", "boxes stored and added, without what is outside") { trial in
            let plane = try TensorPlane(trial)
            for adds in [0, 1] as [UInt32] {
                try plane.writeValues()
                try trial.launch(
                    trial.kernel("store_box", in: Kernels.tensorMaps), LaunchShape(1, 128), .bytes(plane.map),
                    .word(60), .word(62), .word(adds))
                let found = try trial.download(plane.address, 64 * 64)
                var wanted = (0..<64 * 64).map { plane.value($0 % 64, $0 / 64) }
                for row in 0..<2 {
                    for column in 0..<4 {
                        let stored = UInt32(1000 + row * 16 + column)
                        let place = (62 + row) * 64 + 60 + column
                        wanted[place] = adds == 1 ? wanted[place] &+ stored : stored
                    }
                }
                try requireEqual(found, wanted)
                trial.record(found)
            }
        },
        ConformanceCase("tensor-map.replace", "a tensor map of another address") { trial in
            let plane = try TensorPlane(trial)
            let values = (0..<64 * 64 as Range<UInt32>).map { $0 ^ 0xffff }
            let other = try trial.upload(values)
            let map = try TensorPlane.changing(plane.map) { map in
                try trial.cuda.cuTensorMapReplaceAddress(map, UnsafeMutableRawPointer(bitPattern: UInt(other)))
            }
            let found = try plane.load(map, x: 0, y: 10)
            try requireEqual(found, (0..<8).flatMap { row in values[(10 + row) * 64..<(10 + row) * 64 + 16] })
        },
        ConformanceCase("tensor-map.pixels", "pixels row after row and image after image, shifted by offsets") {
            trial in
            try trial.needs(CU_DEVICE_ATTRIBUTE_TENSOR_MAP_ACCESS_SUPPORTED, "tensor maps")
            // Two images of 4 by 4 pixels with 4 channels, numbered from 1.
            let values = (0..<128 as Range<UInt32>).map { $0 / 4 + 1 }
            let images = try trial.upload(values)
            let map = try TensorPlane.changing([UInt8](repeating: 0, count: 128)) { map in
                try trial.cuda.cuTensorMapEncodeIm2col(
                    map, CU_TENSOR_MAP_DATA_TYPE_UINT32, 4, UnsafeMutableRawPointer(bitPattern: UInt(images)),
                    [4, 4, 4, 2], [16, 64, 256], [-1, -1], [-1, -1], 4, 16, [1, 1, 1, 1],
                    CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_NONE, CU_TENSOR_MAP_L2_PROMOTION_NONE,
                    CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE)
            }
            let place = try trial.upload(map)
            let out = try trial.allocate(256)
            func load(x: Int32, y: Int32, dx: UInt32, dy: UInt32) throws -> [UInt32] {
                try trial.launch(
                    trial.kernel("load_pixels", in: Kernels.tensorMaps), LaunchShape(1, 64), .address(place),
                    .address(out), .word(UInt32(bitPattern: x)), .word(UInt32(bitPattern: y)), .word(256), .word(dx),
                    .word(dy))
                return try trial.download(out, 64)
            }
            let spread = { (pixels: [UInt32]) in pixels.flatMap { [$0, $0, $0, $0] } }
            let found = try load(x: 2, y: 1, dx: 0, dy: 0)
            try requireEqual(found, spread([7, 0, 9, 10, 11, 0, 0, 0, 0, 0, 17, 18, 19, 0, 21, 22]))
            try requireEqual(try load(x: -1, y: -1, dx: 1, dy: 1), spread((1...16).map { $0 }))
            trial.record(found)
        },
        ConformanceCase("bulk-copy.load", "bytes copied to shared memory end the wait for them") { trial in
            try trial.needsComputeCapability(9, "bulk copies")
            let values = trial.words(512, seed: 90)
            let source = try trial.upload(values)
            let out = try trial.allocate(2048)
            try trial.launch(
                trial.kernel("copy_bulk", in: Kernels.tensorMaps), LaunchShape(1, 96), .address(source + 64),
                .address(out), .word(0), .word(0), .word(1600))
            let found = try trial.download(out, 400)
            try requireEqual(found, Array(values[16..<416]))
            trial.record(found)
        },
    ]
}

/// A tensor of 64 by 64 words, and what its map is asked for: boxes of 16 by 8.
private struct TensorPlane {
    let trial: Trial
    var address: CUdeviceptr
    var rank: UInt32 = 2
    var sizes: [UInt64] = [64, 64, 1, 1, 1, 1]
    var rowByteCount: UInt64 = 256
    var box: [UInt32] = [16, 8, 1, 1, 1, 1]
    var steps: [UInt32] = [1, 1, 1, 1, 1, 1]
    var swizzle = CU_TENSOR_MAP_SWIZZLE_NONE
    var outside = CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE
    /// The encoded form.
    private(set) var map: [UInt8] = []

    /// Ends the case as unsupported on a device without tensor maps.
    init(_ trial: Trial) throws {
        try trial.needs(CU_DEVICE_ATTRIBUTE_TENSOR_MAP_ACCESS_SUPPORTED, "tensor maps")
        self.trial = trial
        address = try trial.allocate(64 * 64 * 4)
        try writeValues()
        map = try encode()
    }

    /// Writes the tensor's values.
    func writeValues() throws { try trial.write((0..<64 * 64).map { value($0 % 64, $0 / 64) }, to: address) }

    /// The value at a place, 0 outside.
    func value(_ column: Int, _ row: Int) -> UInt32 {
        (0..<64).contains(column) && (0..<64).contains(row) ? UInt32(row * 64 + column + 7) : 0
    }

    /// The values of a box of 16 columns.
    func values(x: Int, y: Int, rowCount: Int, step: Int = 1) -> [UInt32] {
        (0..<rowCount * 16).map { value(x + $0 % 16, y + $0 / 16 * step) }
    }

    func encode() throws -> [UInt8] {
        try TensorPlane.changing([UInt8](repeating: 0, count: 128)) { map in
            try trial.cuda.cuTensorMapEncodeTiled(
                map, CU_TENSOR_MAP_DATA_TYPE_UINT32, rank, UnsafeMutableRawPointer(bitPattern: UInt(address)), sizes,
                [rowByteCount, 64 * 256, 64 * 256, 64 * 256, 64 * 256], box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
                swizzle, CU_TENSOR_MAP_L2_PROMOTION_NONE, outside)
        }
    }

    /// Lets a call write a tensor map, which must lie at a multiple of 64 bytes.
    static func changing(_ bytes: [UInt8], _ body: (OpaquePointer) throws -> Void) throws -> [UInt8] {
        let map = UnsafeMutableRawPointer.allocate(byteCount: 128, alignment: 128)
        defer { map.deallocate() }
        map.copyMemory(from: bytes, byteCount: 128)
        try body(OpaquePointer(map))
        return [UInt8](UnsafeRawBufferPointer(start: map, count: 128))
    }

    /// What a kernel finds in shared memory after it loaded a box, whose map is its parameter.
    func load(_ map: [UInt8], x: Int32, y: Int32, rowCount: Int = 8) throws -> [UInt32] {
        let count = Int(box[0]) * rowCount
        let out = try trial.allocate(count * 4)
        try trial.launch(
            trial.kernel("load_box", in: Kernels.tensorMaps), LaunchShape(1, 64), .bytes(map), .address(out),
            .word(UInt32(bitPattern: x)), .word(UInt32(bitPattern: y)), .word(UInt32(count * 4)))
        return try trial.download(out, count)
    }
}
