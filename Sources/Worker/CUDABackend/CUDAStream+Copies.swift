import CCUDA
import CUDABinding
import GPUBackend

/// Consecutive rows of a box that fit one piece of staging memory.
struct RowGroup {
    var address: UInt64
    var pitch: UInt64
    var width: Int
    var height: Int

    var byteCount: Int { width * height }
}

extension MemoryBox {
    /// The box cut into groups of rows, or of parts of rows, of at most `limit` bytes each, in dense order, until
    /// `body` answers false.
    func forEachGroup(_ limit: Int, _ body: (RowGroup) throws(BackendError) -> Bool) throws(BackendError) {
        let box = coalesced
        guard !box.isEmpty else { return }
        let width = min(box.width, UInt64(limit))
        let rowsPerGroup = max(1, UInt64(limit) / box.width)
        for slice in 0..<box.depth {
            var row: UInt64 = 0
            while row < box.height {
                let count = min(rowsPerGroup, box.height - row)
                let start = box.address + slice * box.slicePitch + row * box.pitch
                for offset in stride(from: 0, to: box.width, by: Int(width)) {
                    let group = RowGroup(
                        address: start + offset, pitch: box.pitch, width: Int(min(width, box.width - offset)),
                        height: Int(count))
                    guard try body(group) else { return }
                }
                row += count
            }
        }
    }
}

extension CUDAStream {
    /// Refuses boxes that leave live memory, before the driver makes a fault of the whole process of it.
    func check(_ box: MemoryBox) throws(BackendError) {
        guard box.byteCount != nil, let span = box.spanByteCount else { throw .badRange }
        guard span == 0 || context.session.memory.contains(box.address, span) else { throw .badRange }
    }

    func copyToDevice(_ box: MemoryBox, receive: (UnsafeMutableRawBufferPointer) -> Bool) throws(BackendError) {
        try context.throwIfFatal()
        try check(box)
        guard !box.isEmpty else { return }
        let ring = try context.session.stagingRing(for: context)
        try box.forEachGroup(StagingRing.pieceByteCountMax) { group throws(BackendError) in
            guard let piece = try ring.take(group.byteCount, for: context) else { return false }
            guard receive(piece.buffer) else {
                ring.free(piece)
                return false
            }
            try lend(piece, of: ring, isRead: false) { driver throws(CUDAFailure) in
                try driver.copyToDevice(group, from: piece.buffer, on: handle)
            }
            return true
        }
    }

    func copyFromDevice(_ box: MemoryBox, send: (UnsafeRawBufferPointer) -> Bool) throws(BackendError) {
        try context.throwIfFatal()
        try check(box)
        guard !box.isEmpty else { return try synchronize() }
        let pipe = StagedReading(try context.session.stagingRing(for: context), of: self)
        defer { pipe.giveUp() }
        try box.forEachGroup(StagingRing.pieceByteCountMax) { group throws(BackendError) in
            try pipe.add(group.byteCount, send) { driver, buffer throws(CUDAFailure) in
                try driver.copyFromDevice(group, to: buffer, on: handle)
            }
        }
        try pipe.finish(send)
    }

    /// Enqueues a copy and leaves its piece to the driver.
    func lend(
        _ piece: StagingRing.Piece, of ring: StagingRing, isRead: Bool,
        _ copy: (CUDALibrary) throws(CUDAFailure) -> Void
    ) throws(BackendError) {
        do throws(BackendError) {
            try submit(copy)
        } catch {
            ring.free(piece)
            throw error
        }
        if let event = context.record(on: self) {
            ring.lend(piece, until: event, of: context, isRead: isRead)
        } else {
            try waitForWork()
            if !isRead { ring.free(piece) }
        }
    }

