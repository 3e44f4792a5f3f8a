import CCUDA
import CUDABinding
import GPUBackend
import Synchronization

/// What the driver calls back for: a host function, or one end of a transfer in stream order.
final class HostCall: Sendable {
    private let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) {
        self.body = body
    }

    func run() { body() }
}

/// What a graph that is being captured needs for as long as it exists.
final class CapturedResources: Sendable {
    private let calls = Mutex<[HostCall]>([])
    private let buffers = Mutex<[PinnedBuffer]>([])
    /// What the driver calls the conditional values that the client put at these addresses.
    private let handles = Mutex<[UInt64: CUgraphConditionalHandle]>([:])

    /// Notes the driver's handle of a conditional value.
    func note(_ handle: CUgraphConditionalHandle, of address: UInt64) { handles.withLock { $0[address] = handle } }

    /// The driver's handle of a conditional value.
    func handle(of address: UInt64) -> CUgraphConditionalHandle? { handles.withLock { $0[address] } }

    /// Whether the graph has conditional values.
    var hasConditionals: Bool { handles.withLock { !$0.isEmpty } }

    /// Puts the driver's handles in the place of the client's in a kernel's parameters. Both have eight bytes, and lie
    /// at a multiple of that, on their own or as a member of a structure. Nothing else has the value by accident: it is
    /// an address that the client took for the conditional alone.
    func translate(_ parameters: UnsafeMutableRawBufferPointer) {
        handles.withLock { handles in
            for offset in stride(from: 0, through: parameters.count - 8, by: 8) {
                let word = parameters.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                if let handle = handles[word] {
                    parameters.storeBytes(of: handle, toByteOffset: offset, as: CUgraphConditionalHandle.self)
                }
            }
        }
    }

    func keep(_ call: HostCall) { calls.withLock { $0.append(call) } }
    func keep(_ buffer: PinnedBuffer) { buffers.withLock { $0.append(buffer) } }

    /// Takes the buffers out, when the graph is gone.
    func takeBuffers() -> [PinnedBuffer] {
        buffers.withLock { buffers in
            defer { buffers = [] }
            return buffers
        }
    }
}

extension CUDAStream {
    func hostFunction(token: UInt64) throws(BackendError) {
        let host = context.session.host
        try enqueue(HostCall { host.runHostFunction(token: token) })
    }

    /// Has the driver call back in stream order: once, or at each run of the graph that is being captured.
    private func enqueue(_ call: HostCall) throws(BackendError) {
        if let captured {
            captured.keep(call)
            try submit { driver throws(CUDAFailure) in
                try driver.cuLaunchHostFunc(
                    handle, { raw in raw.map { Unmanaged<HostCall>.fromOpaque($0).takeUnretainedValue().run() } },
                    Unmanaged.passUnretained(call).toOpaque())
            }
            return
        }
        let retained = Unmanaged.passRetained(call)
        do throws(BackendError) {
            try submit { driver throws(CUDAFailure) in
                try driver.cuLaunchHostFunc(
                    handle, { raw in raw.map { Unmanaged<HostCall>.fromOpaque($0).takeRetainedValue().run() } },
                    retained.toOpaque())
            }
        } catch {
            retained.release()
            throw error
        }
    }

    /// Copies without a wait: the bytes go to pinned memory, and from there to the buffer when somebody asks for them.
    func download(_ box: MemoryBox, into buffer: DownloadBuffer) throws(BackendError) {
        guard box.byteCount == UInt64(buffer.bytes.count) else { throw .badRange }
        guard let pinned = try transferBuffer(try byteCount(of: box)) else { return buffer.finish(isFilled: true) }
        do throws(BackendError) {
            try copy(box, out: true, pinned)
            guard let event = context.record(on: self) else { throw BackendError(BackendStatus.unknown) }
            let pending = PendingDownload(CUDAPoint(context: context, event: event), pinned)
            buffer.watch { pending.look(for: $0) }
        } catch {
            try? waitForWork()
            context.session.pinnedPool.giveBack(pinned)
            throw error
        }
    }

    func copyToHost(_ box: MemoryBox, token: UInt64) throws(BackendError) {
        try sendToHost(try byteCount(of: box), token: token) { buffer throws(BackendError) in
            try copy(box, out: true, buffer)
        }
    }

