internal import CPosix
internal import Transport
public import WireProtocol

/// The bulk bytes of an answer, while they are read.
public struct BulkBytes: ~Copyable {
    private let lane: Lane
    /// Bytes that were not read yet.
    public private(set) var remainingByteCount: UInt64
    /// Why the connection ended, if it did.
    fileprivate var failure: TransportError?

    fileprivate init(lane: Lane, byteCount: UInt64) {
        self.lane = lane
        remainingByteCount = byteCount
    }

    /// Reads the next bytes; false when there are not so many, or when the connection ended.
    public mutating func read(into start: UnsafeMutableRawPointer, _ byteCount: Int) -> Bool {
        guard failure == nil, byteCount >= 0, UInt64(byteCount) <= remainingByteCount else { return false }
        guard byteCount > 0 else { return true }
        do throws(TransportError) {
            try lane.read(UnsafeMutableRawBufferPointer(start: start, count: byteCount))
        } catch {
            failure = error
            return false
        }
        remainingByteCount &-= UInt64(byteCount)
        return true
    }

    /// Reads and drops what is left.
    fileprivate mutating func skip() {
        withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 16) { buffer in
            guard let start = buffer.baseAddress else { return }
            while remainingByteCount > 0 {
                guard read(into: start, Int(min(remainingByteCount, 4096))) else { return }
            }
        }
    }
}

extension Lane {
    /// Asks for downloads and hands their bytes to `take` as they come. `isOrdered` false: the command keeps no order
    /// with other lanes, so that it can't wait for one that waits itself.
    public func collect(
        _ command: DownloadCollect, context: UInt64, isOrdered: Bool, _ take: (inout BulkBytes) -> Void
    ) -> Int32 {
        let start = CallCounts.isOn ? posix_monotonic_nanoseconds() : 0
        defer { if start != 0 { CallCounts.noteWait(since: start) } }
        let sequence = isOrdered ? begin(context: context) : beginUnordered(context: nil)
        let isEncoded = append(command, flags: CommandHeader.replyFlag)
        if isEncoded { flush() }
        posix_lock_release(&state.pointee.lockWord)
        guard isEncoded else { return ClientStatus.invalidValue }
        let worker = Worker(state: state.pointee.worker)
        guard !worker.isLost else { return ClientStatus.deviceUnavailable }
        if Session.extraRoundTripNanoseconds > 0 { posix_sleep_nanoseconds(Session.extraRoundTripNanoseconds) }
        do throws(TransportError) {
            let header = try receiveReply(sequence)
            posix_atomic_store_release_64(&state.pointee.answeredSequence, sequence)
            _ = try deliver(header)
            var bulk = BulkBytes(lane: self, byteCount: header.bulkByteCount)
            if header.status == ClientStatus.success { take(&bulk) }
            bulk.skip()
            if let failure = bulk.failure { throw failure }
            return header.status == ClientStatus.success ? header.deferredStatus : header.status
        } catch {
            worker.markLost(error.reason)
            return ClientStatus.deviceUnavailable
        }
    }

    /// Takes the lock without the turn. With a context, the lane must be no thread's that sends ordered commands.
    func beginUnordered(context: UInt64?) -> UInt64 {
        posix_lock_acquire(&state.pointee.lockWord)
        if let context, state.pointee.workerContext != context {
            state.pointee.workerContext = context
            _ = append(ContextSetCurrent(context: context), flags: 0)
        }
        return state.pointee.nextSequence
    }

    /// Whether its worker is gone.
    public var isLost: Bool { Worker(state: state.pointee.worker).isLost }

    /// Whether it is a lane to this worker.
    public func isTo(_ worker: UnsafeMutablePointer<WorkerState>) -> Bool { state.pointee.worker == worker }

    // MARK: - Streams that are known to be idle

    /// Notes that a stream's work was done when the last command was answered.
    public func noteIdle(stream: UInt64, context: UInt64) {
        state.pointee.idleStream = stream
        state.pointee.idleContext = context
        state.pointee.idleSequence = state.pointee.nextSequence
    }

    /// Whether a stream's work is done for sure: nobody has sent anything since ``noteIdle(stream:context:)``.
    public func isIdle(stream: UInt64, context: UInt64) -> Bool {
        let own = UInt64(UInt(bitPattern: state))
        return state.pointee.idleSequence == state.pointee.nextSequence && state.pointee.idleStream == stream
            && state.pointee.idleContext == context
            && posix_atomic_load_relaxed_64(&state.pointee.worker.pointee.lastLane) == own
    }
}
