internal import CPosix
internal import Transport
public import WireProtocol

/// The memory of one lane: a frame that is being filled, and what the worker has answered.
public struct LaneState {
    @usableFromInline var lockWord: UInt32
    var index: UInt32
    @usableFromInline var worker: UnsafeMutablePointer<WorkerState>
    var connection: Unmanaged<Connection>
    /// A frame's header and up to `Lane.bodyByteCountMax` bytes of body.
    @usableFromInline var frame: UnsafeMutableRawPointer
    @usableFromInline var bodyByteCount: Int
    @usableFromInline var commandCount: Int
    /// The next command's number.
    @usableFromInline var nextSequence: UInt64
    @usableFromInline var frameSequence: UInt64
    /// The newest command that nobody waited for.
    @usableFromInline var lastAsyncSequence: UInt64
    /// The newest command that was answered; written by the lane's own thread without the lock.
    var answeredSequence: UInt64
    /// The context that the worker's side of the lane is in.
    @usableFromInline var workerContext: UInt64
    @usableFromInline var lastFlushTime: UInt64
    var reply: UnsafeMutableRawPointer
    var replyCapacity: Int
    var messageByteCount: Int
    /// The stream, and its context, of which all work was done when the command before this number was answered.
    var idleStream: UInt64 = 0
    var idleContext: UInt64 = 0
    var idleSequence: UInt64 = 0
    var nextOfAll: UnsafeMutablePointer<LaneState>?
    var nextIdle: UnsafeMutablePointer<LaneState>?
}

/// One ordered connection of one thread to a worker.
///
/// Only the thread that owns it sends and waits; another thread, and the flusher, may lock it to send what it buffers.
///
/// When is a frame sent? At once when the lane's last write is more than 20 µs ago: the worker is then probably idle.
/// Else the command waits for company until the frame has 128 commands or 32 KiB, the thread waits for an answer,
/// another lane takes the turn, or the flusher thread comes by, which looks every 50 µs while lanes are busy.
public struct Lane {
    @usableFromInline let state: UnsafeMutablePointer<LaneState>

    @usableFromInline static let bodyByteCountMax = 128 << 10
    @usableFromInline static let flushByteCount = 32 << 10
    @usableFromInline static let flushCommandCount = 128
    @usableFromInline static let quietNanoseconds: UInt64 = 20_000

    @usableFromInline init(state: UnsafeMutablePointer<LaneState>) { self.state = state }

    static func make(index: UInt32, worker: Worker, connection: Connection) -> Lane {
        let state = UnsafeMutablePointer<LaneState>.allocate(capacity: 1)
        let frame = UnsafeMutableRawPointer.allocate(
            byteCount: FrameHeader.byteCount &+ bodyByteCountMax, alignment: 64)
        let replyCapacity = 64 << 10
        state.initialize(
            to: LaneState(
                lockWord: 0, index: index, worker: worker.state, connection: Unmanaged.passRetained(connection),
                frame: frame, bodyByteCount: 0, commandCount: 0, nextSequence: 1, frameSequence: 1,
                lastAsyncSequence: 0, answeredSequence: 0, workerContext: 0, lastFlushTime: 0,
                reply: UnsafeMutableRawPointer.allocate(byteCount: replyCapacity, alignment: 16),
                replyCapacity: replyCapacity, messageByteCount: 0, nextOfAll: nil, nextIdle: nil))
        return Lane(state: state)
    }

    /// Sends what is buffered and keeps the lane for another thread: its own has ended.
    func retire() {
        posix_lock_acquire(&state.pointee.lockWord)
        flush()
        posix_lock_release(&state.pointee.lockWord)
        Worker(state: state.pointee.worker).keepIdle(self)
    }

    /// Sends what is buffered now, for another worker that waits for it.
    public func flushNow() {
        posix_lock_acquire(&state.pointee.lockWord)
        flush()
        posix_lock_release(&state.pointee.lockWord)
    }

    /// Ends the connection. A thread that waits on it gets an error.
    func close() { state.pointee.connection._withUnsafeGuaranteedRef { $0.close() } }

    // MARK: - Sending

    /// Sends a command without waiting. The status says only whether the worker is there.
    @inlinable
    public func send<Command: AsyncCommand>(_ command: Command, context: UInt64) -> Int32 {
        let sequence = begin(context: context)
        let isEncoded = append(command, flags: 0)
        if isEncoded { state.pointee.lastAsyncSequence = sequence }
        finishSending()
        return isEncoded ? ClientStatus.success : ClientStatus.invalidValue
    }

    /// Sends a command and bytes that follow it, without waiting for an answer.
    public func send<Command: AsyncCommand>(
        _ command: Command, bulk: UnsafeRawBufferPointer, context: UInt64
    ) -> Int32 {
        let sequence = begin(context: context)
        let isEncoded = append(command, flags: CommandHeader.bulkFlag)
        if isEncoded {
            state.pointee.lastAsyncSequence = sequence
            flush(bulk: bulk)
        }
        posix_lock_release(&state.pointee.lockWord)
        guard isEncoded else { return ClientStatus.invalidValue }
        return Worker(state: state.pointee.worker).isLost ? ClientStatus.deviceUnavailable : ClientStatus.success
    }

    /// Takes the lock and the turn, and tells the worker the context if it must change. The next command's number.
    @usableFromInline
    func begin(context: UInt64) -> UInt64 {
        if CallCounts.isOn { CallCounts.noteCommand() }
        posix_lock_acquire(&state.pointee.lockWord)
        let own = UInt64(UInt(bitPattern: state))
        while posix_atomic_load_relaxed_64(&state.pointee.worker.pointee.lastLane) != own { takeTurn(own) }
        if state.pointee.workerContext != context {
            state.pointee.workerContext = context
            appendUncounted(ContextSetCurrent(context: context))
        }
        return state.pointee.nextSequence
    }

