internal import CCUDA
internal import CPosix
internal import ClientRuntime
internal import WireProtocol

// Copies between devices whose workers can't reach each other: piece by piece through this process, which waits.
extension Peers {
    private static let pieceByteCountMax = 8 << 20

    static func relay(
        to: PeerEnd, _ destination: CallTarget, from: PeerEnd, _ source: CallTarget, _ box: Box?
    ) -> CUresult {
        let before = source.call(StreamSynchronize(hStream: from.stream))
        guard before == CUDA_SUCCESS, let box else { return before }
        let ready = destination.call(StreamSynchronize(hStream: to.stream))
        guard ready == CUDA_SUCCESS else { return ready }
        guard let memory = malloc(min(pieceByteCountMax, box.byteCount)) else { return CUDA_ERROR_OUT_OF_MEMORY }
        defer { CPosix.free(memory) }
        for slice in 0..<box.depth {
            var row = 0
            while row < box.height {
                let count = min(box.height &- row, max(1, pieceByteCountMax / box.width))
                var column = 0
                while column < box.width {
                    let width = min(box.width &- column, pieceByteCountMax)
                    let piece = Piece(slice: slice, row: row, column: column, width: width, height: count)
                    let status = move(piece, to: to, destination, from: from, source, memory)
                    guard status == CUDA_SUCCESS else { return status }
                    column &+= width
                }
                row &+= count
            }
        }
        PeerLinks.noteRelayed(UInt64(box.byteCount))
        _ = source.lane.send(PeerRelayed(byteCount: UInt64(box.byteCount)), context: from.context.pointee.id)
        // The sender's later work may free or change what the receiver's later work counts on.
        return destination.call(StreamSynchronize(hStream: to.stream))
    }

    private struct Piece {
        var slice: Int
        var row: Int
        var column: Int
        var width: Int
        var height: Int

        func address(in end: PeerEnd) -> UInt64 {
            end.address &+ UInt64(slice) &* end.slicePitch &+ UInt64(row) &* end.pitch &+ UInt64(column)
        }
    }

    private static func move(
        _ piece: Piece, to: PeerEnd, _ destination: CallTarget, from: PeerEnd, _ source: CallTarget,
        _ memory: UnsafeMutableRawPointer
    ) -> CUresult {
        let byteCount = piece.width &* piece.height
        var reply = CopyDeviceToHost3D.Reply()
        let status = source.call(
            CopyDeviceToHost3D(
                address: piece.address(in: from), pitch: from.pitch, slicePitch: 0, width: UInt64(piece.width),
                height: UInt64(piece.height), depth: 1, stream: from.stream), &reply,
            into: UnsafeMutableRawBufferPointer(start: memory, count: byteCount))
        guard status == CUDA_SUCCESS else { return status }
        let sent = destination.lane.send(
            CopyHostToDevice3D(
                bulkByteCount: UInt64(byteCount), address: piece.address(in: to), pitch: to.pitch, slicePitch: 0,
                width: UInt64(piece.width), height: UInt64(piece.height), depth: 1, stream: to.stream),
            bulk: UnsafeRawBufferPointer(start: memory, count: byteCount), context: to.context.pointee.id)
        return CUresult(status: sent)
    }
}
