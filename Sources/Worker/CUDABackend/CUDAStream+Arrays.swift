import CCUDA
import CUDABinding
import GPUBackend

extension CUDAStream {
    // MARK: - From and to the host

    func copyToArray(_ box: ArrayBox, receive: (UnsafeMutableRawBufferPointer) -> Bool) throws(BackendError) {
        try context.throwIfFatal()
        let end = try arrayEnd(box)
        let ring = try context.session.stagingRing(for: context)
        try box.forEachGroup(StagingRing.pieceByteCountMax) { group throws(BackendError) in
            guard let piece = try ring.take(group.byteCount, for: context) else { return false }
            guard receive(piece.buffer) else {
                ring.free(piece)
                return false
            }
            try lend(piece, of: ring, isRead: false) { driver throws(CUDAFailure) in
                try driver.copy(from: .host(piece.buffer, pitch: group.width), to: end, group, on: handle)
            }
            return true
        }
    }

    func copyFromArray(_ box: ArrayBox, send: (UnsafeRawBufferPointer) -> Bool) throws(BackendError) {
        try context.throwIfFatal()
        let end = try arrayEnd(box)
        let pipe = StagedReading(try context.session.stagingRing(for: context), of: self)
        defer { pipe.giveUp() }
        try box.forEachGroup(StagingRing.pieceByteCountMax) { group throws(BackendError) in
            try pipe.add(group.byteCount, send) { driver, buffer throws(CUDAFailure) in
                try driver.copy(from: end, to: .host(buffer, pitch: group.width), group, on: handle)
            }
        }
        try pipe.finish(send)
    }

    func copyToHost(_ box: ArrayBox, token: UInt64) throws(BackendError) {
        let end = try arrayEnd(box)
        try sendToHost(box.whole.byteCount, token: token) { buffer throws(BackendError) in
            try submit { driver throws(CUDAFailure) in
                try driver.copy(from: end, to: .host(buffer.bytes, pitch: box.whole.width), box.whole, on: handle)
            }
        }
    }

    func copyFromHost(_ box: ArrayBox, token: UInt64) throws(BackendError) {
        let end = try arrayEnd(box)
        try receiveFromHost(box.whole.byteCount, token: token) { buffer throws(BackendError) in
            try submit { driver throws(CUDAFailure) in
                try driver.copy(from: .host(buffer.bytes, pitch: box.whole.width), to: end, box.whole, on: handle)
            }
        }
    }

    // MARK: - On the device

    func copy(from source: MemoryBox, toArray destination: ArrayBox) throws(BackendError) {
        let end = try arrayEnd(destination, alike: source)
        try forEachSlice(of: destination, source) { slice, address throws(BackendError) in
            try submit { driver throws(CUDAFailure) in
                try driver.copy(from: .device(address, pitch: source.pitch), to: end, slice, on: handle)
            }
        }
    }

    func copy(fromArray source: ArrayBox, to destination: MemoryBox) throws(BackendError) {
        let end = try arrayEnd(source, alike: destination)
        try forEachSlice(of: source, destination) { slice, address throws(BackendError) in
            try submit { driver throws(CUDAFailure) in
                try driver.copy(from: end, to: .device(address, pitch: destination.pitch), slice, on: handle)
            }
        }
    }

    func copy(fromArray source: ArrayBox, toArray destination: ArrayBox) throws(BackendError) {
        let (from, to) = (try arrayEnd(source), try arrayEnd(destination))
        guard source.isSameSize(as: destination) else { throw .badBox }
        guard !source.isEmpty else { return }
        try submit { driver throws(CUDAFailure) in try driver.copy(from: from, to: to, source.whole, on: handle) }
    }

    /// Calls `body` with each slice of an array's box and its address in memory. A driver's copies know no distance
    /// between slices that is not a number of rows.
    private func forEachSlice(
        of box: ArrayBox, _ memory: MemoryBox, _ body: (ArrayGroup, UInt64) throws(BackendError) -> Void
    ) throws(BackendError) {
        guard !box.isEmpty else { return }
        for slice in 0..<Int(box.depth) {
            let group = ArrayGroup(row: 0, slice: slice, width: Int(box.width), height: Int(box.height), depth: 1)
            try body(group, memory.address + UInt64(slice) * memory.slicePitch)
        }
    }

