import CCUDA
import CUDAClient
import GPUTestKit
import Glibc
import Testing
import WorkerCore

/// The one CUDA program of this test process: the driver is global to a process, and so is its worker.
enum Program {
    static let vramByteCount: UInt64 = 64 << 20
    static let fixture = WorkerFixture(vramByteCount: vramByteCount)

    private static let start: CUresult = {
        guard let endpoint = try? fixture.listen() else { return CUDA_ERROR_UNKNOWN }
        return ClientEndpoint.with("\(endpoint)") { CUDADriver.initialize(0) }
    }()

    /// Initializes the driver once and makes the primary context the calling thread's.
    static func begin() throws {
        try check(start)
        var context: CUcontext?
        try check(CUDADriver.devicePrimaryCtxRetain(&context, 0))
        try check(CUDADriver.ctxSetCurrent(context))
    }

    /// Fails the test unless a call succeeded.
    static func check(_ result: CUresult, _ location: SourceLocation = #_sourceLocation) throws {
        try #require(result == CUDA_SUCCESS, "\(result)", sourceLocation: location)
    }

    static func allocate(_ byteCount: Int) throws -> CUdeviceptr {
        var address: CUdeviceptr = 0
        try check(CUDADriver.memAllocV2(&address, byteCount))
        return address
    }

    static func write(_ values: [UInt32], to address: CUdeviceptr) throws {
        try values.withUnsafeBytes { try check(CUDADriver.memcpyHtoDV2(address, $0.baseAddress, $0.count)) }
    }

    static func read(_ count: Int, from address: CUdeviceptr) throws -> [UInt32] {
        var values = [UInt32](repeating: 0, count: count)
        try values.withUnsafeMutableBytes { try check(CUDADriver.memcpyDtoHV2($0.baseAddress, address, $0.count)) }
        return values
    }

    static func function(_ name: String, of text: String) throws -> CUfunction {
        var module: CUmodule?
        try check(text.withCString { CUDADriver.moduleLoadData(&module, $0) })
        var function: CUfunction?
        try check(name.withCString { CUDADriver.moduleGetFunction(&function, module, $0) })
        return try #require(function)
    }

    /// Launches a kernel whose parameters are 64-bit words.
    static func launch(_ function: CUfunction, _ parameters: [UInt64], stream: CUstream? = nil) -> CUresult {
        var words = parameters
        return words.withUnsafeMutableBytes { bytes in
            var pointers = parameters.indices.map { index in bytes.baseAddress.map { $0 + index * 8 } }
            return CUDADriver.launchKernel(function, 1, 1, 1, 32, 1, 1, 0, stream, &pointers, nil)
        }
    }
}
