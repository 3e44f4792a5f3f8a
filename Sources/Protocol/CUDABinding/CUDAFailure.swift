public import CCUDA

/// What a function of the driver answered other than success.
public struct CUDAFailure: Error, Sendable {
    /// The C function's exported name.
    public let function: StaticString
    /// Its answer; `CUDA_ERROR_NOT_FOUND` for a function that the library lacks.
    public let status: CUresult

    public init(_ function: StaticString, _ status: CUresult) {
        self.function = function
        self.status = status
    }

    /// The library lacks the function.
    init(_ function: StaticString) {
        self.init(function, CUDA_ERROR_NOT_FOUND)
    }
}

extension CUDAFailure: CustomStringConvertible {
    public var description: String { "\(function) failed with CUresult \(status.rawValue)" }
}

/// Why a library could not be opened as a driver.
public struct CUDALibraryFailure: Error, Sendable {
    /// What happened, with the path, as a sentence.
    public let message: String
}