    func copy(from source: MemoryBox, to destination: MemoryBox) throws(BackendError) {
        let isSameShape =
            source.width == destination.width && source.height == destination.height
            && source.depth == destination.depth
        guard isSameShape else { throw .badRange }
        try check(source)
        try check(destination)
        guard !source.isEmpty else { return }
        let (from, to) = (source.coalesced, destination.coalesced)
        if from.height == 1, from.depth == 1, to.height == 1, to.depth == 1 {
            try submit { driver throws(CUDAFailure) in
                try driver.cuMemcpyDtoDAsync_v2(to.address, from.address, Int(from.width), handle)
            }
            return
        }
        for slice in 0..<source.depth {
            var copy = CUDA_MEMCPY2D()
            copy.srcMemoryType = CU_MEMORYTYPE_DEVICE
            copy.srcDevice = source.address + slice * source.slicePitch
            copy.srcPitch = Int(source.pitch)
            copy.dstMemoryType = CU_MEMORYTYPE_DEVICE
            copy.dstDevice = destination.address + slice * destination.slicePitch
            copy.dstPitch = Int(destination.pitch)
            copy.WidthInBytes = Int(source.width)
            copy.Height = Int(source.height)
            try submit { driver throws(CUDAFailure) in try driver.cuMemcpy2DAsync_v2(&copy, handle) }
        }
    }

    func fill(_ box: MemoryBox, elementByteCount: Int, value: UInt32) throws(BackendError) {
        try check(box)
        guard !box.isEmpty else { return }
        let box = box.coalesced
        for slice in 0..<box.depth {
            let row = MemoryBox(
                address: box.address + slice * box.slicePitch, pitch: box.pitch, slicePitch: box.slicePitch,
                width: box.width, height: box.height, depth: 1)
            try submit { driver throws(CUDAFailure) in
                try driver.fill(row, elementByteCount: elementByteCount, value: value, on: handle)
            }
        }
    }
}

extension CUDALibrary {
    func copyToDevice(
        _ group: RowGroup, from bytes: UnsafeMutableRawBufferPointer, on stream: CUstream?
    ) throws(CUDAFailure) {
        if group.height == 1 {
            return try cuMemcpyHtoDAsync_v2(group.address, bytes.baseAddress, group.width, stream)
        }
        var copy = CUDA_MEMCPY2D()
        copy.srcMemoryType = CU_MEMORYTYPE_HOST
        copy.srcHost = UnsafeRawPointer(bytes.baseAddress)
        copy.srcPitch = group.width
        copy.dstMemoryType = CU_MEMORYTYPE_DEVICE
        copy.dstDevice = group.address
        copy.dstPitch = Int(group.pitch)
        copy.WidthInBytes = group.width
        copy.Height = group.height
        try cuMemcpy2DAsync_v2(&copy, stream)
    }

    func copyFromDevice(
        _ group: RowGroup, to bytes: UnsafeMutableRawBufferPointer, on stream: CUstream?
    ) throws(CUDAFailure) {
        if group.height == 1 {
            return try cuMemcpyDtoHAsync_v2(bytes.baseAddress, group.address, group.width, stream)
        }
        var copy = CUDA_MEMCPY2D()
        copy.srcMemoryType = CU_MEMORYTYPE_DEVICE
        copy.srcDevice = group.address
        copy.srcPitch = Int(group.pitch)
        copy.dstMemoryType = CU_MEMORYTYPE_HOST
        copy.dstHost = bytes.baseAddress
        copy.dstPitch = group.width
        copy.WidthInBytes = group.width
        copy.Height = group.height
        try cuMemcpy2DAsync_v2(&copy, stream)
    }

    fileprivate func fill(
        _ box: MemoryBox, elementByteCount: Int, value: UInt32, on stream: CUstream?
    ) throws(CUDAFailure) {
        let (address, pitch) = (box.address, Int(box.pitch))
        let (count, height) = (Int(box.width) / max(elementByteCount, 1), Int(box.height))
        switch (elementByteCount, height) {
        case (1, 1): try cuMemsetD8Async(address, UInt8(truncatingIfNeeded: value), count, stream)
        case (2, 1): try cuMemsetD16Async(address, UInt16(truncatingIfNeeded: value), count, stream)
        case (4, 1): try cuMemsetD32Async(address, value, count, stream)
        case (1, _): try cuMemsetD2D8Async(address, pitch, UInt8(truncatingIfNeeded: value), count, height, stream)
        case (2, _): try cuMemsetD2D16Async(address, pitch, UInt16(truncatingIfNeeded: value), count, height, stream)
        case (4, _): try cuMemsetD2D32Async(address, pitch, value, count, height, stream)
        default: throw CUDAFailure("cuMemsetD32Async", CUDA_ERROR_INVALID_VALUE)
        }
    }
}
