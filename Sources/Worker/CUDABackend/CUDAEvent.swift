import CCUDA
import CCUDAFunctions
import CUDABinding
import GPUBackend

// SAFETY: the handle never changes and may be used by any thread.
/// An event of a driver.
final class CUDAEvent: BackendEvent, @unchecked Sendable {
    let context: CUDAContext
    let handle: CUevent

    init(context: CUDAContext, handle: CUevent) {
        self.context = context
        self.handle = handle
    }

    deinit { context.destroy(handle) }

    func record(on stream: any BackendStream) throws(BackendError) {
        guard let stream = stream as? CUDAStream else { throw BackendError(BackendStatus.invalidHandle) }
        try stream.submit { driver throws(CUDAFailure) in
            if stream.captured == nil {
                try driver.cuEventRecord(handle, stream.handle)
            } else {
                // A graph's own edges are the recorder's; an event in it is one that others see.
                try driver.cuEventRecordWithFlags(handle, stream.handle, CU_EVENT_RECORD_EXTERNAL.rawValue)
            }
        }
    }

    func isComplete() throws(BackendError) -> Bool {
        try context.throwIfFatal()
        let status = context.status(of: handle)
        if status == CUDA_ERROR_NOT_READY { return false }
        guard status == CUDA_SUCCESS else {
            let error = BackendError(CUDAFailure("cuEventQuery", status))
            context.note(error)
            throw error
        }
        return true
    }

    func synchronize() throws(BackendError) {
        try context.wait { context.status(of: handle) }
        // Prints what kernels printed.
        try context.perform { driver throws(CUDAFailure) in try driver.cuEventSynchronize(handle) }
        context.session.flushOutput()
    }

    func milliseconds(until end: any BackendEvent) throws(BackendError) -> Float {
        guard let end = end as? CUDAEvent else { throw BackendError(BackendStatus.invalidHandle) }
        return try context.perform { driver throws(CUDAFailure) in
            var milliseconds: Float = 0
            if driver.functions.cuEventElapsedTime_v2 != nil {
                try driver.cuEventElapsedTime_v2(&milliseconds, handle, end.handle)
            } else {
                try driver.cuEventElapsedTime(&milliseconds, handle, end.handle)
            }
            return milliseconds
        }
    }
}
