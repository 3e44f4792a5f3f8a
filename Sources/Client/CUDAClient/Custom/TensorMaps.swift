public import CCUDA
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

// A `CUtensorMap` is 128 bytes of the program's memory; the header's alignment makes it an opaque type here.

extension CUDADriver {
    /// The corresponding C function is `cuTensorMapEncodeTiled`.
    public static func tensorMapEncodeTiled(
        _ map: OpaquePointer?, _ type: CUtensorMapDataType, _ rank: cuuint32_t, _ address: UnsafeMutableRawPointer?,
        _ sizes: UnsafePointer<cuuint64_t>?, _ strides: UnsafePointer<cuuint64_t>?, _ box: UnsafePointer<cuuint32_t>?,
        _ elementStrides: UnsafePointer<cuuint32_t>?, _ interleave: CUtensorMapInterleave,
        _ swizzle: CUtensorMapSwizzle, _ cachePromotion: CUtensorMapL2promotion, _ fill: CUtensorMapFloatOOBfill
    ) -> CUresult {
        var request = TensorMapRequest(kind: .tiled)
        (request.elementType, request.rank) = (type.rawValue, rank)
        (request.interleave, request.swizzle) = (interleave.rawValue, swizzle.rawValue)
        (request.cachePromotion, request.fill) = (cachePromotion.rawValue, fill.rawValue)
        guard let box, read(TensorArrays(address, sizes, strides, elementStrides), into: &request) else {
            return CUDA_ERROR_INVALID_VALUE
        }
        for dimension in 0..<Int(rank) { request.box[dimension] = box[dimension] }
        return encode(request, map)
    }

    /// The corresponding C function is `cuTensorMapEncodeIm2col`.
    public static func tensorMapEncodeIm2col(
        _ map: OpaquePointer?, _ type: CUtensorMapDataType, _ rank: cuuint32_t, _ address: UnsafeMutableRawPointer?,
        _ sizes: UnsafePointer<cuuint64_t>?, _ strides: UnsafePointer<cuuint64_t>?,
        _ lowerCorner: UnsafePointer<Int32>?, _ upperCorner: UnsafePointer<Int32>?, _ channelCount: cuuint32_t,
        _ pixelCount: cuuint32_t, _ elementStrides: UnsafePointer<cuuint32_t>?, _ interleave: CUtensorMapInterleave,
        _ swizzle: CUtensorMapSwizzle, _ cachePromotion: CUtensorMapL2promotion, _ fill: CUtensorMapFloatOOBfill
    ) -> CUresult {
        var request = TensorMapRequest(kind: .im2col)
        (request.elementType, request.rank) = (type.rawValue, rank)
        (request.interleave, request.swizzle) = (interleave.rawValue, swizzle.rawValue)
        (request.cachePromotion, request.fill) = (cachePromotion.rawValue, fill.rawValue)
        (request.channelCount, request.pixelCount) = (channelCount, pixelCount)
        guard let lowerCorner, let upperCorner, rank >= 3,
            read(TensorArrays(address, sizes, strides, elementStrides), into: &request)
        else { return CUDA_ERROR_INVALID_VALUE }
        for corner in 0..<Int(rank) &- 2 {
            request.lowerCorner[corner] = lowerCorner[corner]
            request.upperCorner[corner] = upperCorner[corner]
        }
        return encode(request, map)
    }

    /// The corresponding C function is `cuTensorMapEncodeIm2colWide`.
    public static func tensorMapEncodeIm2colWide(
        _ map: OpaquePointer?, _ type: CUtensorMapDataType, _ rank: cuuint32_t, _ address: UnsafeMutableRawPointer?,
        _ sizes: UnsafePointer<cuuint64_t>?, _ strides: UnsafePointer<cuuint64_t>?, _ lowerCorner: Int32,
        _ upperCorner: Int32, _ channelCount: cuuint32_t, _ pixelCount: cuuint32_t,
        _ elementStrides: UnsafePointer<cuuint32_t>?, _ interleave: CUtensorMapInterleave,
        _ mode: CUtensorMapIm2ColWideMode, _ swizzle: CUtensorMapSwizzle, _ cachePromotion: CUtensorMapL2promotion,
        _ fill: CUtensorMapFloatOOBfill
    ) -> CUresult {
        var request = TensorMapRequest(kind: .im2colWide)
        (request.elementType, request.rank) = (type.rawValue, rank)
        (request.interleave, request.swizzle) = (interleave.rawValue, swizzle.rawValue)
        (request.cachePromotion, request.fill) = (cachePromotion.rawValue, fill.rawValue)
        (request.channelCount, request.pixelCount) = (channelCount, pixelCount)
        request.wideMode = mode.rawValue
        guard read(TensorArrays(address, sizes, strides, elementStrides), into: &request) else {
            return CUDA_ERROR_INVALID_VALUE
        }
        (request.lowerCorner[0], request.upperCorner[0]) = (lowerCorner, upperCorner)
        return encode(request, map)
    }