    /// Becomes the lane that encoded last: what the one before sent is waited for at the worker.
    ///
    /// The wait is encoded before anybody can take the turn from here: a third lane waits only for this one, and
    /// through it for the lane before. Two lanes are locked together only under `orderLock`, so in any order.
    @inline(never)
    private func takeTurn(_ own: UInt64) {
        posix_lock_release(&state.pointee.lockWord)
        let worker = state.pointee.worker
        posix_lock_acquire(&worker.pointee.orderLock)
        defer { posix_lock_release(&worker.pointee.orderLock) }
        let previous = UnsafeMutablePointer<LaneState>(bitPattern: UInt(worker.pointee.lastLane))
        guard let previous, previous != state else {
            posix_lock_acquire(&state.pointee.lockWord)
            posix_atomic_store_release_64(&worker.pointee.lastLane, own)
            return
        }
        posix_lock_acquire(&previous.pointee.lockWord)
        Lane(state: previous).flush()
        posix_lock_acquire(&state.pointee.lockWord)
        let newest = previous.pointee.lastAsyncSequence
        if newest > posix_atomic_load_acquire_64(&previous.pointee.answeredSequence) {
            appendUncounted(LaneWait(lane: previous.pointee.index, sequence: newest))
        }
        // Under the lock of the lane that loses the turn: whatever it encodes later happens after this.
        posix_atomic_store_release_64(&worker.pointee.lastLane, own)
        posix_lock_release(&previous.pointee.lockWord)
    }

    private func appendUncounted<Command: AsyncCommand>(_ command: Command) {
        let sequence = state.pointee.nextSequence
        if append(command, flags: 0) { state.pointee.lastAsyncSequence = sequence }
    }

    /// Encodes a command at the end of the frame. False when it is larger than a frame.
    @inlinable
    func append<Command: WireCommand>(_ command: Command, flags: UInt16) -> Bool {
        let payloadByteCount = command.encodedByteCount
        guard payloadByteCount < Lane.bodyByteCountMax &- 64 else { return false }
        let needed = CommandHeader.byteCount &+ (payloadByteCount &+ 7) & ~7
        if needed > Lane.bodyByteCountMax &- state.pointee.bodyByteCount { flush() }
        if state.pointee.commandCount == 0 { state.pointee.frameSequence = state.pointee.nextSequence }
        let start = state.pointee.frame + (FrameHeader.byteCount &+ state.pointee.bodyByteCount)
        var writer = WireWriter(into: UnsafeMutableRawBufferPointer(start: start, count: needed))
        CommandHeader(id: Command.id, flags: flags, payloadByteCount: UInt32(truncatingIfNeeded: payloadByteCount))
            .encode(into: &writer)
        command.encode(into: &writer)
        writer.pad(to: 8)
        state.pointee.bodyByteCount &+= needed
        state.pointee.commandCount &+= 1
        state.pointee.nextSequence &+= 1
        return true
    }

    /// Decides whether the frame leaves now, and gives the lock back.
    @usableFromInline
    func finishSending() {
        if state.pointee.bodyByteCount >= Lane.flushByteCount
            || state.pointee.commandCount >= Lane.flushCommandCount
            || posix_monotonic_nanoseconds() &- state.pointee.lastFlushTime > Lane.quietNanoseconds
        {
            flush()
            posix_lock_release(&state.pointee.lockWord)
        } else {
            posix_lock_release(&state.pointee.lockWord)
            Flusher.wakeIfAsleep()
        }
    }

    /// Sends the frame; the caller holds the lock.
    @usableFromInline
    func flush() { flush(bulk: UnsafeRawBufferPointer(start: nil, count: 0)) }

    func flush(bulk: UnsafeRawBufferPointer) {
        guard state.pointee.commandCount > 0 else { return }
        var writer = WireWriter(
            into: UnsafeMutableRawBufferPointer(start: state.pointee.frame, count: FrameHeader.byteCount))
        FrameHeader(
            bodyByteCount: UInt32(truncatingIfNeeded: state.pointee.bodyByteCount), kind: .commands,
            count: UInt16(truncatingIfNeeded: state.pointee.commandCount), sequence: state.pointee.frameSequence
        ).encode(into: &writer)
        let frame = UnsafeRawBufferPointer(
            start: state.pointee.frame, count: FrameHeader.byteCount &+ state.pointee.bodyByteCount)
        state.pointee.bodyByteCount = 0
        state.pointee.commandCount = 0
        let worker = Worker(state: state.pointee.worker)
        guard !worker.isLost else { return }
        let failure = state.pointee.connection._withUnsafeGuaranteedRef { connection -> TransportError? in
            do throws(TransportError) {
                try connection.write(frame, bulk)
                return nil
            } catch {
                return error
            }
        }
        if let failure { worker.markLost(failure.reason) }
        state.pointee.lastFlushTime = posix_monotonic_nanoseconds()
    }

    /// Sends the frame if it waits since the time `before`, unless the lane is busy. Whether the lane was active
    /// lately.
    func flushIfStale(before: UInt64, activeSince: UInt64) -> Bool {
        guard posix_lock_try_acquire(&state.pointee.lockWord) else { return true }
        defer { posix_lock_release(&state.pointee.lockWord) }
        if state.pointee.commandCount > 0 {
            if state.pointee.lastFlushTime < before { flush() }
            return true
        }
        return state.pointee.lastFlushTime > activeSince
    }
}
