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

    func copyToHost(_ box: MemoryBox, token: UInt64) throws(BackendError) {
        let (buffer, byteCount) = try transferBuffer(box)
        guard byteCount > 0 else { return }
        let session = context.session
        do throws(BackendError) {
            try copy(box, out: true, buffer)
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

    func copyFromHost(_ box: MemoryBox, token: UInt64) throws(BackendError) {
        let (buffer, byteCount) = try transferBuffer(box)
        guard byteCount > 0 else { return }
        let session = context.session
        try enqueue(
            HostCall {
                let bytes = session.host.copyFromHost(token: token, byteCount: UInt64(byteCount)) ?? []
                bytes.prefix(byteCount).withUnsafeBytes { buffer.bytes.copyMemory(from: $0) }
            })
        try copy(box, out: false, buffer)
        if captured == nil { try enqueue(HostCall { session.pinnedPool.giveBack(buffer) }) }
    }

    /// A pinned buffer for all bytes of a box; a graph that is being captured keeps it.
    private func transferBuffer(_ box: MemoryBox) throws(BackendError) -> (buffer: PinnedBuffer, byteCount: Int) {
        try check(box)
        guard let byteCount = box.byteCount.flatMap({ Int(exactly: $0) }) else { throw .badRange }
        let pool = context.session.pinnedPool
        let buffer = try context.perform { _ throws(CUDAFailure) in try pool.take(byteCount) }
        captured?.keep(buffer)
        return (buffer, byteCount)
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
