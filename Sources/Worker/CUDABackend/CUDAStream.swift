import CCUDA
import CCUDAFunctions
import CUDABinding
import GPUBackend
import Synchronization

// SAFETY: the handle never changes and may be used by any thread; the counters are atomic.
/// A stream of a driver.
final class CUDAStream: BackendStream, @unchecked Sendable {
    let context: CUDAContext
    let handle: CUstream?
    private let isOwned: Bool
    /// Counts what was submitted, and up to where it is known to be done.
    private let submitted = Atomic<UInt64>(0)
    private let finished = Atomic<UInt64>(0)
    /// What a graph that is being captured from the stream keeps; set before anybody else knows the stream. Nobody may
    /// ask for the state of such a stream.
    private(set) var captured: CapturedResources?
    /// Whether the driver's stream ended. Only the context touches it, under a lock of its own.
    var isGone = false

    init(context: CUDAContext, handle: CUstream?, isOwned: Bool) {
        self.context = context
        self.handle = handle
        self.isOwned = isOwned
    }

    var driver: CUDALibrary { context.driver }

    /// Makes this the stream of a graph recorder.
    func beginCapture(into resources: CapturedResources) { captured = resources }

    // MARK: - Unfinished work

    /// Submits work.
    func submit<Result>(_ body: (CUDALibrary) throws(CUDAFailure) -> Result) throws(BackendError) -> Result {
        submitted.add(1, ordering: .relaxed)
        return try context.perform(body)
    }

    /// Whether work was submitted that may still run.
    func hasUnfinishedWork() -> Bool {
        let count = submitted.load(ordering: .relaxed)
        guard finished.load(ordering: .relaxed) != count, captured == nil else { return false }
        guard context.status(of: self) != CUDA_ERROR_NOT_READY else { return true }
        finished.store(count, ordering: .relaxed)
        return false
    }

    /// Waits for the work so far.
    func waitForWork() throws(BackendError) {
        let count = submitted.load(ordering: .relaxed)
        if finished.load(ordering: .relaxed) == count { return try context.throwIfFatal() }
        try context.wait { context.status(of: self) }
        finished.store(count, ordering: .relaxed)
    }

    func synchronize() throws(BackendError) {
        try waitForWork()
        // Prints what kernels printed.
        try context.perform { driver throws(CUDAFailure) in try driver.cuStreamSynchronize(handle) }
        context.session.memory.reclaim()
        context.session.flushOutput()
    }

    func isIdle() throws(BackendError) -> Bool {
        try context.throwIfFatal()
        let status = context.status(of: self)
        if status == CUDA_ERROR_NOT_READY { return false }
        try check(status, "cuStreamQuery")
        return true
    }

    private func check(_ status: CUresult, _ function: StaticString) throws(BackendError) {
        guard status != CUDA_SUCCESS else { return }
        let error = BackendError(CUDAFailure(function, status))
        context.note(error)
        throw error
    }

    func destroy() { if isOwned { context.remove(self) } }

    // MARK: - Kernels and order

    func launch(_ function: any BackendFunction, _ shape: LaunchShape, parameters: UnsafeRawBufferPointer)
        throws(BackendError)
    {
        guard let function = function as? CUDAFunction else { throw BackendError(BackendStatus.invalidHandle) }
        guard let captured, captured.hasConditionals else {
            return try submit { driver throws(CUDAFailure) in
                try driver.launch(function.handle, shape, parameters, on: handle)
            }
        }
        var translated = Array(parameters)
        translated.withUnsafeMutableBytes { captured.translate($0) }
        try submit { driver throws(CUDAFailure) in
            try driver.launch(function.handle, shape, bytes: translated, on: handle)
        }
    }

    func wait(for event: any BackendEvent) throws(BackendError) {
        guard let event = event as? CUDAEvent else { throw BackendError(BackendStatus.invalidHandle) }
        let flags = captured == nil ? 0 : CU_EVENT_WAIT_EXTERNAL.rawValue
        try submit { driver throws(CUDAFailure) in try driver.cuStreamWaitEvent(handle, event.handle, flags) }
    }

    // MARK: - Memory operations

