internal import CCUDA
internal import CPosix
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

/// One end of a transfer between devices.
struct PeerEnd {
    var context: UnsafeMutablePointer<ContextState>
    var stream: UInt64
    var address: UInt64
    var pitch: UInt64
    var slicePitch: UInt64

    /// A place in a stream, without memory.
    init(signalOf context: UnsafeMutablePointer<ContextState>, stream: UInt64) {
        self.context = context
        self.stream = stream
        address = 0
        pitch = 0
        slicePitch = 0
    }

    init(_ context: UnsafeMutablePointer<ContextState>, stream: UInt64, address: UInt64, _ plane: CopyPlane) {
        self.context = context
        self.stream = stream
        self.address = address
        pitch = UInt64(truncatingIfNeeded: plane.pitch)
        slicePitch = UInt64(truncatingIfNeeded: plane.slicePitch)
    }
}

/// Copies between devices, and the order of work on different devices.
enum Peers {

    /// Moves a box from one device to another, in the order of both streams: what comes later in either waits for it.
    static func transfer(
        to: PeerEnd, from: PeerEnd, _ box: Box?, _ thread: UnsafeMutablePointer<ThreadState>
    ) -> CUresult {
        CUDADriver.with(to.context, thread) { destination in
            CUDADriver.with(from.context, thread) { source in
                let lanes = PeerLinks.Lanes(
                    source: source.lane, sourceContext: from.context.pointee.id, destination: destination.lane,
                    destinationContext: to.context.pointee.id)
                let workers = (
                    from: Worker(state: from.context.pointee.worker), to: Worker(state: to.context.pointee.worker)
                )
                guard let ticket = PeerLinks.ticket(from: workers.from, to: workers.to, lanes) else {
                    return relay(to: to, destination, from: from, source, box)
                }
                PeerLinks.orderLock.acquire()
                let receiving = destination.lane.send(
                    receive(ticket, to, box, link: PeerLinks.number(of: workers.from)),
                    context: to.context.pointee.id)
                let sending = source.lane.send(
                    send(ticket, from, box, link: PeerLinks.number(of: workers.to)), context: from.context.pointee.id)
                PeerLinks.orderLock.release()
                destination.lane.flushNow()
                source.lane.flushNow()
                guard receiving == ClientStatus.success, sending == ClientStatus.success else {
                    return CUresult(status: receiving == ClientStatus.success ? sending : receiving)
                }
                guard Session.isStrict else { return CUDA_SUCCESS }
                let status = source.confirm(ClientStatus.success)
                return status == CUDA_SUCCESS ? destination.confirm(ClientStatus.success) : status
            }
        }
    }

    private static func receive(_ ticket: PeerTicket, _ end: PeerEnd, _ box: Box?, link: UInt32) -> PeerReceive {
        PeerReceive(
            link: link, ticketHigh: ticket.high, ticketLow: ticket.low, address: end.address, pitch: end.pitch,
            slicePitch: end.slicePitch, width: UInt64(box?.width ?? 0), height: UInt64(box?.height ?? 0),
            depth: UInt64(box?.depth ?? 0), stream: end.stream)
    }

    private static func send(_ ticket: PeerTicket, _ end: PeerEnd, _ box: Box?, link: UInt32) -> PeerSend {
        PeerSend(
            link: link, ticketHigh: ticket.high, ticketLow: ticket.low, address: end.address, pitch: end.pitch,
            slicePitch: end.slicePitch, width: UInt64(box?.width ?? 0), height: UInt64(box?.height ?? 0),
            depth: UInt64(box?.depth ?? 0), stream: end.stream)
    }

    /// Has later work of one stream wait for the work so far of another one, of any device.
    static func order(
        _ later: PeerEnd, after earlier: PeerEnd, _ thread: UnsafeMutablePointer<ThreadState>
    ) -> CUresult {
        guard later.context.pointee.worker != earlier.context.pointee.worker else { return CUDA_SUCCESS }
        return transfer(to: later, from: earlier, nil, thread)
    }

