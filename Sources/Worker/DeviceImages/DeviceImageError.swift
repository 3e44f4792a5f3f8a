/// Why no kernel could be taken from the bytes that a program loads.
public struct DeviceImageError: Error, Sendable, Equatable {
    public enum Code: UInt8, Sendable {
        /// The image is whole, but nothing in it runs here (`CUDA_ERROR_NO_BINARY_FOR_GPU`).
        case noKernelImage
        /// The image contradicts itself or ends early (`CUDA_ERROR_INVALID_IMAGE`).
        case corrupt
        /// The image is of a kind, or packed in a way, that this reader does not know.
        case unsupported
        /// The image would unpack to more than the reader allows.
        case limit
    }

    public let code: Code
    /// What is wrong and, where there is something to do about it, what to do.
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}
