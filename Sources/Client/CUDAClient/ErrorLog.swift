public import CCUDA
internal import CPosix
internal import ClientRuntime
internal import Primitives

/// The refusals that `cuLogs*` show: the newest of them, with time, thread, function and code. Texts are made when
/// somebody reads, so that a refusal costs two reads of memory and a clock.
public enum ErrorLog {
    struct Entry {
        var nanoseconds: UInt64
        var thread: Int32
        var function: Int32
        var code: UInt32
    }

    struct Listener {
        var callback: CUlogsCallback
        var userData: UnsafeMutableRawPointer?
        var handle: OpaquePointer
    }

    static let capacity = 256
    static let lineByteCountMax = 256
    /// The most that `cuLogsDumpToMemory` writes, as CUDA documents it.
    static let dumpByteCountMax = 25_600

    // SAFETY: only touched under `lock`.
    nonisolated(unsafe) private static var entries: [Entry] = []
    // SAFETY: only touched under `lock`.
    nonisolated(unsafe) private static var total: UInt32 = 0
    // SAFETY: only touched under `lock`.
    nonisolated(unsafe) private static var listeners: [Listener] = []
    private static let lock = Lock()

    /// Keeps a refusal, and tells those who registered for it.
    @inline(never)
    public static func note(_ function: Int, _ result: CUresult) {
        guard isRefusal(function, result) else { return }
        let entry = Entry(
            nanoseconds: posix_monotonic_nanoseconds(), thread: posix_thread_id(), function: Int32(function),
            code: result.rawValue)
        lock.acquire()
        if entries.count < capacity {
            entries.append(entry)
        } else {
            entries[Int(total) % capacity] = entry
        }
        total &+= 1
        let heard = listeners
        lock.release()
        guard !heard.isEmpty else { return }
        withUnsafeTemporaryAllocation(byteCount: lineByteCountMax, alignment: 8) { buffer in
            let count = format(entry, into: buffer)
            guard let start = buffer.baseAddress else { return }
            for listener in heard {
                listener.callback(
                    listener.userData, CU_LOG_LEVEL_ERROR, start.assumingMemoryBound(to: CChar.self), count)
            }
        }
    }

    /// `cuPointerGetAttribute`, `cuGetExportTable` and both forms of `cuGetProcAddress`, by their numbers.
    private static let askedToLearn: [Int] = [221, 465, 456, 678]

    /// Whether a result is one that a program should hear of. "Not ready" is an answer; and pointers, symbols and
    /// tables are asked for to learn whether they are there.
    private static func isRefusal(_ function: Int, _ result: CUresult) -> Bool {
        guard result != CUDA_ERROR_NOT_READY else { return false }
        return !askedToLearn.contains(function)
    }

    /// Where the next entry will stand.
    static var position: UInt32 {
        lock.acquire()
        defer { lock.release() }
        return total
    }

    /// The entries from a position on that are still kept, oldest first, and the position behind them.
    static func entries(from position: UInt32?) -> (entries: [Entry], next: UInt32) {
        lock.acquire()
        defer { lock.release() }
        let oldest = total &- UInt32(entries.count)
        var index = position ?? oldest
        // A position that has been overwritten, or was never given out.
        if index &- oldest > UInt32(entries.count) { index = oldest }
        var found: [Entry] = []
        while index != total {
            found.append(entries[Int(index) % capacity])
            index &+= 1
        }
        return (found, total)
    }

    static func add(_ listener: Listener) {
        lock.acquire()
        listeners.append(listener)
        lock.release()
    }

    static func removeListener(_ handle: OpaquePointer) {
        lock.acquire()
        listeners.removeAll { $0.handle == handle }
        lock.release()
    }

    /// Writes an entry's line, with a terminator; the bytes before the terminator.
    static func format(_ entry: Entry, into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let room = UnsafeMutableRawBufferPointer(rebasing: buffer[0..<max(0, buffer.count &- 1)])
        var line = LineWriter(buffer: room)
        line.append("[")
        line.append(decimal: Int64(entry.nanoseconds / 1_000_000))
        line.append(" ms][")
        line.append(decimal: Int64(entry.thread))
        line.append("][CUDA][E] ")
        line.append(FunctionNames.name(of: Int(entry.function)))
        line.append(" returned ")
        line.append(decimal: Int64(entry.code))
        if let name = ErrorStrings.name(CUresult(rawValue: entry.code)) {
            line.append(" (")
            line.append(name)
            line.append(")")
        }
        line.end()
        buffer[line.count] = 0
        return line.count
    }
}
