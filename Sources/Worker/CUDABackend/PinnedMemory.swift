import CCUDA
import CPosix
import CUDABinding

/// Memory of this process that is pinned where the driver does it.
///
/// A driver's own pinned memory goes with the context that was current when it was made. These pages stay: a context
/// that goes takes only the pinning with it, and copies of others that pass through them are slower, not lost.
enum PinnedMemory {
    /// Pages for so many bytes, pinned for all contexts.
    static func make(_ byteCount: Int, _ driver: CUDALibrary) throws(CUDAFailure) -> UnsafeMutableRawPointer {
        let protection = Int32(POSIX_PROTECT_READ | POSIX_PROTECT_WRITE)
        guard let memory = posix_map_anonymous(nil, byteCount, protection) else {
            throw CUDAFailure("cuMemHostRegister_v2", CUDA_ERROR_OUT_OF_MEMORY)
        }
        // 1: portable.
        try? driver.cuMemHostRegister_v2(memory, byteCount, 1)
        return memory
    }

    /// Gives pages back that no copy uses any more.
    static func free(_ memory: UnsafeMutableRawPointer, _ byteCount: Int, _ driver: CUDALibrary) {
        try? driver.cuMemHostUnregister(memory)
        _ = posix_unmap(memory, byteCount)
    }
}