    func copyFromHost(_ box: MemoryBox, token: UInt64) throws(BackendError) {
        try receiveFromHost(try byteCount(of: box), token: token) { buffer throws(BackendError) in
            try copy(box, out: false, buffer)
        }
    }

    /// Hands the client, in stream order, the bytes that `copy` has the driver put into a pinned buffer.
    func sendToHost(
        _ byteCount: Int, token: UInt64, _ copy: (PinnedBuffer) throws(BackendError) -> Void
    ) throws(BackendError) {
        guard let buffer = try transferBuffer(byteCount) else { return }
        let session = context.session
        do throws(BackendError) {
            try copy(buffer)
            let pool = captured == nil ? session.pinnedPool : nil
            try enqueue(
                HostCall {
                    session.host.copyToHost(token: token, byteCount: UInt64(byteCount)) { send in
                        _ = send(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer.bytes)[..<byteCount]))
                    }
                    pool?.giveBack(buffer)
                })
        } catch {
            try? waitForWork()
            session.pinnedPool.giveBack(buffer)
            throw error
        }
    }

    /// Has the client fill a pinned buffer, in stream order, from which `copy` has the driver take the bytes.
    func receiveFromHost(
        _ byteCount: Int, token: UInt64, _ copy: (PinnedBuffer) throws(BackendError) -> Void
    ) throws(BackendError) {
        guard let buffer = try transferBuffer(byteCount) else { return }
        let session = context.session
        try enqueue(
            HostCall {
                let bytes = session.host.copyFromHost(token: token, byteCount: UInt64(byteCount)) ?? []
                bytes.prefix(byteCount).withUnsafeBytes { buffer.bytes.copyMemory(from: $0) }
            })
        try copy(buffer)
        if captured == nil { try enqueue(HostCall { session.pinnedPool.giveBack(buffer) }) }
    }

    private func byteCount(of box: MemoryBox) throws(BackendError) -> Int {
        try check(box)
        guard let byteCount = box.byteCount.flatMap({ Int(exactly: $0) }) else { throw .badRange }
        return byteCount
    }

    /// A pinned buffer, or nil for no bytes; a graph that is being captured keeps it.
    private func transferBuffer(_ byteCount: Int) throws(BackendError) -> PinnedBuffer? {
        guard byteCount > 0 else { return nil }
        let pool = context.session.pinnedPool
        let buffer = try context.perform { _ throws(CUDAFailure) in try pool.take(byteCount) }
        captured?.keep(buffer)
        return buffer
    }

    /// Copies between a box and a pinned buffer.
    private func copy(_ box: MemoryBox, out: Bool, _ buffer: PinnedBuffer) throws(BackendError) {
        var offset = 0
        try box.forEachGroup(1 << 30) { group throws(BackendError) in
            let bytes = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[offset..<(offset + group.byteCount)])
            try submit { driver throws(CUDAFailure) in
                if out {
                    try driver.copyFromDevice(group, to: bytes, on: handle)
                } else {
                    try driver.copyToDevice(group, from: bytes, on: handle)
                }
            }
            offset += group.byteCount
            return true
        }
    }
}

// SAFETY: `pinned` is only looked at by those who look for the buffer, one after the other.
/// A copy that the driver makes into pinned memory, from where its bytes go on once it is over.
final class PendingDownload: @unchecked Sendable {
    private let point: CUDAPoint
    private var pinned: PinnedBuffer?

    init(_ point: CUDAPoint, _ pinned: PinnedBuffer) {
        self.point = point
        self.pinned = pinned
    }

    deinit {
        guard let pinned else { return }
        // Nobody wants the bytes any more, but the driver may still write them.
        let resources = CapturedResources()
        resources.keep(pinned)
        point.context.giveBack(point.event)
        point.context.session.retire(resources)
    }

    /// Takes the bytes if they are there; nil when they are not yet, false when they never will be.
    func look(for buffer: DownloadBuffer) -> Bool? {
        guard let pinned else { return false }
        let status = point.status
        guard status != CUDA_ERROR_NOT_READY else { return nil }
        if status == CUDA_SUCCESS {
            buffer.bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: pinned.bytes[..<buffer.bytes.count]))
        }
        self.pinned = nil
        point.context.giveBack(point.event)
        point.context.session.pinnedPool.giveBack(pinned)
        return status == CUDA_SUCCESS
    }
}