    /// A box of an array as a driver's copies take it. Throws unless it is inside the array, and as large as a box in
    /// live memory.
    private func arrayEnd(_ box: ArrayBox, alike memory: MemoryBox? = nil) throws(BackendError) -> CopyEnd {
        guard let array = box.array as? CUDAArray else { throw BackendError(BackendStatus.invalidHandle) }
        try box.check(inside: array.shape)
        if let memory {
            guard box.isSameSize(as: memory) else { throw .badBox }
            try check(memory)
        }
        return .array(try array.level(box.level), box)
    }
}

/// Rows of a box that are copied at once; width in bytes.
private struct ArrayGroup {
    var row: Int
    var slice: Int
    var width: Int
    var height: Int
    var depth: Int

    var byteCount: Int { width * height * depth }
}

/// One end of a copy with an array.
private enum CopyEnd {
    case array(CUarray?, ArrayBox)
    case host(UnsafeMutableRawBufferPointer, pitch: Int)
    case device(UInt64, pitch: UInt64)
}

extension ArrayBox {
    /// All of it, as one group.
    fileprivate var whole: ArrayGroup {
        ArrayGroup(row: 0, slice: 0, width: Int(width), height: Int(height), depth: Int(depth))
    }

    /// The box in groups of rows of at most `limit` bytes, in dense order, until `body` answers false. No row is longer
    /// than that: arrays have at most 131,072 texels of 16 bytes.
    fileprivate func forEachGroup(
        _ limit: Int, _ body: (ArrayGroup) throws(BackendError) -> Bool
    ) throws(BackendError) {
        guard !isEmpty else { return }
        let rowsPerGroup = max(1, limit / Int(width))
        for slice in 0..<Int(depth) {
            for row in stride(from: 0, to: Int(height), by: rowsPerGroup) {
                let count = min(rowsPerGroup, Int(height) - row)
                guard try body(ArrayGroup(row: row, slice: slice, width: Int(width), height: count, depth: 1)) else {
                    return
                }
            }
        }
    }
}

extension CUDALibrary {
    /// Copies a group; in an array it counts from the box's corner, elsewhere the memory is the group's own.
    fileprivate func copy(
        from source: CopyEnd, to destination: CopyEnd, _ group: ArrayGroup, on stream: CUstream?
    ) throws(CUDAFailure) {
        var copy = CUDA_MEMCPY3D()
        copy.WidthInBytes = group.width
        copy.Height = group.height
        copy.Depth = group.depth
        switch source {
        case .array(let array, let box):
            copy.srcMemoryType = CU_MEMORYTYPE_ARRAY
            copy.srcArray = array
            (copy.srcXInBytes, copy.srcY) = (Int(box.x), Int(box.y) + group.row)
            copy.srcZ = Int(box.z) + group.slice
        case .host(let bytes, let pitch):
            copy.srcMemoryType = CU_MEMORYTYPE_HOST
            copy.srcHost = UnsafeRawPointer(bytes.baseAddress)
            (copy.srcPitch, copy.srcHeight) = (pitch, group.height)
        case .device(let address, let pitch):
            copy.srcMemoryType = CU_MEMORYTYPE_DEVICE
            copy.srcDevice = address
            (copy.srcPitch, copy.srcHeight) = (Int(pitch), group.height)
        }
        switch destination {
        case .array(let array, let box):
            copy.dstMemoryType = CU_MEMORYTYPE_ARRAY
            copy.dstArray = array
            (copy.dstXInBytes, copy.dstY) = (Int(box.x), Int(box.y) + group.row)
            copy.dstZ = Int(box.z) + group.slice
        case .host(let bytes, let pitch):
            copy.dstMemoryType = CU_MEMORYTYPE_HOST
            copy.dstHost = bytes.baseAddress
            (copy.dstPitch, copy.dstHeight) = (pitch, group.height)
        case .device(let address, let pitch):
            copy.dstMemoryType = CU_MEMORYTYPE_DEVICE
            copy.dstDevice = address
            (copy.dstPitch, copy.dstHeight) = (Int(pitch), group.height)
        }
        try cuMemcpy3DAsync_v2(&copy, stream)
    }
}
