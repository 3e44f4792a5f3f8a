import GPUBackend
import SIMT
import Synchronization

/// A stream of the software GPU: the engine keeps the order of all of them, so a stream only knows its newest work.
final class SoftwareStream: BackendStream {
    let context: SoftwareContext
    /// Whether this is the context's default stream, and whether it is in order with that one.
    let isDefault: Bool
    let isOrderedWithDefault: Bool
    private let lastSequence = Atomic<UInt64>(0)

    /// Transfers up to this size are kept while the engine works; longer ones wait for it.
    private static let stagingLimit: UInt64 = 8 << 20

    /// What was submitted, for a stream that only records.
    private let recording: Recording?

    private final class Recording: Sendable {
        let operations = Mutex<[Operation]>([])
        let awaited = Mutex<[SoftwareEvent]>([])
    }

    init(
        context: SoftwareContext, isDefault: Bool = false, isOrderedWithDefault: Bool = true, isRecording: Bool = false
    ) {
        self.context = context
        self.isDefault = isDefault
        self.isOrderedWithDefault = isOrderedWithDefault
        recording = isRecording ? Recording() : nil
    }

    /// Takes what was recorded since the last time.
    func takeRecording() -> [Operation] {
        guard let recording else { return [] }
        return recording.operations.withLock { operations in
            defer { operations = [] }
            return operations
        }
    }

    /// The events that what was recorded waits for.
    var awaitedEvents: [SoftwareEvent] { recording?.awaited.withLock { $0 } ?? [] }

    /// The newest work's sequence.
    var sequence: UInt64 { lastSequence.load(ordering: .acquiring) }

    func note(_ sequence: UInt64) {
        lastSequence.store(sequence, ordering: .releasing)
        context.note(sequence)
    }

    /// Appends work, or does it at once when that is quick and nothing else waits.
    func submit(_ operation: Operation, isQuick: Bool) throws(BackendError) {
        try context.throwIfFatal()
        if let recording {
            recording.operations.withLock { $0.append(operation) }
            return
        }
        let engine = context.engine
        note(isQuick ? try engine.runOrSubmit(operation, on: self) : try engine.submit(operation, on: self))
    }

    func copyToDevice(_ box: MemoryBox, receive: (UnsafeMutableRawBufferPointer) -> Bool) throws(BackendError) {
        try context.throwIfFatal()
        guard let byteCount = box.byteCount, box.spanByteCount != nil else { throw .badRange }
        guard byteCount > 0 else { return }
        let engine = context.engine
        let isStageable = byteCount <= Self.stagingLimit
        if let sequence = try engine.claim(on: self, waits: !isStageable) {
            defer { engine.finishClaim() }
            note(sequence)
            try context.performNow { () throws(BackendError) in try engine.memory.withRows(of: box, receive) }
            return
        }
        let bytes = StagedBytes(byteCount: Int(byteCount))
        guard receive(bytes.buffer) else { return }
        note(try engine.submit(.write(context, box, bytes), on: self))
    }

    func copyFromDevice(_ box: MemoryBox, send: (UnsafeRawBufferPointer) -> Bool) throws(BackendError) {
        guard box.byteCount != nil, box.spanByteCount != nil else { throw .badRange }
        try context.throwIfFatal()
        let engine = context.engine
        guard let sequence = try engine.claim(on: self, waits: true) else { throw .cancelled }
        defer { engine.finishClaim() }
        note(sequence)
        try context.throwIfFatal()
        try context.performNow { () throws(BackendError) in
            try engine.memory.withRows(of: box) { send(UnsafeRawBufferPointer($0)) }
        }
    }

    func peek(_ box: MemoryBox, send: (UnsafeRawBufferPointer) -> Bool) throws(BackendError) {
        guard box.byteCount != nil, box.spanByteCount != nil else { throw .badRange }
        let engine = context.engine
        try engine.guests.read { () throws(BackendError) in
            try engine.memory.withRows(of: box) { send(UnsafeRawBufferPointer($0)) }
        }
    }

    func download(_ box: MemoryBox, into buffer: DownloadBuffer) throws(BackendError) {
        guard box.byteCount == UInt64(buffer.bytes.count), box.spanByteCount != nil else { throw .badRange }
        try submit(.download(context, box, buffer), isQuick: buffer.bytes.count <= 64 << 10)
    }

    func copy(from source: MemoryBox, to destination: MemoryBox) throws(BackendError) {
        let isSameShape =
            source.width == destination.width && source.height == destination.height
            && source.depth == destination.depth
        guard isSameShape, source.spanByteCount != nil, destination.spanByteCount != nil else { throw .badRange }
        let isQuick = (source.byteCount ?? .max) <= 64 << 10
        try submit(
            .copy(context, from: source.coalescedWith(destination), to: destination.coalescedWith(source)),
            isQuick: isQuick)
    }

    func fill(_ box: MemoryBox, elementByteCount: Int, value: UInt32) throws(BackendError) {
        let isElement = elementByteCount == 1 || elementByteCount == 2 || elementByteCount == 4
        guard isElement, box.spanByteCount != nil, let byteCount = box.byteCount else { throw .badRange }
        let mask = UInt64(elementByteCount - 1)
        guard box.address & mask == 0, box.height < 2 || box.pitch & mask == 0 else {
            throw BackendError(BackendStatus.invalidValue, "the range is not aligned to its element")
        }
        try submit(
            .fill(context, box, elementByteCount: elementByteCount, value: value), isQuick: byteCount <= 64 << 10)
    }

