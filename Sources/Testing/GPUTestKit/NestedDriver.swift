import CPosix
public import CUDABackend
public import GPUBackend
import Logging
import SoftwareBackend
import Synchronization
import Transport
import WireProtocol
import WorkerCore

/// Roost on Roost: the library that this package builds is a driver too. It is opened as one here, and talks to a
/// worker in the test's own process that has a software GPU.
///
/// There is one for each test process, since a driver is global to a process.
public enum NestedDriver {
    /// The inner vGPU's memory.
    public static let vramByteCount: UInt64 = 2 << 30

    /// The variable that makes every ``WorkerFixture`` without a backend of its own serve a nested device.
    static let isDefault = posix_environment("ROOST_TEST_BACKEND").map { String(cString: $0) } == "nested"

    /// The worker behind the library, for the life of the process.
    private static let inner = WorkerFixture(vramByteCount: vramByteCount, backend: innerBackend())

    private static func innerBackend() -> SoftwareBackend {
        var options = SoftwareOptions()
        options.totalByteCount = vramByteCount
        options.threadCount = 2
        // With tensor maps.
        options.computeCapability = 90
        return SoftwareBackend(options: options)
    }

    private static let failure: BackendError? = {
        guard let endpoint = try? inner.listen() else { return BackendError(BackendStatus.unknown, "cannot listen") }
        // The library reads the variable when its first device is opened, and never again.
        return ClientEndpoint.with("\(endpoint)") {
            do throws(BackendError) {
                _ = try CUDADeviceSummary.list(driverPath: path)
                return nil
            } catch {
                return error
            }
        }
    }()

    /// The library, beside the program that runs the tests.
    public static var path: String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = posix_program_path(&buffer, buffer.count)
        let text = buffer.prefix(max(0, Int(count))).map { UInt8(bitPattern: $0) }
        let folder = text.lastIndex(of: UInt8(ascii: "/")).map { text[...$0] } ?? []
        return String(decoding: folder, as: UTF8.self) + "libcuda.so"
    }

    /// A backend on the nested driver.
    public static func backend() throws(BackendError) -> CUDABackend {
        if let failure { throw failure }
        return try CUDABackend(options: CUDAOptions(driverPath: path))
    }
}

/// The variable that tells a client library where its worker is.
public enum ClientEndpoint {
    private static let lock = Mutex(())

    /// Runs `body`, which starts a client library in this process, with the variable set.
    public static func with<Result>(_ endpoint: String, _ body: () -> sending Result) -> sending Result {
        lock.withLock { _ in
            _ = posix_set_environment("ROOST_ENDPOINT", endpoint)
            return body()
        }
    }
}
