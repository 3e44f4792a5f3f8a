internal import CCUDA
internal import CUDABinding

extension Suite {
    static let arrayCases: [ConformanceCase] = [
        ConformanceCase("array.copies", "rows into an array and back") { trial in
            let cuda = trial.cuda
            let values = (0..<64 * 16).map { Float($0) }
            let array = try TextureArray(trial, width: 64, height: 16)
            try array.write(values)
            var description = CUDA_ARRAY_DESCRIPTOR()
            try cuda.cuArrayGetDescriptor_v2(&description, array.array)
            try require(description.Width == 64 && description.Height == 16 && description.NumChannels == 1)
            let found = try array.read()
            try requireEqual(found, values)
            trial.record(found)
            try array.destroy()
        },
        ConformanceCase("array.one-dimension", "cuMemcpyHtoA and cuMemcpyAtoH") { trial in
            let cuda = trial.cuda
            var description = CUDA_ARRAY_DESCRIPTOR()
            description.Width = 256
            description.Format = CU_AD_FORMAT_UNSIGNED_INT8
            description.NumChannels = 4
            var array: CUarray?
            try cuda.cuArrayCreate_v2(&array, &description)
            let values = trial.words(256, seed: 50)
            try values.withUnsafeBytes { try cuda.cuMemcpyHtoA_v2(array, 0, $0.baseAddress, 1024) }
            var back = [UInt32](repeating: 0, count: 100)
            try back.withUnsafeMutableBytes { try cuda.cuMemcpyAtoH_v2($0.baseAddress, array, 80, 400) }
            try requireEqual(back, Array(values[20..<120]))
            trial.record(back)
            try cuda.cuArrayDestroy(array)
        },
        ConformanceCase("array.captured", "copies between arrays and memory become nodes of a graph") { trial in
            let cuda = trial.cuda
            let values = (0..<64 * 16).map { Float($0) }
            let first = try TextureArray(trial, width: 64, height: 16)
            let second = try TextureArray(trial, width: 64, height: 16)
            let memory = try trial.upload(values.map(\.bitPattern))
            let capture = try Capture(trial)
            try capture.begin()
            var copy = first.fromDevice(memory)
            try cuda.cuMemcpy2DAsync_v2(&copy, capture.stream)
            var onward = second.fromArray(first)
            try cuda.cuMemcpy2DAsync_v2(&onward, capture.stream)
            let graph = try capture.end()
            try requireEqual(try graph.nodeCount(), 2)
            try graph.launch(capture.stream)
            try cuda.cuStreamSynchronize(capture.stream)
            let found = try second.read()
            try requireEqual(found, values)
            trial.record(found)
            try graph.destroy()
            try capture.destroy()
            try first.destroy()
            try second.destroy()
        },
        ConformanceCase("texture.points", "unfiltered reads, with borders clamped and wrapped") { trial in
            for (mode, wanted): (CUaddress_mode, (Int) -> Int) in [
                (CU_TR_ADDRESS_MODE_CLAMP, { max(0, min(15, $0)) }),
                (CU_TR_ADDRESS_MODE_WRAP, { (($0 % 16) + 16) % 16 }),
            ] {
                let values = (0..<16 * 4).map { Float($0 * $0) }
                let array = try TextureArray(trial, width: 16, height: 4)
                try array.write(values)
                var texture = CUDA_TEXTURE_DESC()
                texture.addressMode = (mode, mode, mode)
                texture.filterMode = CU_TR_FILTER_MODE_POINT
                let isWrapped = mode == CU_TR_ADDRESS_MODE_WRAP
                // Wrapping is only defined for coordinates from 0 to 1.
                texture.flags = isWrapped ? UInt32(CU_TRSF_NORMALIZED_COORDINATES) : 0
                let scale: Float = isWrapped ? 1 / 16 : 1
                let rowScale: Float = isWrapped ? 1 / 4 : 1
                let found = try array.sample(
                    texture, count: 48, start: -16.5 * scale, step: scale, row: 2.5 * rowScale)
                try requireEqual(found, (0..<48).map { values[32 + wanted($0 - 17)] })
                trial.record(found)
                try array.destroy()
            }
        },
        ConformanceCase("texture.linear-filter", "reads between texels are weighted") { trial in
            let values = (0..<16 * 4).map { Float($0 % 16) * 8 }
            let array = try TextureArray(trial, width: 16, height: 4)
            try array.write(values)
            var texture = CUDA_TEXTURE_DESC()
            texture.addressMode = (CU_TR_ADDRESS_MODE_CLAMP, CU_TR_ADDRESS_MODE_CLAMP, CU_TR_ADDRESS_MODE_CLAMP)
            texture.filterMode = CU_TR_FILTER_MODE_LINEAR
            let found = try array.sample(texture, count: 28, start: 1, step: 0.5, row: 1.5)
            // The weights have eight bits, these points need one.
            try requireEqual(found, (0..<28).map { 4 + 4 * Float($0) })
            trial.record(found)
            try array.destroy()
        },
        ConformanceCase("texture.linear-memory", "a texture over plain memory") { trial in
            let cuda = trial.cuda
            let values = trial.words(512, seed: 51)
            let address = try trial.upload(values)
            var resource = CUDA_RESOURCE_DESC()
            resource.resType = CU_RESOURCE_TYPE_LINEAR
            resource.res.linear.devPtr = address
            resource.res.linear.format = CU_AD_FORMAT_UNSIGNED_INT32
            resource.res.linear.numChannels = 1
            resource.res.linear.sizeInBytes = 2048
            var texture = CUDA_TEXTURE_DESC()
            texture.flags = UInt32(CU_TRSF_READ_AS_INTEGER)
            var object: CUtexObject = 0
            try cuda.cuTexObjectCreate(&object, &resource, &texture, nil)
            let out = try trial.allocate(2048)
            try trial.launch(
                try trial.kernel("fetch", in: Kernels.textures), LaunchShape(4, 128), .long(object), .address(out),
                .word(512))
            let found = try trial.download(out, 512)
            try requireEqual(found, values)
            trial.record(found)
            try cuda.cuTexObjectDestroy(object)
        },
        ConformanceCase("surface.write", "a kernel writes an array through a surface") { trial in
            let cuda = trial.cuda
            let array = try TextureArray(trial, width: 64, height: 4, flags: TextureArray.isSurface)
            var resource = CUDA_RESOURCE_DESC()
            resource.resType = CU_RESOURCE_TYPE_ARRAY
            resource.res.array.hArray = array.array
            var surface: CUsurfObject = 0
            try cuda.cuSurfObjectCreate(&surface, &resource)
            try trial.launch(
                try trial.kernel("paint", in: Kernels.textures), LaunchShape(4, 64), .long(surface))
            try cuda.cuCtxSynchronize()
            let found = try array.read().map(\.bitPattern)
            try requireEqual(found, (0..<256).map { UInt32($0 / 64 * 1000 + $0 % 64) })
            trial.record(found)
            try cuda.cuSurfObjectDestroy(surface)
            try array.destroy()
        },
        ConformanceCase("array.mipmaps", "levels of a mipmapped array are arrays of half the size") { trial in
            let cuda = trial.cuda
            var description = CUDA_ARRAY3D_DESCRIPTOR()
            (description.Width, description.Height) = (32, 32)
            description.Format = CU_AD_FORMAT_FLOAT
            description.NumChannels = 1
            var mipmaps: CUmipmappedArray?
            try cuda.cuMipmappedArrayCreate(&mipmaps, &description, 3)
            for level in 0..<3 {
                var array: CUarray?
                var found = CUDA_ARRAY_DESCRIPTOR()
                try cuda.cuMipmappedArrayGetLevel(&array, mipmaps, UInt32(level))
                try cuda.cuArrayGetDescriptor_v2(&found, array)
                try require(found.Width == 32 >> level && found.Height == 32 >> level, "level \(level)")
            }
            try cuda.cuMipmappedArrayDestroy(mipmaps)
        },
    ]
}

