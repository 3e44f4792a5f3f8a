import GPUBackend
import SIMT

extension BackendError {
    /// The one place where device memory's refusals become results of the driver.
    init(_ error: DeviceMemoryError) {
        switch error {
        case .reservation:
            self.init(BackendStatus.outOfMemory, "the host has no address space for a device arena")
        case .invalidRange:
            self.init(BackendStatus.invalidValue, "the range lies outside the device arena or is not aligned")
        case .overlap:
            self.init(BackendStatus.invalidValue, "the range overlaps a live allocation")
        case .notAllocated:
            self.init(BackendStatus.invalidValue, "no allocation begins at the address")
        }
    }

    static let cancelled = BackendError(BackendStatus.deinitialized, "the session ends")
    static let badRange = BackendError(BackendStatus.invalidValue, "the range is not wholly in live device memory")
}
