public import GPUBackend
import SIMT

/// A GPU whose blocks run on the host's threads.
public final class SoftwareBackend: GPUBackend {
    public let devices: [DeviceProperties]
    private let options: SoftwareOptions
    /// Runs the kernels of all sessions.
    private let executor: Executor
    private let physicalStore = LazyPhysicalStore()

    public init(options: SoftwareOptions) {
        self.options = options
        executor = Executor(threadCount: options.threadCount)
        devices = [
            DeviceProperties(
                name: options.name, uuidHigh: options.uuidHigh, uuidLow: options.uuidLow,
                totalByteCount: options.totalByteCount, isSoftware: true,
                attributes: SoftwareAttributes.table(options))
        ]
    }

    public func makeSession(device: Int, arena: AddressArena, host: any BackendHost) throws(BackendError)
        -> any BackendSession
    {
        guard device == 0 else { throw BackendError(BackendStatus.invalidDevice) }
        let memory: DeviceMemory
        do throws(DeviceMemoryError) {
            memory = try DeviceMemory(baseAddress: arena.base, byteCount: arena.byteCount)
        } catch {
            throw BackendError(error)
        }
        let engine = SoftwareEngine(memory: memory, executor: executor, host: host)
        guard engine.start() else { throw BackendError(BackendStatus.outOfMemory, "the host has no more threads") }
        return SoftwareSession(options: options, engine: engine, physicalStore: physicalStore)
    }
}

/// One client process on the software GPU.
final class SoftwareSession: BackendSession {
    let options: SoftwareOptions
    let engine: SoftwareEngine
    let physicalStore: LazyPhysicalStore
    let textures = SoftwareTextures()

    var arena: AddressArena { AddressArena(base: engine.memory.baseAddress, byteCount: engine.memory.byteCount) }

    init(options: SoftwareOptions, engine: SoftwareEngine, physicalStore: LazyPhysicalStore) {
        self.options = options
        self.engine = engine
        self.physicalStore = physicalStore
    }

    func makeContext(flags: UInt32) throws(BackendError) -> any BackendContext { SoftwareContext(session: self) }

    func commit(address: UInt64, byteCount: UInt64, kind: MemoryKind, for context: any BackendContext)
        throws(BackendError)
    {
        guard let context = context as? SoftwareContext else { throw BackendError(BackendStatus.invalidContext) }
        let end = engine.memory.baseAddress + engine.memory.byteCount
        guard byteCount > 0, address >= engine.memory.baseAddress, address < end, byteCount <= end - address else {
            throw BackendError(.invalidRange)
        }
        context.note(try engine.runOrSubmit(.commit(context, address: address, byteCount: byteCount)))
    }

    func release(address: UInt64, for context: any BackendContext) {
        guard let context = context as? SoftwareContext else { return }
        // A cancelled engine frees everything at its end.
        if let sequence = try? engine.runOrSubmit(.release(context, address: address)) { context.note(sequence) }
    }

    var busyNanoseconds: UInt64 { engine.busyNanoseconds }

    func cancel() { engine.cancel() }

    func close() { engine.close() }
}
