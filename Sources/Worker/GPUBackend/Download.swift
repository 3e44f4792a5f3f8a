import CPosix
import Synchronization

// SAFETY: one thread fills the bytes before `state` says so; others read them only afterwards.
/// Host memory for a copy from the device that nobody waits for.
public final class DownloadBuffer: @unchecked Sendable {
    /// Where the densely packed bytes go.
    public let bytes: UnsafeMutableRawBufferPointer
    private let state = Atomic<UInt8>(0)
    private let probe = Mutex<(@Sendable (DownloadBuffer) -> Bool?)?>(nil)

    /// Nil without memory.
    public init?(byteCount: Int) {
        guard let start = malloc(max(byteCount, 1)) else { return nil }
        bytes = UnsafeMutableRawBufferPointer(start: start, count: byteCount)
    }

    deinit { free(bytes.baseAddress) }

    /// Says that the copy is over. Called by the backend, on any thread, once; a failed copy leaves its error in the
    /// context.
    public func finish(isFilled: Bool) { state.store(isFilled ? 1 : 2, ordering: .releasing) }

    /// Leaves it to those who want the bytes to find out whether the copy is over: `look` answers nil until it is, then
    /// whether it has put the bytes here. Called by the backend before anybody else knows the buffer.
    public func watch(_ look: @escaping @Sendable (DownloadBuffer) -> Bool?) { probe.withLock { $0 = look } }

    /// Looks whether the copy is over, for a backend that does not say so by itself. Whoever asks while somebody else
    /// looks waits for what that one finds.
    public func poll() {
        guard !isFinished else { return }
        probe.withLock { probe in
            guard let isFilled = probe?(self) else { return }
            probe = nil
            finish(isFilled: isFilled)
        }
    }

    /// Whether the copy is over.
    public var isFinished: Bool { state.load(ordering: .acquiring) != 0 }

    /// Whether the bytes are those of the device.
    public var isFilled: Bool { state.load(ordering: .acquiring) == 1 }
}

/// The part of a stream that copies to the host without a wait.
public protocol DownloadingStream {
    /// Copies a box into a buffer of its size, after earlier work, and finishes the buffer. Called by a lane; the
    /// default waits, a backend that does not is faster. Throws `INVALID_VALUE`.
    func download(_ box: MemoryBox, into buffer: DownloadBuffer) throws(BackendError)
}

extension DownloadingStream where Self: BackendStream {
    public func download(_ box: MemoryBox, into buffer: DownloadBuffer) throws(BackendError) {
        var offset = 0
        try copyFromDevice(box) { piece in
            guard piece.count <= buffer.bytes.count - offset else { return false }
            UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[offset..<(offset + piece.count)])
                .copyMemory(from: piece)
            offset += piece.count
            return true
        }
        buffer.finish(isFilled: offset == buffer.bytes.count)
    }
}

extension BackendStream {
    public func peek(_ box: MemoryBox, send: (UnsafeRawBufferPointer) -> Bool) throws(BackendError) {
        try copyFromDevice(box, send: send)
    }
}
