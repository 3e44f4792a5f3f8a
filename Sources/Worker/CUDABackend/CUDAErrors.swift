import CCUDA
import CUDABinding
import GPUBackend

extension BackendError {
    /// The one place where a driver's failures become results of a backend: the driver's own words for them.
    init(_ failure: CUDAFailure) {
        self.init(Int32(bitPattern: failure.status.rawValue), "\(failure)")
    }

    static let cancelled = BackendError(BackendStatus.deinitialized, "the session ends")
    static let badRange = BackendError(BackendStatus.invalidValue, "the range is not wholly in live device memory")
}

/// Runs calls of the driver.
func translating<Result>(_ body: () throws(CUDAFailure) -> Result) throws(BackendError) -> Result {
    do throws(CUDAFailure) {
        return try body()
    } catch {
        throw BackendError(error)
    }
}
