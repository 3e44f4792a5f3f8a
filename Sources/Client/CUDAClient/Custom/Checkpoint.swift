public import CCUDA
internal import CPosix
internal import ClientRuntime

// A process can be locked, which is what a checkpoint begins with: its work has ended and no call begins new work.
// Taking its memory away and giving it back comes with the migration of sessions.
extension CUDADriver {
    private static func withOwnProcess(_ process: Int32, _ body: () -> CUresult) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard process > 0 else { return CUDA_ERROR_INVALID_VALUE }
        // Only the process itself knows its lanes.
        guard process == posix_process_id() else { return CUDA_ERROR_NOT_SUPPORTED }
        return body()
    }

    /// The corresponding C function is `cuCheckpointProcessGetState`.
    public static func checkpointProcessGetState(
        _ process: Int32, _ state: UnsafeMutablePointer<CUprocessState>?
    ) -> CUresult {
        guard let state else { return CUDA_ERROR_INVALID_VALUE }
        return withOwnProcess(process) {
            state.pointee = ProcessLock.isHeld ? CU_PROCESS_STATE_LOCKED : CU_PROCESS_STATE_RUNNING
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuCheckpointProcessGetRestoreThreadId`. Any thread may call the others.
    public static func checkpointProcessGetRestoreThreadId(
        _ process: Int32, _ thread: UnsafeMutablePointer<Int32>?
    ) -> CUresult {
        guard let thread else { return CUDA_ERROR_INVALID_VALUE }
        return withOwnProcess(process) {
            thread.pointee = posix_thread_id()
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuCheckpointProcessLock`.
    public static func checkpointProcessLock(
        _ process: Int32, _ arguments: UnsafeMutablePointer<CUcheckpointLockArgs>?
    ) -> CUresult {
        withOwnProcess(process) {
            guard !ProcessLock.isHeld, let thread = ThreadState.mine else { return CUDA_ERROR_ILLEGAL_STATE }
            for context in primaryContexts where context.pointee.isAlive {
                let status = with(context, thread) { synchronize($0) }
                guard status == CUDA_SUCCESS else { return status }
            }
            return ProcessLock.hold() ? CUDA_SUCCESS : CUDA_ERROR_ILLEGAL_STATE
        }
    }

    /// The corresponding C function is `cuCheckpointProcessUnlock`.
    public static func checkpointProcessUnlock(
        _ process: Int32, _ arguments: UnsafeMutablePointer<CUcheckpointUnlockArgs>?
    ) -> CUresult {
        withOwnProcess(process) { ProcessLock.release() ? CUDA_SUCCESS : CUDA_ERROR_ILLEGAL_STATE }
    }
}
