import GPUBackend

extension CommandError {
    /// The one place where a backend's errors become results of commands.
    init(_ error: BackendError) {
        self.init(error.status, error.message)
    }

    static let invalidValue = CommandError(BackendStatus.invalidValue)
    static let invalidHandle = CommandError(BackendStatus.invalidHandle)
    static let invalidContext = CommandError(BackendStatus.invalidContext)
    static let invalidDevice = CommandError(BackendStatus.invalidDevice)
    static let deinitialized = CommandError(BackendStatus.deinitialized)
    static let outOfMemory = CommandError(
        BackendStatus.outOfMemory, "the vGPU's memory limit leaves no room for the allocation")
    static let tooManyObjects = CommandError(
        BackendStatus.outOfMemory, "the session has as many objects as the worker allows")
}

/// Runs backend code in a handler.
func translating<Result>(_ body: () throws(BackendError) -> Result) throws(CommandError) -> Result {
    do throws(BackendError) {
        return try body()
    } catch {
        throw CommandError(error)
    }
}
