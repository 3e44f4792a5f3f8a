import CPosix
import Synchronization

/// Takes what the process writes to its standard output and hands it on: a driver prints there for kernels.
///
/// The bytes go to a file in memory, not to a pipe, so that nobody ever waits for a reader.
public final class OutputCapture: Sendable {
    private let file: Int32
    private let position = Mutex<UInt64>(0)
    private static let pieceByteCount = 64 << 10

    /// Redirects standard output from now on; nil when the system can't.
    public init?() {
        file = posix_capture_standard_output()
        guard file >= 0 else { return nil }
    }

    /// Hands out what was written since the last call.
    func drain(_ body: (UnsafeRawBufferPointer) -> Void) {
        position.withLock { position in
            posix_flush_standard_output()
            withUnsafeTemporaryAllocation(byteCount: OutputCapture.pieceByteCount, alignment: 16) { buffer in
                guard let start = buffer.baseAddress else { return }
                while true {
                    let count = posix_read_at(file, start, buffer.count, position)
                    guard count > 0 else { break }
                    body(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]))
                    position += UInt64(count)
                }
            }
            posix_forget_bytes(file, position)
        }
    }
}
