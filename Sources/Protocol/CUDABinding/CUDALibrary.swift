public import CCUDA
public import CCUDAFunctions

// SAFETY: nothing changes after the initializer; the driver's functions may be called from any thread.
/// A `libcuda.so.1` that was opened at run time, and its entry points. It stays loaded.
///
/// Every function of the driver is a throwing method with the C function's exported name; ``functions`` has the bare
/// pointers, for callers that want the status.
public final class CUDALibrary: @unchecked Sendable {
    /// The file that was opened.
    public let path: String
    /// The entry points by exported name; nil where the library lacks one.
    public let functions: CUDAFunctions
    /// How many entry points the library has.
    public let functionCount: Int

    /// Opens the library at a path, with none of its names visible to others. The path must have a slash in it: the
    /// linker would take a bare name for any library of that name that the process has already loaded.
    public init(path: String) throws(CUDALibraryFailure) {
        guard path.utf8.contains(UInt8(ascii: "/")) else {
            throw CUDALibraryFailure(message: "\(path) is no path of a driver library; give it with its folder")
        }
        var message = [CChar](repeating: 0, count: 512)
        guard let handle = roost_cuda_open(path, &message, message.count) else {
            let text = String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            throw CUDALibraryFailure(message: "cannot open the driver library: \(text)")
        }
        var functions = CUDAFunctions()
        functionCount = roost_cuda_bind(handle, &functions)
        guard functions.cuInit != nil, functions.cuDeviceGetCount != nil else {
            roost_cuda_close(handle)
            throw CUDALibraryFailure(message: "\(path) has no cuInit or no cuDeviceGetCount; it is no CUDA driver")
        }
        self.path = path
        self.functions = functions
    }

    /// Throws for every answer but success.
    public func check(_ status: CUresult, _ function: StaticString) throws(CUDAFailure) {
        if status != CUDA_SUCCESS { throw CUDAFailure(function, status) }
    }
}
