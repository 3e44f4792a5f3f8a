import CCUDA
import CUDABinding
import GPUBackend

/// A copy to the host through pinned memory, some pieces ahead of whoever takes the bytes. Used by one thread.
final class StagedReading {
    /// How many pieces are on their way while one is sent.
    private static let readAhead = 3

    private let ring: StagingRing
    private let stream: CUDAStream
    private var onTheWay: [StagingRing.Piece] = []
    private var isWanted = true

    init(_ ring: StagingRing, of stream: CUDAStream) {
        self.ring = ring
        self.stream = stream
    }

    /// Has `copy` fill a piece in stream order, and hands out an earlier one; false when nobody wants any more.
    func add(
        _ byteCount: Int, _ send: (UnsafeRawBufferPointer) -> Bool,
        _ copy: (CUDALibrary, UnsafeMutableRawBufferPointer) throws(CUDAFailure) -> Void
    ) throws(BackendError) -> Bool {
        var taken: StagingRing.Piece?
        while taken == nil {
            // Whoever holds pieces must not wait for room: others may wait for these.
            taken = try ring.take(byteCount, for: stream.context, waits: onTheWay.isEmpty)
            guard taken == nil, !onTheWay.isEmpty else { continue }
            guard try deliver(send) else { return false }
        }
        guard let piece = taken else { return false }
        try stream.lend(piece, of: ring, isRead: true) { driver throws(CUDAFailure) in
            try copy(driver, piece.buffer)
        }
        onTheWay.append(piece)
        return onTheWay.count > StagedReading.readAhead ? try deliver(send) : true
    }

    /// Hands out the rest.
    func finish(_ send: (UnsafeRawBufferPointer) -> Bool) throws(BackendError) {
        while isWanted, !onTheWay.isEmpty { _ = try deliver(send) }
        // Prints what kernels printed.
        try stream.context.perform { driver throws(CUDAFailure) in try driver.cuStreamSynchronize(stream.handle) }
        stream.context.session.flushOutput()
    }

    /// What nobody wants any more serves again when the driver has written it.
    func giveUp() {
        for piece in onTheWay { ring.giveUp(piece) }
        onTheWay = []
    }

    private func deliver(_ send: (UnsafeRawBufferPointer) -> Bool) throws(BackendError) -> Bool {
        let piece = onTheWay.removeFirst()
        do throws(BackendError) {
            try stream.context.wait { ring.status(of: piece) }
        } catch {
            ring.giveUp(piece)
            throw error
        }
        isWanted = send(UnsafeRawBufferPointer(piece.buffer))
        ring.free(piece)
        return isWanted
    }
}
