import DeviceImages
import GPUBackend
import PTX
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

    /// The one place where an image's faults become results of the driver.
    init(_ error: DeviceImageError) {
        switch error.code {
        case .noKernelImage: self.init(BackendStatus.noBinaryForGPU, error.message)
        case .corrupt, .unsupported, .limit: self.init(BackendStatus.invalidImage, error.message)
        }
    }

    /// The one place where faults of PTX become results of the driver.
    init(_ error: PTXError) {
        let place = "PTX, line \(error.position.line), column \(error.position.column): "
        switch error.code {
        case .syntax, .name, .limit: self.init(BackendStatus.invalidPTX, place + error.message)
        case .unsupported: self.init(BackendStatus.notSupported, place + error.message)
        }
    }

    static let cancelled = BackendError(BackendStatus.deinitialized, "the session ends")
    static let untouchable = BackendError(
        BackendStatus.illegalAddress, "the range is reserved, but not wholly mapped and accessible")
    static let badRange = BackendError(BackendStatus.invalidValue, "the range is not wholly in live device memory")
}
