import CCUDA
import CUDABinding
import GPUBackend
import Primitives

extension CUDAContext {
    /// Only the driver knows its 128 bytes, so it is asked, with the words that the client checked.
    func encodeTensorMap(_ request: UnsafeRawBufferPointer) throws(BackendError) -> [UInt8] {
        guard request.count == TensorMapRequest.wordCount * 8,
            let wanted = TensorMapRequest(words: { request.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self) }),
            wanted.isValid
        else { throw BackendError(BackendStatus.invalidValue, "the request for a tensor map is malformed") }
        // As the driver's own type is aligned.
        let map = UnsafeMutableRawPointer.allocate(byteCount: TensorMap.byteCount, alignment: 128)
        defer { map.deallocate() }
        for index in 0..<TensorMap.wordCount {
            map.storeBytes(of: wanted.map[index], toByteOffset: index * 8, as: UInt64.self)
        }
        try perform { driver throws(CUDAFailure) in try encode(wanted, at: OpaquePointer(map), driver) }
        return [UInt8](UnsafeRawBufferPointer(start: map, count: TensorMap.byteCount))
    }

    private func encode(
        _ wanted: TensorMapRequest, at map: OpaquePointer, _ driver: CUDALibrary
    ) throws(CUDAFailure) {
        let address = UnsafeMutableRawPointer(bitPattern: UInt(wanted.address))
        let type = CUtensorMapDataType(wanted.elementType)
        let sizes = (0..<5).map { wanted.sizes[$0] }
        let strides = (0..<4).map { wanted.strides[$0] }
        let steps = (0..<5).map { wanted.elementStrides[$0] }
        let interleave = CUtensorMapInterleave(wanted.interleave)
        let swizzle = CUtensorMapSwizzle(wanted.swizzle)
        let promotion = CUtensorMapL2promotion(wanted.cachePromotion)
        let fill = CUtensorMapFloatOOBfill(wanted.fill)
        let (lower, upper) = (wanted.lowerCorner, wanted.upperCorner)
        switch wanted.kind {
        case .tiled:
            try driver.cuTensorMapEncodeTiled(
                map, type, wanted.rank, address, sizes, strides, (0..<5).map { wanted.box[$0] }, steps, interleave,
                swizzle, promotion, fill)
        case .im2col:
            try driver.cuTensorMapEncodeIm2col(
                map, type, wanted.rank, address, sizes, strides, [lower[0], lower[1], lower[2]],
                [upper[0], upper[1], upper[2]], wanted.channelCount, wanted.pixelCount, steps, interleave, swizzle,
                promotion, fill)
        case .im2colWide:
            try driver.cuTensorMapEncodeIm2colWide(
                map, type, wanted.rank, address, sizes, strides, lower[0], upper[0], wanted.channelCount,
                wanted.pixelCount, steps, interleave, CUtensorMapIm2ColWideMode(wanted.wideMode), swizzle, promotion,
                fill)
        case .replaceAddress:
            try driver.cuTensorMapReplaceAddress(map, address)
        }
    }
}
