import Synchronization
import Transport
import WireProtocol

/// Executes a lane's commands and sends their replies.
struct LaneExecutor: CommandExecutor {
    private let session: WorkerSession
    private let progress: LaneProgress
    private let handler: LaneHandler
    private let writer: ReplyWriter
    private let source: BulkSource
    private let context: DispatchContext
    private let current: CurrentCommand

    /// The command that is executed now, for the sink's sake.
    private final class CurrentCommand {
        var sequence: UInt64 = 0
    }

    init(session: WorkerSession, progress: LaneProgress) {
        let connection = progress.connection
        let handler = LaneHandler(session: session, laneIndex: progress.index)
        let writer = ReplyWriter(connection: connection)
        let current = CurrentCommand()
        source = BulkSource { connection.receive($0) }
        let sink = BulkSink { byteCount in
            var parts = handler.replyParts(failure: nil)
            parts.bulkByteCount = byteCount
            return writer.send(parts, output: [], sequence: current.sequence)
        } write: {
            connection.send($0)
        }
        context = DispatchContext(source: source, sink: sink)
        self.session = session
        self.progress = progress
        self.handler = handler
        self.writer = writer
        self.current = current
    }

    mutating func execute(_ header: CommandHeader, payload: UnsafeRawBufferPointer, sequence: UInt64) throws(LaneEnd) {
        session.worker.commandCount.add(1, ordering: .relaxed)
        if header.flags & CommandHeader.replyFlag != 0 {
            session.worker.waitingCount.add(1, ordering: .relaxed)
        }
        current.sequence = sequence
        context.begin(header)
        do throws(DispatchError) {
            try CommandDispatch.dispatch(id: header.id, payload: payload, to: handler, context: context)
        } catch {
            throw .violation(error.reason, commandID: error.commandID)
        }
        try drainBulk()
        if handler.hasLaneWaitFailed { throw .laneWaitTimeout }
        // An answer says that the command was executed, so other lanes may know it before the client does.
        session.lanes.advance(progress, to: sequence)
        if header.flags & CommandHeader.replyFlag != 0 {
            try reply(sequence)
        } else if let failure = context.failure {
            handler.note(failure)
        }
    }

    private func reply(_ sequence: UInt64) throws(LaneEnd) {
        let sink = context.sink
        if sink.hasBegun {
            guard sink.finish() else { throw .closed }
            return
        }
        var failure = context.failure
        if failure == nil, context.output.count > ReplyWriter.outputByteCountMax {
            failure = CommandError(200, "the module has more names than one answer can hold")
        }
        var parts = handler.replyParts(failure: failure)
        if failure == nil { parts.bulkByteCount = sink.byteCount }
        guard writer.send(parts, output: failure == nil ? context.output : [], sequence: sequence) else {
            throw .closed
        }
        guard failure != nil || sink.byteCount == 0 || sink.finish() else { throw .closed }
    }

    /// Reads and drops what the handler left of a command's bulk bytes.
    private func drainBulk() throws(LaneEnd) {
        guard !source.isBroken else { throw .closed }
        guard source.remainingByteCount > 0 else { return }
        let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
        defer { scratch.deallocate() }
        while source.remainingByteCount > 0 {
            let count = Int(min(source.remainingByteCount, UInt64(scratch.count)))
            do throws(CommandError) {
                try source.read(into: UnsafeMutableRawBufferPointer(rebasing: scratch[..<count]))
            } catch {
                throw .closed
            }
        }
    }
}
