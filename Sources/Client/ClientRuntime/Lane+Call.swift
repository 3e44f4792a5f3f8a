internal import CPosix
internal import Transport
public import WireProtocol

/// What a waiting command brought back.
public struct CallResult {
    /// The command's own status, or the first error of earlier commands when it has none itself.
    public var status: Int32
    /// Whether the command itself succeeded, so that its outputs are there.
    public var hasOutputs: Bool
}

extension Lane {
    /// Sends a command and waits for its answer. Bytes in `reply` are good until the lane's next call. With `isOrdered`
    /// false the command keeps no order with other lanes, so that it can't wait for one that waits itself.
    public func call<Command: SyncCommand>(
        _ command: Command, reply: inout Command.Reply, context: UInt64, isOrdered: Bool = true,
        bulk: UnsafeRawBufferPointer? = nil, into destination: UnsafeMutableRawBufferPointer? = nil
    ) -> CallResult {
        let begin = CallCounts.isOn ? posix_monotonic_nanoseconds() : 0
        defer { if begin != 0 { CallCounts.noteWait(since: begin) } }
        let sequence = isOrdered ? self.begin(context: context) : beginUnordered(context: context)
        var flags = CommandHeader.replyFlag
        if bulk != nil { flags |= CommandHeader.bulkFlag }
        let isEncoded = append(command, flags: flags)
        if isEncoded { flush(bulk: bulk ?? UnsafeRawBufferPointer(start: nil, count: 0)) }
        // Nobody else reads this connection, so the answer needs no lock; others may need the lane while this thread
        // waits.
        posix_lock_release(&state.pointee.lockWord)
        guard isEncoded else { return CallResult(status: ClientStatus.invalidValue, hasOutputs: false) }
        let worker = Worker(state: state.pointee.worker)
        guard !worker.isLost else { return CallResult(status: ClientStatus.deviceUnavailable, hasOutputs: false) }
        if Session.extraRoundTripNanoseconds > 0 { posix_sleep_nanoseconds(Session.extraRoundTripNanoseconds) }
        do throws(TransportError) {
            let header = try receiveReply(sequence)
            posix_atomic_store_release_64(&state.pointee.answeredSequence, sequence)
            let outputs = try deliver(header)
            try receiveBulk(
                header.bulkByteCount, into: destination ?? UnsafeMutableRawBufferPointer(start: nil, count: 0))
            var status = header.status
            if status == ClientStatus.success {
                var reader = WireReader(outputs)
                do throws(WireError) { reply = try Command.Reply(from: &reader) } catch {
                    throw TransportError.violation(error)
                }
                status = header.deferredStatus
            }
            return CallResult(status: status, hasOutputs: header.status == ClientStatus.success)
        } catch {
            worker.markLost(error.reason)
            return CallResult(status: ClientStatus.deviceUnavailable, hasOutputs: false)
        }
    }

    /// The message of the last answer: UTF-8, good until the lane's next call.
    public var message: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: state.pointee.reply, count: state.pointee.messageByteCount)
    }

    func read(_ buffer: UnsafeMutableRawBufferPointer) throws(TransportError) {
        let failure = state.pointee.connection._withUnsafeGuaranteedRef { connection -> TransportError? in
            do throws(TransportError) {
                try connection.read(exactly: buffer)
                return nil
            } catch {
                return error
            }
        }
        if let failure { throw failure }
    }

    /// Receives the whole answer except bulk bytes into the lane's reply memory.
    func receiveReply(_ sequence: UInt64) throws(TransportError) -> ReplyHeader {
        try read(UnsafeMutableRawBufferPointer(start: state.pointee.reply, count: FrameHeader.byteCount))
        var reader = WireReader(
            UnsafeRawBufferPointer(start: state.pointee.reply, count: FrameHeader.byteCount))
        let frame: FrameHeader
        do throws(WireError) { frame = try FrameHeader(from: &reader) } catch { throw .violation(error) }
        guard frame.kind == .reply, frame.sequence == sequence else { throw .violation(.badHeader) }
        let byteCount = Int(frame.bodyByteCount)
        if byteCount > state.pointee.replyCapacity {
            state.pointee.reply.deallocate()
            state.pointee.reply = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 16)
            state.pointee.replyCapacity = byteCount
        }
        try read(UnsafeMutableRawBufferPointer(start: state.pointee.reply, count: byteCount))
        var body = WireReader(UnsafeRawBufferPointer(start: state.pointee.reply, count: byteCount))
        let header: ReplyHeader
        do throws(WireError) { header = try ReplyHeader(from: &body) } catch { throw .violation(error) }
        let parts =
            UInt64(header.printfByteCount) &+ UInt64(header.messageByteCount)
            &+ UInt64(header.outputByteCount)
        guard parts <= UInt64(body.remainingByteCount) else { throw .violation(.truncated) }
        return header
    }

    /// Prints what kernels printed, logs the message, and gives the outputs.
    func deliver(_ header: ReplyHeader) throws(TransportError) -> UnsafeRawBufferPointer {
        let start = state.pointee.reply
        let printed = start + ReplyHeader.byteCount
        if header.printfByteCount > 0 {
            // What the program printed before belongs before.
            StandardOutput.flush()
            _ = posix_write_all(1, printed, Int(header.printfByteCount))
        }
        let message = printed + Int(header.printfByteCount)
        let outputs = message + Int(header.messageByteCount)
        let messageByteCount = Int(header.messageByteCount)
        if messageByteCount > 0 {
            ClientLog.line("worker: ", UnsafeRawBufferPointer(start: message, count: messageByteCount))
            // To the front, where `message` finds it; the header was decoded already.
            memmove(start, message, messageByteCount)
        }
        state.pointee.messageByteCount = messageByteCount
        return UnsafeRawBufferPointer(start: outputs, count: Int(header.outputByteCount))
    }

    private func receiveBulk(
        _ byteCount: UInt64, into destination: UnsafeMutableRawBufferPointer
    ) throws(TransportError) {
        guard byteCount > 0 else { return }
        guard byteCount <= UInt64(destination.count) else { throw .violation(.oversized) }
        try read(UnsafeMutableRawBufferPointer(rebasing: destination[0..<Int(byteCount)]))
    }
}

/// The C library's buffered standard output.
private enum StandardOutput {
    /// Writes out what the program's `printf` has buffered.
    static func flush() {
        guard let function = posix_dynamic_symbol("fflush"), let stream = posix_dynamic_symbol("stdout") else { return }
        typealias Flush = @convention(c) (UnsafeMutableRawPointer?) -> Int32
        // SAFETY: the C library's `fflush` has this signature.
        _ = unsafeBitCast(function, to: Flush.self)(stream.load(as: UnsafeMutableRawPointer?.self))
    }
}
