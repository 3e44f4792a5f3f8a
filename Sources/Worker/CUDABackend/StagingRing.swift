import CCUDA
import CUDABinding
import GPUBackend

// SAFETY: what changes is only reached under `monitor`; a piece belongs to one copy until it is given back.
/// Pinned memory through which bytes pass between the connection and the device, so that copies overlap with what the
/// network does. Pieces are taken and become free again in one order, like on a belt.
final class StagingRing: @unchecked Sendable {
    /// The largest piece: large enough for full speed of the bus, small enough to begin early.
    static let pieceByteCountMax = 2 << 20
    private static let byteCount = 16 << 20
    private static let alignment = 256

    // SAFETY: `point` and the flags are only reached under the ring's monitor, the bytes only by the piece's user.
    /// A part of the ring that one copy uses.
    final class Piece: @unchecked Sendable {
        let buffer: UnsafeMutableRawBufferPointer
        fileprivate let start: Int
        /// What has to be reached before the bytes may change; nil while the owner holds the piece.
        fileprivate var point: CUDAPoint?
        fileprivate var isFree = false
        fileprivate var isRead = false
        /// Whether only the driver uses the piece.
        fileprivate var isLent: Bool { point != nil && !isRead }

        fileprivate init(buffer: UnsafeMutableRawBufferPointer, start: Int) {
            self.buffer = buffer
            self.start = start
        }
    }

    let driver: CUDALibrary
    private let memory: UnsafeMutableRawPointer
    private let monitor = Monitor()
    /// In the order in which they were taken.
    private var pieces: [Piece] = []
    private var head = 0

    init(driver: CUDALibrary) throws(BackendError) {
        self.driver = driver
        memory = try translating { () throws(CUDAFailure) in
            try PinnedMemory.make(StagingRing.byteCount, driver)
        }
    }

    /// Takes a piece; where the ring is full, it waits for the oldest one, or answers nil.
    func take(_ byteCount: Int, for context: CUDAContext, waits: Bool = true) throws(BackendError) -> Piece? {
        let count = min(max(byteCount, 1), StagingRing.pieceByteCountMax)
        var round = 0
        while true {
            try context.throwIfFatal()
            monitor.lock()
            removeFree()
            if let start = place(count) {
                let buffer = UnsafeMutableRawBufferPointer(start: memory + start, count: count)
                let piece = Piece(buffer: buffer, start: start)
                pieces.append(piece)
                head = start + (count + StagingRing.alignment - 1) / StagingRing.alignment * StagingRing.alignment
                monitor.unlock()
                return piece
            }
            let isLent = pieces.first.map(\.isLent) ?? false
            let isTakenBack = waits && takeBack()
            if waits, !isLent { monitor.wait(nanoseconds: 1_000_000) }
            monitor.unlock()
            guard waits else { return nil }
            guard isLent, !isTakenBack else { continue }
            Backoff.pause(round)
            round += 1
        }
    }

    /// The driver uses the piece until the point; `isRead` says that its owner reads the bytes then and frees it.
    func lend(_ piece: Piece, until event: CUevent, of context: CUDAContext, isRead: Bool) {
        monitor.withLock {
            piece.point = CUDAPoint(context: context, event: event)
            piece.isRead = isRead
        }
    }

    /// Nobody will read the piece; it serves again after its point.
    func giveUp(_ piece: Piece) {
        let isLent = monitor.withLock {
            piece.isRead = false
            monitor.signalAll()
            return piece.point != nil
        }
        if !isLent { free(piece) }
    }

    /// Nobody needs the piece any more.
    func free(_ piece: Piece) {
        let point = monitor.withLock {
            defer {
                piece.isFree = true
                piece.point = nil
                removeFree()
                monitor.signalAll()
            }
            return piece.point
        }
        if let point { point.context.giveBack(point.event) }
    }

    /// Whether the driver is done with a piece.
    func status(of piece: Piece) -> CUresult { monitor.withLock { piece.point }?.status ?? CUDA_SUCCESS }

    /// Has those who wait look whether the session ends.
    func wake() { monitor.withLock { monitor.signalAll() } }

    /// Gives the memory back; no copy runs any more.
    func dispose() { PinnedMemory.free(memory, StagingRing.byteCount, driver) }

    /// Takes the oldest piece back where the driver is done with it, or its context is gone: the ring outlives
    /// contexts.
    /// A piece that somebody will read is only that one's to free.
    private func takeBack() -> Bool {
        guard let oldest = pieces.first, oldest.isLent, let point = oldest.point, point.isReached else { return false }
        oldest.isFree = true
        oldest.point = nil
        point.context.giveBack(point.event)
        return true
    }

    private func removeFree() {
        while let first = pieces.first, first.isFree { pieces.removeFirst() }
        if pieces.isEmpty { head = 0 }
    }

    /// Where so many bytes are free behind the newest piece, or at the beginning again.
    private func place(_ count: Int) -> Int? {
        guard let tail = pieces.first?.start else { return 0 }
        if head > tail {
            if head + count <= StagingRing.byteCount { return head }
            return count < tail ? 0 : nil
        }
        return head + count < tail ? head : nil
    }
}
