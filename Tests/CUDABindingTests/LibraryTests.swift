import CCUDA
import CCUDAFunctions
import CUDABinding
import Foundation
import Testing

/// The library that this package builds: it is a driver too.
private func ownLibrary() throws -> CUDALibrary {
    let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    return try CUDALibrary(path: program.deletingLastPathComponent().appendingPathComponent("libcuda.so").path)
}

@Suite("Opening a driver")
struct LibraryTests {
    @Test("A bare name is refused: it could find a library that is already loaded")
    func bareName() throws {
        let failure = #expect(throws: CUDALibraryFailure.self) { try CUDALibrary(path: "libcuda.so.1") }
        #expect(try #require(failure).message.contains("with its folder"))
    }

    @Test("A missing file gives the linker's words")
    func missingFile() throws {
        let failure = #expect(throws: CUDALibraryFailure.self) { try CUDALibrary(path: "/nowhere/libcuda.so.1") }
        #expect(try #require(failure).message.contains("/nowhere/libcuda.so.1"))
    }

    @Test("Another library is no driver")
    func noDriver() throws {
        let path = "/lib/x86_64-linux-gnu/libm.so.6"
        let failure = #expect(throws: CUDALibraryFailure.self) { try CUDALibrary(path: path) }
        #expect(try #require(failure).message.hasSuffix("it is no CUDA driver"))
    }

    @Test("Every function of the description is found in the library that this package builds")
    func allFunctions() throws {
        let library = try ownLibrary()
        let slotCount = MemoryLayout<CUDAFunctions>.size / MemoryLayout<UnsafeRawPointer>.size
        #expect(library.functionCount == slotCount)
        var version: Int32 = 0
        try library.cuDriverGetVersion(&version)
        #expect(version >= 12000)
    }

    @Test("A call that fails throws the function's name and its status")
    func failure() throws {
        let library = try ownLibrary()
        let failure = #expect(throws: CUDAFailure.self) { try library.cuDriverGetVersion(nil) }
        #expect(try #require(failure).status == CUDA_ERROR_INVALID_VALUE)
        #expect("\(try #require(failure).function)" == "cuDriverGetVersion")
    }
}
