import CCUDA
import CUDABinding
import GPUBackend
import Synchronization

// SAFETY: the memory never moves; whoever holds the buffer, the driver or a callback of it, is alone with it.
/// Pinned memory for one transfer.
final class PinnedBuffer: @unchecked Sendable {
    let bytes: UnsafeMutableRawBufferPointer

    fileprivate init(bytes: UnsafeMutableRawBufferPointer) {
        self.bytes = bytes
    }
}

/// Pinned buffers of a session that transfers in stream order use: pinning is slow, so they serve again. A callback of
/// the driver may give one back, but none may be made there.
final class PinnedPool: Sendable {
    private let driver: CUDALibrary
    private let idle = Mutex<[PinnedBuffer]>([])
    private let isDisposed = Atomic(false)
    private static let byteCountMin = 64 << 10
    private static let idleCountMax = 16

    init(driver: CUDALibrary) {
        self.driver = driver
    }

    /// Takes a buffer of at least so many bytes; a context is current.
    func take(_ byteCount: Int) throws(CUDAFailure) -> PinnedBuffer {
        var rounded = PinnedPool.byteCountMin
        while rounded < byteCount { rounded *= 2 }
        let (found, excess): (PinnedBuffer?, [PinnedBuffer]) = idle.withLock { idle in
            let index = idle.firstIndex { $0.bytes.count == rounded }
            let found = index.map { idle.remove(at: $0) }
            let excess = Array(idle.dropLast(min(idle.count, PinnedPool.idleCountMax)))
            idle.removeFirst(excess.count)
            return (found, excess)
        }
        for buffer in excess { free(buffer) }
        if let found { return found }
        let memory = try PinnedMemory.make(rounded, driver)
        return PinnedBuffer(bytes: UnsafeMutableRawBufferPointer(start: memory, count: rounded))
    }

    func giveBack(_ buffer: PinnedBuffer) {
        idle.withLock { $0.append(buffer) }
        if isDisposed.load(ordering: .acquiring) { freeIdle() }
    }

    /// Gives all memory back to the driver, now or when it comes back: no copy runs any more.
    func dispose() {
        isDisposed.store(true, ordering: .releasing)
        freeIdle()
    }

    private func freeIdle() {
        let buffers = idle.withLock { idle in
            defer { idle = [] }
            return idle
        }
        for buffer in buffers { free(buffer) }
    }

    private func free(_ buffer: PinnedBuffer) {
        if let memory = buffer.bytes.baseAddress { PinnedMemory.free(memory, buffer.bytes.count, driver) }
    }
}
