import GPUBackend
import SIMT

/// A change of a session's addresses.
typealias MemoryChange = @Sendable (DeviceMemory) throws(DeviceMemoryError) -> Void

/// One piece of work of a stream.
enum Operation: Sendable {
    /// A lane takes the right to execute.
    case handover
    case commit(SoftwareContext, address: UInt64, byteCount: UInt64)
    case release(SoftwareContext, address: UInt64)
    case change(SoftwareContext, MemoryChange)
    case write(SoftwareContext, MemoryBox, StagedBytes)
    case copy(SoftwareContext, from: MemoryBox, to: MemoryBox)
    case fill(SoftwareContext, MemoryBox, elementByteCount: Int, value: UInt32)
    case record(SoftwareContext, SoftwareEvent)
    case hostFunction(SoftwareContext, token: UInt64)
    case exchange(SoftwareContext, MemoryBox, any PeerTransfer)
    case launch(SoftwareContext, SoftwareLaunch)
    /// Has the stream wait for a value in memory.
    case waitValue(SoftwareContext, MemoryCondition)
    case writeValue(SoftwareContext, address: UInt64, value: UInt64, byteCount: Int)
    /// Has the stream wait for an operation of another one.
    case after(SoftwareContext, sequence: UInt64)
    /// Only has a place in its stream.
    case marker
    case download(SoftwareContext, MemoryBox, DownloadBuffer)
    case copyToHost(SoftwareContext, MemoryBox, token: UInt64)
    case copyFromHost(SoftwareContext, MemoryBox, token: UInt64)
    case graph(SoftwareGraph)
    /// Work on arrays.
    case array(SoftwareContext, ArrayWork)

    /// Host functions run on the client's side, and claims are no work.
    var countsAsBusy: Bool {
        switch self {
        case .hostFunction, .copyToHost, .copyFromHost, .exchange, .handover, .waitValue, .after, .marker: false
        case .array(_, let work): !work.waitsForClient
        default: true
        }
    }

    /// Bytes that the queue keeps for the operation.
    var stagedByteCount: Int {
        switch self {
        case .write(_, _, let bytes): bytes.buffer.count
        case .launch(_, let launch): launch.parameters.count
        case .array(_, let work): work.stagedByteCount
        default: 0
        }
    }

    /// Runs on the thread that has the right to execute.
    func execute(on engine: SoftwareEngine) {
        switch self {
        case .handover: break
        case .commit(let context, let address, let byteCount):
            context.report { () throws(BackendError) in
                try engine.guests.change { () throws(BackendError) in
                    try engine.memory.commit(address: address, byteCount: byteCount)
                }
            }
        case .release(let context, let address):
            context.report { () throws(BackendError) in
                try engine.guests.change { () throws(BackendError) in try engine.memory.release(address: address) }
            }
        case .change(let context, let body):
            context.report { () throws(BackendError) in
                try engine.guests.change { () throws(BackendError) in try engine.memory.perform(body) }
            }
        case .write(let context, let box, let bytes):
            context.perform { () throws(BackendError) in
                try engine.memory.write(UnsafeRawBufferPointer(bytes.buffer), to: box)
            }
        case .copy(let context, let source, let destination):
            context.perform { () throws(BackendError) in try engine.memory.copy(from: source, to: destination) }
        case .fill(let context, let box, let elementByteCount, let value):
            context.perform { () throws(BackendError) in
                try engine.memory.fill(box, elementByteCount: elementByteCount, value: value)
            }
        case .record(_, let event): event.markRecorded()
        case .hostFunction(let context, let token):
            if context.fatalError == nil { engine.host.runHostFunction(token: token) }
        case .exchange(let context, let box, let transfer):
            if let fatal = context.fatalError { try? transfer.end(fatal) }
            context.perform { () throws(BackendError) in try engine.memory.exchange(box, transfer) }
        case .launch(let context, let launch):
            context.perform { () throws(BackendError) in try launch.run(on: engine) }
        case .waitValue(let context, let condition):
            context.perform { () throws(BackendError) in try condition.check(in: engine.memory) }
        case .writeValue(let context, let address, let value, let byteCount):
            context.perform { () throws(BackendError) in
                try engine.memory.store(value, byteCount: byteCount, at: address)
            }
        case .array(let context, let work):
            context.perform { () throws(BackendError) in try work.run(in: engine.memory, for: engine.host) }
        case .after, .marker: break
        case .download(let context, let box, let buffer):
            var isFilled = false
            context.perform { () throws(BackendError) in
                try engine.memory.read(box, into: buffer.bytes)
                isFilled = true
            }
            buffer.finish(isFilled: isFilled)
        case .copyToHost(let context, let box, let token):
            context.perform { () throws(BackendError) in try engine.memory.give(box, token: token, to: engine.host) }
        case .copyFromHost(let context, let box, let token):
            context.perform { () throws(BackendError) in try engine.memory.take(box, token: token, from: engine.host) }
        case .graph(let graph): graph.execute(on: engine)
        }
    }
}

// SAFETY: filled by the lane before it is submitted, read by the engine afterwards, freed with the last reference.
/// Bytes on their way to the device.
final class StagedBytes: @unchecked Sendable {
    let buffer: UnsafeMutableRawBufferPointer

    init(byteCount: Int) {
        buffer = .allocate(byteCount: byteCount, alignment: 64)
    }

    deinit {
        buffer.deallocate()
    }
}

extension DeviceMemory {
    /// Takes part in a transfer between workers. Whatever is wrong here is known before the other end moves a byte.
    func exchange(_ box: MemoryBox, _ transfer: any PeerTransfer) throws(BackendError) {
        do throws(BackendError) {
            try withRows(of: box) { _ in false }
            try transfer.begin()
            try withRows(of: box) { transfer.move($0) }
        } catch {
            try? transfer.end(error)
            throw error
        }
        try transfer.end(nil)
    }
}
