internal import CCUDA
internal import CPosix
internal import ClientRuntime
internal import Primitives

/// What a worker may ask of this process again and again, for a node of an executable graph.
final class HostCall {
    enum Kind {
        case function(HostWork)
        /// A copy in which the host's memory takes part.
        case copy(CopyWork)
        /// The end of an executable graph, once its launches are done.
        case end(GraphExecutable)
    }

    let kind: Kind
    let context: UnsafeMutablePointer<ContextState>
    fileprivate(set) var token: UInt64 = 0

    init(_ kind: Kind, context: UnsafeMutablePointer<ContextState>) {
        self.kind = kind
        self.context = context
    }

    /// Runs on the client's thread for events.
    func run() {
        switch kind {
        case .function(let work):
            work.function?(work.userData)
        case .copy(let work):
            guard let (destination, to) = work.destination.hostPlane, let (source, from) = work.source.hostPlane else {
                return
            }
            work.box.copyRows(
                to: to, destination.pitch, destination.slicePitch, from: from, source.pitch, source.slicePitch)
        case .end(let executable):
            HostCalls.remove(self)
            // To free memory may take a lock whose holder waits for the stream that waits for this thread.
            Destructors.add(
                Destructors.Call(
                    function: { raw in
                        guard let raw else { return }
                        Unmanaged<GraphExecutable>.fromOpaque(raw).takeRetainedValue().release()
                    }, argument: Unmanaged.passRetained(executable).toOpaque()))
        }
    }

    /// Fills the copy's host memory, row by row, while `receive` answers true.
    func receive(_ byteCount: UInt64, _ receive: (UnsafeMutableRawBufferPointer) -> Bool) {
        guard case .copy(let work) = kind, UInt64(work.box.byteCount) == byteCount,
            let (plane, start) = work.destination.hostPlane
        else { return }
        _ = work.box.rows(of: plane, start) { receive($0) }
    }

    /// Hands the copy's host memory out, row by row, while `send` answers true.
    func send(_ byteCount: UInt64, _ send: (UnsafeRawBufferPointer) -> Bool) {
        guard case .copy(let work) = kind, UInt64(work.box.byteCount) == byteCount,
            let (plane, start) = work.source.hostPlane
        else { return }
        _ = work.box.rows(of: plane, start) { send(UnsafeRawBufferPointer($0)) }
    }
}

extension Box {
    /// Visits the box's rows, or all bytes at once where they are dense, while `body` answers true.
    func rows(
        of plane: CopyPlane, _ start: UnsafeMutableRawPointer, _ body: (UnsafeMutableRawBufferPointer) -> Bool
    ) -> Bool {
        if isDense(plane) { return body(UnsafeMutableRawBufferPointer(start: start, count: byteCount)) }
        for slice in 0..<depth {
            for row in 0..<height {
                let place = start + (slice &* plane.slicePitch &+ row &* plane.pitch)
                guard body(UnsafeMutableRawBufferPointer(start: place, count: width)) else { return false }
            }
        }
        return true
    }
}

/// The host calls of all executable graphs, by token.
enum HostCalls {
    /// Set in every token of a call that may come again.
    static let flag: UInt64 = 1 << 63

    // SAFETY: only touched under `lock`.
    nonisolated(unsafe) private static var calls: [HostCall?] = []
    nonisolated(unsafe) private static var free: [Int] = []
    nonisolated(unsafe) private static var serial: UInt64 = 0
    private static let lock = Lock()

    /// Gives a call its token.
    static func add(_ call: HostCall) {
        lock.acquire()
        defer { lock.release() }
        serial = (serial &+ 1) & 0x3FFF_FFFF
        let index = free.popLast() ?? calls.count
        if index == calls.count { calls.append(nil) }
        call.token = flag | serial << 32 | UInt64(index)
        calls[index] = call
    }

    static func remove(_ call: HostCall) {
        lock.acquire()
        defer { lock.release() }
        let index = Int(call.token & 0xFFFF_FFFF)
        guard index < calls.count, calls[index] === call else { return }
        calls[index] = nil
        free.append(index)
    }

    /// The call with a token, or nil.
    static func find(_ token: UInt64) -> HostCall? {
        lock.acquire()
        defer { lock.release() }
        let index = Int(token & 0xFFFF_FFFF)
        guard index < calls.count, let call = calls[index], call.token == token else { return nil }
        return call
    }
}
