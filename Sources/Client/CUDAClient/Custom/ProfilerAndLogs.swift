public import CCUDA
internal import CPosix
internal import ClientRuntime

// Nothing here reaches a worker: a profile of the client process would not show the device, and the log of refusals
// is the client's own.
extension CUDADriver {
    /// The corresponding C function is `cuProfilerInitialize`, which CUDA 12 no longer supports either.
    public static func profilerInitialize(
        _ configFile: UnsafePointer<CChar>?, _ outputFile: UnsafePointer<CChar>?, _ outputMode: CUoutput_mode
    ) -> CUresult {
        CUDA_ERROR_NOT_SUPPORTED
    }

    /// The corresponding C function is `cuProfilerStart`. It begins a range of what `ROOST_STATS` counts.
    public static func profilerStart() -> CUresult {
        withContext { _ in
            CallCounts.beginRange()
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuProfilerStop`. It ends that range and writes its counts.
    public static func profilerStop() -> CUresult {
        withContext { _ in
            CallCounts.endRange()
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuLogsRegisterCallback`.
    public static func logsRegisterCallback(
        _ callback: CUlogsCallback?, _ userData: UnsafeMutableRawPointer?,
        _ result: UnsafeMutablePointer<CUlogsCallbackHandle?>?
    ) -> CUresult {
        guard let callback else { return CUDA_ERROR_INVALID_VALUE }
        // Programs register before they initialize the driver.
        guard prepareHandles(), let made = makeHandle(.callback, context: nil, object: nil) else {
            return CUDA_ERROR_OUT_OF_MEMORY
        }
        ErrorLog.add(ErrorLog.Listener(callback: callback, userData: userData, handle: made.handle))
        result?.pointee = made.handle
        return CUDA_SUCCESS
    }

    /// The corresponding C function is `cuLogsUnregisterCallback`.
    public static func logsUnregisterCallback(_ callback: CUlogsCallbackHandle?) -> CUresult {
        guard let callback, entry(callback, .callback) != nil else { return CUDA_ERROR_INVALID_VALUE }
        ErrorLog.removeListener(callback)
        _ = endHandle(callback, .callback)
        return CUDA_SUCCESS
    }

    /// The corresponding C function is `cuLogsCurrent`.
    public static func logsCurrent(_ iterator: UnsafeMutablePointer<CUlogIterator>?, _ flags: UInt32) -> CUresult {
        guard let iterator, flags == 0 else { return CUDA_ERROR_INVALID_VALUE }
        iterator.pointee = ErrorLog.position
        return CUDA_SUCCESS
    }

    /// The corresponding C function is `cuLogsDumpToFile`; the file grows.
    public static func logsDumpToFile(
        _ iterator: UnsafeMutablePointer<CUlogIterator>?, _ path: UnsafePointer<CChar>?, _ flags: UInt32
    ) -> CUresult {
        guard let path, flags == 0 else { return CUDA_ERROR_INVALID_VALUE }
        let descriptor = posix_open(path, Int32(POSIX_OPEN_APPEND), 0o644)
        guard descriptor >= 0 else { return CUDA_ERROR_INVALID_VALUE }
        defer { _ = posix_close(descriptor) }
        let (entries, next) = ErrorLog.entries(from: iterator?.pointee)
        var isWritten = true
        withUnsafeTemporaryAllocation(byteCount: ErrorLog.lineByteCountMax, alignment: 8) { buffer in
            for entry in entries {
                let count = ErrorLog.format(entry, into: buffer)
                guard let start = buffer.baseAddress else { return }
                if posix_write_all(descriptor, start, count) < 0 { isWritten = false }
            }
        }
        iterator?.pointee = next
        return isWritten ? CUDA_SUCCESS : CUDA_ERROR_OPERATING_SYSTEM
    }

    /// The corresponding C function is `cuLogsDumpToMemory`. What does not fit is left out, oldest lines first.
    public static func logsDumpToMemory(
        _ iterator: UnsafeMutablePointer<CUlogIterator>?, _ buffer: UnsafeMutablePointer<CChar>?,
        _ size: UnsafeMutablePointer<Int>?, _ flags: UInt32
    ) -> CUresult {
        guard let buffer, let size, flags == 0, size.pointee > 0 else { return CUDA_ERROR_INVALID_VALUE }
        let (entries, next) = ErrorLog.entries(from: iterator?.pointee)
        let room = min(size.pointee, ErrorLog.dumpByteCountMax) &- 1
        var written = 0
        withUnsafeTemporaryAllocation(byteCount: ErrorLog.lineByteCountMax, alignment: 8) { line in
            var first = entries.count
            var needed = 0
            while first > 0 {
                let count = ErrorLog.format(entries[first &- 1], into: line)
                guard needed &+ count <= room else { break }
                needed &+= count
                first &-= 1
            }
            for entry in entries[first...] {
                let count = ErrorLog.format(entry, into: line)
                guard let start = line.baseAddress, written &+ count <= room else { break }
                CPosix.memcpy(buffer + written, start, count)
                written &+= count
            }
        }
        buffer[written] = 0
        size.pointee = written
        iterator?.pointee = next
        return CUDA_SUCCESS
    }
}