/// An array of floats with two dimensions.
final class TextureArray {
    private let trial: Trial
    private let width: Int
    private let height: Int
    private(set) var array: CUarray?
    /// `CUDA_ARRAY3D_SURFACE_LDST`.
    static let isSurface: UInt32 = 2

    init(_ trial: Trial, width: Int, height: Int, flags: UInt32 = 0) throws {
        self.trial = trial
        (self.width, self.height) = (width, height)
        var description = CUDA_ARRAY3D_DESCRIPTOR()
        (description.Width, description.Height) = (width, height)
        description.Format = CU_AD_FORMAT_FLOAT
        description.NumChannels = 1
        description.Flags = flags
        try trial.cuda.cuArray3DCreate_v2(&array, &description)
    }

    func destroy() throws { try trial.cuda.cuArrayDestroy(array) }

    private var shape: CUDA_MEMCPY2D {
        var copy = CUDA_MEMCPY2D()
        copy.WidthInBytes = width * 4
        copy.Height = height
        return copy
    }

    /// A copy of device memory to all of the array.
    func fromDevice(_ address: CUdeviceptr) -> CUDA_MEMCPY2D {
        var copy = shape
        copy.srcMemoryType = CU_MEMORYTYPE_DEVICE
        copy.srcDevice = address
        copy.srcPitch = width * 4
        copy.dstMemoryType = CU_MEMORYTYPE_ARRAY
        copy.dstArray = array
        return copy
    }

