import GPUBackend
import Primitives
import WireProtocol

/// A kernel that a client named and nobody has used yet.
final class PreparedFunction: ContextOwned, Sendable {
    let module: WorkerModule
    private let index: Int

    var context: WorkerContext { module.context }

    init(module: WorkerModule, index: Int) {
        self.module = module
        self.index = index
    }

    /// Compiles the kernel; each call of a kernel that can't be compiled says so again.
    func compile() throws(CommandError) -> any BackendFunction {
        let names = module.backend.kernelNames
        guard names.indices.contains(index) else { throw CommandError(BackendStatus.notFound) }
        do throws(BackendError) {
            return try names[index].withBytes { name throws(BackendError) in
                try module.backend.function(named: name)
            }
        } catch {
            throw CommandError(error)
        }
    }
}

/// A kernel that can be launched.
struct WorkerFunction: ContextOwned {
    let module: WorkerModule
    let object: any BackendFunction

    var context: WorkerContext { module.context }
}

extension WorkerSession.State {
    /// Takes a module's functions out: the client uses their places again.
    mutating func removeFunctions(of module: WorkerModule) {
        var ids: [UInt64] = []
        functions.forEach { id, function in if function.module === module { ids.append(id) } }
        for id in ids { functions.remove(id: id) }
        ids = []
        preparedFunctions.forEach { id, function in if function.module === module { ids.append(id) } }
        for id in ids { preparedFunctions.remove(id: id) }
    }
}

extension [UInt8] {
    fileprivate func withBytes<Result>(
        _ body: (UnsafeRawBufferPointer) throws(BackendError) -> Result
    ) throws(BackendError) -> Result {
        var outcome: Swift.Result<Result, BackendError>?
        withUnsafeBytes { bytes in
            do throws(BackendError) {
                outcome = .success(try body(bytes))
            } catch {
                outcome = .failure(error)
            }
        }
        guard let outcome else { throw BackendError(BackendStatus.unknown) }
        return try outcome.get()
    }
}

extension FunctionSnapshot {
    /// How to launch a function.
    init(_ function: any BackendFunction) {
        self.init()
        parameters = function.parameters.map { ParameterSlot(offset: $0.offset, byteCount: $0.byteCount) }
        attributes = function.attributes
    }
}

extension ModuleSnapshot {
    /// What a module has, with all that is known of its kernels.
    init(_ module: any BackendModule) {
        self.init()
        kernelNames = module.kernelNames
        globals = module.globals.map { found in
            var global = Global(
                name: found.name, address: found.address, byteCount: found.byteCount, isManaged: found.isManaged)
            global.reference = Reference(rawValue: found.reference) ?? .none
            return global
        }
        kernels = module.kernelDescriptions.prefix(kernelNames.count).map { description in
            switch description {
            case .unknown: .unknown
            case .parameters(let slots): .parameters(slots.map { ParameterSlot(offset: $0, byteCount: $1) })
            case .complete(let slots, let attributes):
                .complete(
                    parameters: slots.map { ParameterSlot(offset: $0, byteCount: $1) }, attributes: attributes)
            case .failed(let error): .failed(status: error.status, message: Array(error.message.utf8.prefix(4096)))
            }
        }
    }
}
