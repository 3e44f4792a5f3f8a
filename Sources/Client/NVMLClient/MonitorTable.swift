internal import CNVML
internal import CPosix
internal import ClientRuntime
internal import Primitives
internal import Transport
internal import WireProtocol

// SAFETY: everything below `lock` is only touched under it; the fork handlers hold it across the fork.
/// The devices of this process, for all threads.
final class MonitorTable: @unchecked Sendable {
    static let shared = MonitorTable()

    private let lock = Lock()
    private var initializationCount = 0
    private var monitors: [Monitor] = []
    private var isPrepared = false

    /// One more user. Fails when no worker can be reached.
    func initialize() throws(NVMLFailure) {
        lock.acquire()
        defer { lock.release() }
        if !isPrepared {
            isPrepared = true
            _ = posix_at_fork(
                { MonitorTable.shared.lock.acquire() }, { MonitorTable.shared.lock.release() },
                {
                    for monitor in MonitorTable.shared.monitors { monitor.abandonAfterFork() }
                    MonitorTable.shared.lock.release()
                })
        }
        if initializationCount == 0 { monitors = try MonitorTable.reachable() }
        initializationCount &+= 1
    }

    /// One user less.
    func shutdown() throws(NVMLFailure) {
        lock.acquire()
        defer { lock.release() }
        guard initializationCount > 0 else { throw .uninitialized }
        initializationCount &-= 1
        guard initializationCount == 0 else { return }
        for monitor in monitors { monitor.close() }
        monitors = []
    }

    func deviceCount() throws(NVMLFailure) -> Int {
        lock.acquire()
        defer { lock.release() }
        guard initializationCount > 0 else { throw .uninitialized }
        return monitors.count
    }

    func status(of index: Int) throws(NVMLFailure) -> VGPUStatus {
        lock.acquire()
        defer { lock.release() }
        guard initializationCount > 0 else { throw .uninitialized }
        guard index >= 0, index < monitors.count else { throw .invalidArgument }
        return try monitors[index].current()
    }

    /// A monitor for each endpoint of `ROOST_ENDPOINT`. One that does not answer stays in the list, so that the others
    /// keep the numbers that CUDA gives them; if none does, the reason of the first counts.
    private static func reachable() throws(NVMLFailure) -> [Monitor] {
        guard let endpoints = Endpoint.list(utf8: Environment.bytes("ROOST_ENDPOINT")) else {
            throw NVMLFailure(code: NVML_ERROR_DRIVER_NOT_LOADED)
        }
        var monitors: [Monitor] = []
        for (index, endpoint) in endpoints.enumerated() {
            monitors.append(Monitor(endpoint, token: [UInt8](Environment.token(index, of: endpoints.count))))
        }
        var first: NVMLFailure?
        var isOneReachable = false
        for monitor in monitors {
            do throws(NVMLFailure) {
                _ = try monitor.current()
                isOneReachable = true
            } catch {
                if first == nil { first = error }
            }
        }
        if isOneReachable { return monitors }
        let code = first?.code ?? NVML_ERROR_DRIVER_NOT_LOADED
        throw NVMLFailure(code: code == NVML_ERROR_GPU_IS_LOST ? NVML_ERROR_DRIVER_NOT_LOADED : code)
    }
}