    /// A copy of another array to all of this one.
    func fromArray(_ other: TextureArray) -> CUDA_MEMCPY2D {
        var copy = shape
        copy.srcMemoryType = CU_MEMORYTYPE_ARRAY
        copy.srcArray = other.array
        copy.dstMemoryType = CU_MEMORYTYPE_ARRAY
        copy.dstArray = array
        return copy
    }

    func write(_ values: [Float]) throws {
        try values.withUnsafeBytes { bytes in
            var copy = shape
            copy.srcMemoryType = CU_MEMORYTYPE_HOST
            copy.srcHost = bytes.baseAddress
            copy.srcPitch = width * 4
            copy.dstMemoryType = CU_MEMORYTYPE_ARRAY
            copy.dstArray = array
            try trial.cuda.cuMemcpy2D_v2(&copy)
        }
    }

    func read() throws -> [Float] {
        var values = [Float](repeating: 0, count: width * height)
        try values.withUnsafeMutableBytes { bytes in
            var copy = shape
            copy.srcMemoryType = CU_MEMORYTYPE_ARRAY
            copy.srcArray = array
            copy.dstMemoryType = CU_MEMORYTYPE_HOST
            copy.dstHost = bytes.baseAddress
            copy.dstPitch = width * 4
            try trial.cuda.cuMemcpy2D_v2(&copy)
        }
        return values
    }

    /// Reads along a row with a kernel.
    func sample(_ texture: CUDA_TEXTURE_DESC, count: Int, start: Float, step: Float, row: Float) throws -> [Float] {
        let cuda = trial.cuda
        var resource = CUDA_RESOURCE_DESC()
        resource.resType = CU_RESOURCE_TYPE_ARRAY
        resource.res.array.hArray = array
        var texture = texture
        var object: CUtexObject = 0
        try cuda.cuTexObjectCreate(&object, &resource, &texture, nil)
        let out = try trial.allocate(count * 4)
        try trial.launch(
            try trial.kernel("sample", in: Kernels.textures), LaunchShape(1, 64), .long(object), .address(out),
            .word(UInt32(count)), .float(start), .float(step), .float(row))
        let found = try trial.download(out, count, as: Float.self)
        try cuda.cuTexObjectDestroy(object)
        return found
    }
}