    /// Runs `body` for memory at `address` in the order of the target's stream: on the target, or where the memory is.
    static func run(
        at address: UInt64, stream: UInt64, _ target: CallTarget, _ body: (CallTarget, UInt64) -> CUresult
    ) -> CUresult {
        guard let owner = owner(of: address, target), owner != target.context else { return body(target, stream) }
        if let refused = Captures.refuse(stream, target) { return refused }
        let own = PeerEnd(signalOf: target.context, stream: stream)
        let other = PeerEnd(signalOf: owner, stream: StreamID.legacyDefault)
        let before = order(other, after: own, target.thread)
        guard before == CUDA_SUCCESS else { return before }
        let status = CUDADriver.with(owner, target.thread) { body($0, StreamID.legacyDefault) }
        guard status == CUDA_SUCCESS else { return status }
        return order(own, after: other, target.thread)
    }

    /// The context that works on memory at an address: the target's own on the target's device. Nil for memory that no
    /// device has.
    static func owner(of address: UInt64, _ target: CallTarget) -> UnsafeMutablePointer<ContextState>? {
        guard let device = CUDADriver.device(containing: address) else { return nil }
        return owner(on: device, address, target)
    }

    private static func owner(
        on device: Device, _ address: UInt64, _ target: CallTarget
    ) -> UnsafeMutablePointer<ContextState>? {
        if device.ordinal == target.context.pointee.device { return target.context }
        if let context = device.memory.block(containing: address)?.context, context.pointee.isAlive { return context }
        if let global = CUDADriver.global(containing: address) { return global.context }
        guard let primary = CUDADriver.primaryContext(of: device), primary.pointee.isAlive else { return nil }
        return primary
    }

    /// A copy that concerns another device than the target's; nil for all others.
    static func copy(
        to: CopyPlane, from: CopyPlane, _ box: Box, stream: UInt64, _ target: CallTarget
    ) -> CUresult? {
        switch (to.end, from.end) {
        case (.host, .host): return nil
        case (.device(let address), .host), (.host, .device(let address)):
            guard let owner = owner(of: address, target), owner != target.context else { return nil }
            return run(at: address, stream: stream, target) { other, stream in
                CUDADriver.copy(to: to, from: from, box, stream: stream, other)
            }
        case (.device(let destination), .device(let source)):
            guard let toOwner = owner(of: destination, target), let fromOwner = owner(of: source, target) else {
                return nil
            }
            if toOwner.pointee.worker == fromOwner.pointee.worker {
                guard toOwner != target.context else { return nil }
                return run(at: destination, stream: stream, target) { other, stream in
                    CUDADriver.copy(to: to, from: from, box, stream: stream, other)
                }
            }
            return copyAcross(
                to: PeerEnd(toOwner, stream: StreamID.legacyDefault, address: destination, to),
                from: PeerEnd(fromOwner, stream: StreamID.legacyDefault, address: source, from), box, stream: stream,
                target)
        }
    }

    private static func copyAcross(
        to: PeerEnd, from: PeerEnd, _ box: Box, stream: UInt64, _ target: CallTarget
    ) -> CUresult {
        guard box.byteCount > 0 else { return CUDA_SUCCESS }
        // A graph is one worker's.
        if let refused = Captures.refuse(stream, target) { return refused }
        var to = to
        var from = from
        for end in [to, from] {
            let status = CUDADriver.with(end.context, target.thread) { other in
                CUDADriver.isDeviceRange(end.address, span(end, box), other) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE
            }
            guard status == CUDA_SUCCESS else { return status }
        }
        let own = PeerEnd(signalOf: target.context, stream: stream)
        if to.context == target.context { to.stream = stream }
        if from.context == target.context { from.stream = stream }
        let isThird = to.context != target.context && from.context != target.context
        if isThird {
            let before = order(from, after: own, target.thread)
            guard before == CUDA_SUCCESS else { return before }
        }
        if Mirrors.areNeeded {
            _ = CUDADriver.with(from.context, target.thread) { other in
                Mirrors.sendChanges(other, stream: from.stream)
                return CUDA_SUCCESS
            }
        }
        let status = transfer(to: to, from: from, box, target.thread)
        guard status == CUDA_SUCCESS, isThird else { return status }
        return order(own, after: to, target.thread)
    }

    /// Bytes from the first byte of a box to its last.
    private static func span(_ end: PeerEnd, _ box: Box) -> UInt64 {
        UInt64(box.depth &- 1) &* end.slicePitch &+ UInt64(box.height &- 1) &* end.pitch &+ UInt64(box.width)
    }
}