    func launch(_ function: any BackendFunction, _ shape: LaunchShape, parameters: UnsafeRawBufferPointer)
        throws(BackendError)
    {
        guard let function = function as? SoftwareFunction else { throw BackendError(BackendStatus.invalidHandle) }
        try function.check(shape, parameterByteCount: parameters.count)
        let bytes = [UInt8](parameters.prefix(function.kernel.parameterByteCount))
        try submit(
            .launch(
                context,
                SoftwareLaunch(
                    function.kernel, shape, parameters: bytes, textures: context.session.textures.snapshot)),
            isQuick: false)
    }

    func wait(for event: any BackendEvent) throws(BackendError) {
        guard let event = event as? SoftwareEvent else { throw BackendError(BackendStatus.invalidHandle) }
        try context.throwIfFatal()
        if let recording { return recording.awaited.withLock { $0.append(event) } }
        // An event of another process: the lane waits, as the engines know nothing of each other.
        if event.waitElsewhere(than: context.engine) { return }
        // The engine executes in submission order: what the event recorded comes before all later work anyway, unless
        // some stream waits for a value.
        guard context.engine.hasWaits else { return }
        try submit(.after(context, sequence: event.recordedSequence), isQuick: false)
    }

    func hostFunction(token: UInt64) throws(BackendError) {
        try submit(.hostFunction(context, token: token), isQuick: false)
    }

    func exchange(_ box: MemoryBox, _ transfer: any PeerTransfer) throws(BackendError) {
        guard box.byteCount != nil, box.spanByteCount != nil else { throw .badRange }
        // Also in a lost context: the other end must hear of it, in the order of the stream.
        note(try context.engine.submit(.exchange(context, box, transfer), on: self))
    }

    func synchronize() throws(BackendError) {
        try context.engine.waitForWaits(of: self)
        try context.wait(for: sequence)
    }

    func isIdle() throws(BackendError) -> Bool {
        try context.throwIfFatal()
        return context.engine.isDone(sequence)
    }

    func destroy() {}
}

extension MemoryBox {
    /// The box as one row if it and the other one are both dense.
    fileprivate func coalescedWith(_ other: MemoryBox) -> MemoryBox {
        let own = coalesced
        let others = other.coalesced
        return own.height == others.height && own.depth == others.depth && own.width == others.width ? own : self
    }
}

/// An event of the software GPU.
final class SoftwareEvent: BackendEvent {
    private struct State {
        /// The newest record's sequence; 0 before the first.
        var sequence: UInt64 = 0
        /// Where the newest record is, if another client process made it.
        var engine: SoftwareEngine?
        /// When the newest executed record was reached, in nanoseconds.
        var time: UInt64 = 0
    }

    private let context: SoftwareContext
    private let hasTime: Bool
    private let state = Mutex(State())

    init(context: SoftwareContext, hasTime: Bool) {
        self.context = context
        self.hasTime = hasTime
    }

    func record(on stream: any BackendStream) throws(BackendError) {
        guard let stream = stream as? SoftwareStream else { throw BackendError(BackendStatus.invalidHandle) }
        try stream.submit(.record(stream.context, self), isQuick: true)
        let engine = stream.context.engine
        state.withLock { state in
            let isSame = (state.engine ?? context.engine) === engine
            state.sequence = isSame ? max(state.sequence, stream.sequence) : stream.sequence
            state.engine = engine === context.engine ? nil : engine
        }
    }

    var isShareable: Bool { true }

    /// Waits for the newest record if it is another engine's than this one; false if it is not.
    func waitElsewhere(than engine: SoftwareEngine) -> Bool {
        let (own, sequence) = state.withLock { ($0.engine ?? context.engine, $0.sequence) }
        guard own !== engine else { return false }
        // Work of a client that has ended will not come any more.
        try? own.wait(for: sequence)
        return true
    }

    /// The newest record's sequence; 0 before the first.
    var recordedSequence: UInt64 { state.withLock { $0.sequence } }

    /// A graph that records the event was submitted.
    func noteRecord(_ sequence: UInt64) { state.withLock { $0.sequence = max($0.sequence, sequence) } }

    /// The engine reached the record.
    func markRecorded() { state.withLock { $0.time = MonotonicClock.nanoseconds } }

    func isComplete() throws(BackendError) -> Bool {
        let (other, sequence) = state.withLock { ($0.engine, $0.sequence) }
        if let other { return other.isDone(sequence) }
        try context.throwIfFatal()
        return context.engine.isDone(sequence)
    }

    func synchronize() throws(BackendError) {
        let (other, sequence) = state.withLock { ($0.engine, $0.sequence) }
        if let other {
            try? other.wait(for: sequence)
        } else {
            try context.wait(for: sequence)
        }
    }

    func milliseconds(until end: any BackendEvent) throws(BackendError) -> Float {
        guard let end = end as? SoftwareEvent, hasTime, end.hasTime else {
            throw BackendError(BackendStatus.invalidHandle)
        }
        let first = state.withLock { $0 }
        let last = end.state.withLock { $0 }
        guard first.sequence > 0, last.sequence > 0 else { throw BackendError(BackendStatus.invalidHandle) }
        guard try isComplete(), try end.isComplete() else { throw BackendError(BackendStatus.notReady) }
        let nanoseconds = Double(end.state.withLock { $0.time }) - Double(state.withLock { $0.time })
        return Float(nanoseconds / 1_000_000)
    }
}
