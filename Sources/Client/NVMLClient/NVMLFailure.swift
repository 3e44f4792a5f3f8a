internal import CNVML

/// A result code that is not success.
struct NVMLFailure: Error {
    let code: nvmlReturn_t

    static var uninitialized: NVMLFailure { NVMLFailure(code: NVML_ERROR_UNINITIALIZED) }
    static var invalidArgument: NVMLFailure { NVMLFailure(code: NVML_ERROR_INVALID_ARGUMENT) }
    static var notSupported: NVMLFailure { NVMLFailure(code: NVML_ERROR_NOT_SUPPORTED) }
    static var notFound: NVMLFailure { NVMLFailure(code: NVML_ERROR_NOT_FOUND) }
    static var insufficientSize: NVMLFailure { NVMLFailure(code: NVML_ERROR_INSUFFICIENT_SIZE) }
    static var lost: NVMLFailure { NVMLFailure(code: NVML_ERROR_GPU_IS_LOST) }
}

extension NVMLDriver {
    /// Runs `body` and turns what it throws into the C function's result.
    static func perform(_ body: () throws(NVMLFailure) -> Void) -> nvmlReturn_t {
        do throws(NVMLFailure) {
            try body()
            return NVML_SUCCESS
        } catch {
            return error.code
        }
    }
}