    /// The corresponding C function is `cuTensorMapReplaceAddress`.
    public static func tensorMapReplaceAddress(
        _ map: OpaquePointer?, _ address: UnsafeMutableRawPointer?
    ) -> CUresult {
        guard let map, UInt(bitPattern: map) % 64 == 0 else { return CUDA_ERROR_INVALID_VALUE }
        let words = UnsafeRawPointer(map)
        var request = TensorMapRequest(kind: .replaceAddress)
        request.address = UInt64(UInt(bitPattern: address))
        for index in 0..<TensorMap.wordCount {
            request.map[index] = words.load(fromByteOffset: index &* 8, as: UInt64.self)
        }
        return encode(request, map)
    }

    // MARK: - Encoding

    /// The arrays that all forms share.
    private struct TensorArrays {
        let address: UInt64
        let sizes: UnsafePointer<cuuint64_t>?
        let strides: UnsafePointer<cuuint64_t>?
        let elementStrides: UnsafePointer<cuuint32_t>?

        init(
            _ address: UnsafeMutableRawPointer?, _ sizes: UnsafePointer<cuuint64_t>?,
            _ strides: UnsafePointer<cuuint64_t>?, _ elementStrides: UnsafePointer<cuuint32_t>?
        ) {
            self.address = UInt64(UInt(bitPattern: address))
            (self.sizes, self.strides, self.elementStrides) = (sizes, strides, elementStrides)
        }
    }

    /// Copies as many numbers as the rank says; false where an array is missing or the rank is none.
    private static func read(_ arrays: TensorArrays, into request: inout TensorMapRequest) -> Bool {
        guard request.rank >= 1, request.rank <= 5, let sizes = arrays.sizes,
            let elementStrides = arrays.elementStrides
        else { return false }
        request.address = arrays.address
        for dimension in 0..<Int(request.rank) {
            request.sizes[dimension] = sizes[dimension]
            request.elementStrides[dimension] = elementStrides[dimension]
            guard dimension > 0 else { continue }
            guard let strides = arrays.strides else { return false }
            request.strides[dimension &- 1] = strides[dimension &- 1]
        }
        return true
    }

    /// Writes what a device makes of a request. The layout of the software GPU is known here; another device is asked.
    private static func encode(_ request: TensorMapRequest, _ map: OpaquePointer?) -> CUresult {
        withContext { target in
            guard let map, UInt(bitPattern: map) % 64 == 0, request.isValid else { return CUDA_ERROR_INVALID_VALUE }
            guard let device = device(of: target.context),
                attribute(CU_DEVICE_ATTRIBUTE_TENSOR_MAP_ACCESS_SUPPORTED, of: device) != 0
            else { return CUDA_ERROR_NOT_SUPPORTED }
            let result = UnsafeMutableRawPointer(map)
            guard device.snapshot.isSoftware else { return ask(request, target, result) }
            let made: TensorMap?
            if request.kind == .replaceAddress {
                made = TensorMap(words: { request.map[$0] })
                guard made != nil else { return CUDA_ERROR_INVALID_VALUE }
            } else {
                made = TensorMap(request)
            }
            guard var made else { return CUDA_ERROR_NOT_SUPPORTED }
            made.address = request.address
            for index in 0..<TensorMap.wordCount {
                result.storeBytes(of: made.word(index), toByteOffset: index &* 8, as: UInt64.self)
            }
            return CUDA_SUCCESS
        }
    }

    private static func ask(
        _ request: TensorMapRequest, _ target: CallTarget, _ result: UnsafeMutableRawPointer
    ) -> CUresult {
        withUnsafeTemporaryAllocation(byteCount: TensorMapRequest.wordCount &* 8, alignment: 8) { bytes in
            for index in 0..<TensorMapRequest.wordCount {
                bytes.storeBytes(of: request.word(index), toByteOffset: index &* 8, as: UInt64.self)
            }
            var reply = TensorMapEncode.Reply()
            let status = target.call(TensorMapEncode(request: UnsafeRawBufferPointer(bytes)), &reply)
            guard status == CUDA_SUCCESS else { return status }
            guard reply.bytes.count == TensorMap.byteCount else { return CUDA_ERROR_UNKNOWN }
            reply.bytes.withUnsafeBytes { encoded in
                if let start = encoded.baseAddress { result.copyMemory(from: start, byteCount: TensorMap.byteCount) }
            }
            return CUDA_SUCCESS
        }
    }
}
