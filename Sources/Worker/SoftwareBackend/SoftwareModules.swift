import GPUBackend
import SIMT

final class SoftwareLaunch: Sendable {
    let parameters: [UInt8] = []
    func run(on engine: SoftwareEngine) throws(BackendError) {}
}

extension SoftwareContext {
    func loadModule(image: UnsafeRawBufferPointer, place: GlobalPlacement) throws(BackendError) -> any BackendModule {
        throw BackendError(BackendStatus.notSupported)
    }
    func checkLink(image: UnsafeRawBufferPointer) throws(BackendError) -> String {
        throw BackendError(BackendStatus.notSupported)
    }
}
extension SoftwareStream {
    func launch(_ function: any BackendFunction, _ shape: LaunchShape, parameters: UnsafeRawBufferPointer)
        throws(BackendError) { throw BackendError(BackendStatus.notSupported) }
}
