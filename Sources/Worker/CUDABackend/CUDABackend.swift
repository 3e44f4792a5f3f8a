import CCUDA
import CCUDAFunctions
import CUDABinding
public import GPUBackend
import Primitives
import Synchronization

// SAFETY: the context's handle never changes and may be used by any thread; everything else synchronizes itself.
/// A device of a real driver, or of anything that is a `libcuda.so.1`.
///
/// The device's primary context is held for the life of the backend, so that no client waits for its making. A fault
/// of a kernel spoils the whole process on a real GPU; that is why a worker serves one vGPU alone.
public final class CUDABackend: GPUBackend, @unchecked Sendable {
    public let devices: [DeviceProperties]
    let driver: CUDALibrary
    let device: CUdevice
    let output: OutputCapture?
    /// The device's primary context.
    let home: CUcontext
    /// As 10 · major + minor.
    var computeCapability: Int { Int(devices[0].attribute(75)) * 10 + Int(devices[0].attribute(76)) }
    private let sessions = Mutex<[ObjectIdentifier: WeakSession]>([:])
    private let isHomeTaken = Mutex(false)
    private let hasSampler = Mutex(false)
    private let hasFault = Atomic(false)
    private let healing = Mutex(())
    private let generation = Atomic<UInt64>(0)

    private struct WeakSession {
        weak var session: CUDASession?
    }

    /// Opens the driver and takes the device. Throws with a sentence that names what is missing.
    public init(options: CUDAOptions) throws(BackendError) {
        do throws(CUDALibraryFailure) {
            driver = try CUDALibrary(path: options.driverPath)
        } catch {
            throw BackendError(BackendStatus.deviceUnavailable, error.message)
        }
        output = options.output
        let driver = driver
        (device, home, devices) = try translating { () throws(CUDAFailure) in
            try driver.cuInit(0)
            var device: CUdevice = 0
            try driver.cuDeviceGet(&device, options.ordinal)
            var home: CUcontext?
            try driver.cuDevicePrimaryCtxRetain(&home, device)
            guard let home else { throw CUDAFailure("cuDevicePrimaryCtxRetain", CUDA_ERROR_INVALID_CONTEXT) }
            return (device, home, [try DeviceProperties(driver, device, options)])
        }
    }

    deinit { _ = try? driver.cuDevicePrimaryCtxRelease_v2(device) }

    public func makeSession(device: Int, arena: AddressArena, host: any BackendHost) throws(BackendError)
        -> any BackendSession
    {
        guard device == 0 else { throw BackendError(BackendStatus.invalidDevice) }
        let session = try CUDASession(backend: self, wanted: arena, host: host)
        sessions.withLock { $0[ObjectIdentifier(session)] = WeakSession(session: session) }
        startSampler()
        return session
    }

    func forget(_ session: CUDASession) {
        sessions.withLock { $0[ObjectIdentifier(session)] = nil }
    }

    // MARK: - Contexts

    /// A context for a client's: the primary one if nobody uses it, else a new one.
    func takeContext() throws(BackendError) -> (handle: CUcontext, isHome: Bool) {
        let isFree = isHomeTaken.withLock { isTaken in
            defer { isTaken = true }
            return !isTaken
        }
        if isFree { return (home, true) }
        return try translating { () throws(CUDAFailure) in
            var made: CUcontext?
            if driver.functions.cuCtxCreate_v4 != nil {
                try driver.cuCtxCreate_v4(&made, nil, 0, device)
            } else {
                try driver.cuCtxCreate_v2(&made, 0, device)
            }
            guard let made else { throw CUDAFailure("cuCtxCreate", CUDA_ERROR_INVALID_CONTEXT) }
            return (made, false)
        }
    }

    func giveBack(_ handle: CUcontext, isHome: Bool) {
        if isHome {
            isHomeTaken.withLock { $0 = false }
        } else {
            try? driver.cuCtxDestroy_v2(handle)
        }
    }

    /// Remembers that a kernel spoiled a context.
    func noteFault() { hasFault.store(true, ordering: .releasing) }

    /// Counts the lives of the primary context: a reset ends one, and all objects in it.
    var homeGeneration: UInt64 { generation.load(ordering: .acquiring) }

    /// Makes the primary context usable again after a fault, where the driver can do that.
    func heal() throws(BackendError) {
        try healing.withLock { _ throws(BackendError) in try healAlone() }
    }

    private func healAlone() throws(BackendError) {
        guard hasFault.exchange(false, ordering: .acquiringAndReleasing) else { return }
        let status = driver.query(home, stream: nil)
        if status == CUDA_SUCCESS || status == CUDA_ERROR_NOT_READY { return }
        hasFault.store(true, ordering: .releasing)
        // Before: from now on nobody may give back what the reset takes.
        generation.add(1, ordering: .releasing)
        try translating { () throws(CUDAFailure) in
            try driver.cuDevicePrimaryCtxReset_v2(device)
            try driver.cuCtxSetCurrent(home)
            try driver.cuCtxSynchronize()
        }
        hasFault.store(false, ordering: .releasing)
    }

    // MARK: - Utilization

    private static let samplePeriodNanoseconds: UInt64 = 20_000_000

    /// Looks fifty times a second which sessions have work: a driver tells no process's share by itself.
    private func startSampler() {
        let isFirst = hasSampler.withLock { hasSampler in
            defer { hasSampler = true }
            return !hasSampler
        }
        guard isFirst else { return }
        _ = OSThread.start("roost-sampler") { [weak self] in
            var last = MonotonicClock.nanoseconds
            let pause = Monitor()
            while true {
                pause.withLock { pause.wait(nanoseconds: CUDABackend.samplePeriodNanoseconds) }
                guard let self else { return }
                let now = MonotonicClock.nanoseconds
                let live = self.sessions.withLock { $0.values.compactMap(\.session) }
                for session in live { session.sample(nanoseconds: now &- last) }
                last = now
                if live.isEmpty, self.stopSampler() { return }
            }
        }
    }

    private func stopSampler() -> Bool {
        sessions.withLock { sessions in
            guard sessions.isEmpty else { return false }
            hasSampler.withLock { $0 = false }
            return true
        }
    }
}
