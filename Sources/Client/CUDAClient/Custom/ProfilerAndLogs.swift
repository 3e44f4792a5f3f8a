public import CCUDA
internal import ClientRuntime

// Nothing here reaches a worker: a profile of the client process would not show the device, and driver logs go to
// ROOST_LOG.
extension CUDADriver {
    /// The corresponding C function is `cuProfilerInitialize`.
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

    /// The corresponding C function is `cuLogsRegisterCallback`. The callback is accepted and never called.
    public static func logsRegisterCallback(
        _ callback: CUlogsCallback?, _ userData: UnsafeMutableRawPointer?,
        _ result: UnsafeMutablePointer<CUlogsCallbackHandle?>?
    ) -> CUresult {
        guard callback != nil else { return CUDA_ERROR_INVALID_VALUE }
        result?.pointee = CUlogsCallbackHandle(bitPattern: 1)
        return CUDA_SUCCESS
    }

    /// The corresponding C function is `cuLogsUnregisterCallback`.
    public static func logsUnregisterCallback(_ callback: CUlogsCallbackHandle?) -> CUresult {
        callback == nil ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS
    }

    /// The corresponding C function is `cuLogsCurrent`.
    public static func logsCurrent(_ iterator: UnsafeMutablePointer<CUlogIterator>?, _ flags: UInt32) -> CUresult {
        guard let iterator, flags == 0 else { return CUDA_ERROR_INVALID_VALUE }
        iterator.pointee = 0
        return CUDA_SUCCESS
    }

    /// The corresponding C function is `cuLogsDumpToFile`; there is nothing to dump.
    public static func logsDumpToFile(
        _ iterator: UnsafeMutablePointer<CUlogIterator>?, _ path: UnsafePointer<CChar>?, _ flags: UInt32
    ) -> CUresult {
        guard path != nil, flags == 0 else { return CUDA_ERROR_INVALID_VALUE }
        return CUDA_SUCCESS
    }

    /// The corresponding C function is `cuLogsDumpToMemory`; the text is always empty.
    public static func logsDumpToMemory(
        _ iterator: UnsafeMutablePointer<CUlogIterator>?, _ buffer: UnsafeMutablePointer<CChar>?,
        _ size: UnsafeMutablePointer<Int>?, _ flags: UInt32
    ) -> CUresult {
        guard let buffer, let size, flags == 0 else { return CUDA_ERROR_INVALID_VALUE }
        if size.pointee > 0 { buffer.pointee = 0 }
        size.pointee = 0
        return CUDA_SUCCESS
    }
}