    func perform(_ operations: [StreamMemoryOperation]) throws(BackendError) {
        var batch: [CUstreamBatchMemOpParams] = []
        for operation in operations {
            switch operation {
            case .wait(let address, let value, let byteCount, let comparison):
                try require(address, UInt64(byteCount))
                batch.append(.wait(address, value, byteCount, flags: comparison.rawValue))
            case .write(let address, let value, let byteCount):
                try require(address, UInt64(byteCount))
                batch.append(.write(address, value, byteCount))
            case .barrier: batch.append(.barrier())
            }
        }
        guard !batch.isEmpty else { return }
        try submit { driver throws(CUDAFailure) in
            try driver.cuStreamBatchMemOp_v2(handle, UInt32(batch.count), &batch, 0)
        }
    }

    private func require(_ address: UInt64, _ byteCount: UInt64) throws(BackendError) {
        guard context.session.memory.contains(address, byteCount) else { throw .badRange }
    }
}

extension CUstreamBatchMemOpParams {
    fileprivate static func wait(_ address: UInt64, _ value: UInt64, _ byteCount: Int, flags: UInt32) -> Self {
        var parameters = CUstreamBatchMemOpParams()
        parameters.waitValue.operation =
            byteCount == 8 ? CU_STREAM_MEM_OP_WAIT_VALUE_64 : CU_STREAM_MEM_OP_WAIT_VALUE_32
        parameters.waitValue.address = address
        parameters.waitValue.value64 = value
        parameters.waitValue.flags = flags
        return parameters
    }

    fileprivate static func write(_ address: UInt64, _ value: UInt64, _ byteCount: Int) -> Self {
        var parameters = CUstreamBatchMemOpParams()
        parameters.writeValue.operation =
            byteCount == 8 ? CU_STREAM_MEM_OP_WRITE_VALUE_64 : CU_STREAM_MEM_OP_WRITE_VALUE_32
        parameters.writeValue.address = address
        parameters.writeValue.value64 = value
        return parameters
    }

    fileprivate static func barrier() -> Self {
        var parameters = CUstreamBatchMemOpParams()
        parameters.memoryBarrier.operation = CU_STREAM_MEM_OP_BARRIER
        return parameters
    }
}

extension CUDALibrary {
    fileprivate func launch(
        _ function: CUfunction, _ shape: LaunchShape, bytes: [UInt8], on stream: CUstream?
    ) throws(CUDAFailure) {
        let failure = bytes.withUnsafeBytes { parameters -> CUDAFailure? in
            do throws(CUDAFailure) {
                try launch(function, shape, parameters, on: stream)
                return nil
            } catch {
                return error
            }
        }
        if let failure { throw failure }
    }

    /// Launches with a packed parameter block.
    func launch(
        _ function: CUfunction, _ shape: LaunchShape, _ parameters: UnsafeRawBufferPointer, on stream: CUstream?
    ) throws(CUDAFailure) {
        var byteCount = parameters.count
        var attribute = CUlaunchAttribute()
        attribute.id = CU_LAUNCH_ATTRIBUTE_COOPERATIVE
        attribute.value.cooperative = 1
        let status = withUnsafeMutablePointer(to: &byteCount) { count in
            withUnsafeMutablePointer(to: &attribute) { attribute -> CUresult in
                var configuration = CUlaunchConfig(
                    gridDimX: shape.grid.x, gridDimY: shape.grid.y, gridDimZ: shape.grid.z,
                    blockDimX: shape.block.x, blockDimY: shape.block.y, blockDimZ: shape.block.z,
                    sharedMemBytes: shape.sharedByteCount, hStream: stream,
                    attrs: shape.isCooperative ? attribute : nil, numAttrs: shape.isCooperative ? 1 : 0)
                var extra: [UnsafeMutableRawPointer?] = [
                    UnsafeMutableRawPointer(bitPattern: 1), UnsafeMutableRawPointer(mutating: parameters.baseAddress),
                    UnsafeMutableRawPointer(bitPattern: 2), UnsafeMutableRawPointer(count), nil,
                ]
                guard let launch = functions.cuLaunchKernelEx else { return CUDA_ERROR_NOT_FOUND }
                return parameters.isEmpty
                    ? launch(&configuration, function, nil, nil) : launch(&configuration, function, nil, &extra)
            }
        }
        try check(status, "cuLaunchKernelEx")
    }
}
