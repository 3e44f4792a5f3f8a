import GPUBackend
import Primitives
import Synchronization
import WireProtocol

/// Performs the commands of one lane. Its methods are spread over `LaneHandler+….swift`, one file for each family.
final class LaneHandler: CommandHandler {
    let session: WorkerSession
    /// The lane's number in its session.
    private let laneIndex: UInt32
    /// The lane's context.
    var current: WorkerContext?
    private var perThread: (context: WorkerContext, stream: any BackendStream)?
    /// A sentence or a compiler's log for the next reply.
    var message = ""
    /// Where the commands of a graph's nodes go while the graph is recorded.
    var recorder: (any BackendGraphRecorder)?
    /// Whether the next reply leaves what waits for one to a later one.
    var isQuiet = false
    /// Whether a wait for another lane ended without success.
    var hasLaneWaitFailed = false

    init(session: WorkerSession, laneIndex: UInt32) {
        self.session = session
        self.laneIndex = laneIndex
    }

    /// The lane's context, or `INVALID_CONTEXT`.
    func context() throws(CommandError) -> WorkerContext {
        guard let current else { throw .invalidContext }
        return current
    }

    /// A stream by its id; the reserved ids stand for streams of the lane's context.
    func stream(_ id: UInt64) throws(CommandError) -> any BackendStream {
        if let recorder { return recorder.stream }
        switch id {
        case StreamID.legacyDefault, StreamID.legacy:
            return try context().backend.defaultStream
        case StreamID.perThread:
            let context = try context()
            if let perThread, perThread.context === context { return perThread.stream }
            let stream = try translating { () throws(BackendError) in
                try context.backend.makeStream(flags: 1, priority: 0)
            }
            perThread = (context, stream)
            return stream
        default:
            return try session.withState { state throws(CommandError) in
                guard let stream = state.streams[id] else { throw .invalidHandle }
                return stream.object
            }
        }
    }

    /// Remembers the error of a command whose caller did not wait.
    func note(_ error: CommandError) {
        if let current { current.note(error) } else { session.note(error) }
    }

    /// What surrounds the outputs of the next reply; takes what waits for one.
    func replyParts(failure: CommandError?) -> ReplyWriter.Parts {
        if isQuiet {
            isQuiet = false
            return ReplyWriter.Parts(status: failure?.status ?? 0, message: Array((failure?.message ?? "").utf8))
        }
        let deferred = current?.takeDeferred() ?? session.takeDeferred()
        var text = failure?.message ?? ""
        if text.isEmpty { text = message }
        if text.isEmpty { text = deferred?.message ?? "" }
        message = ""
        return ReplyWriter.Parts(
            status: failure?.status ?? 0, deferredStatus: deferred?.status ?? 0,
            printf: session.printf.take(atMost: ReplyWriter.printfByteCountMax), message: Array(text.utf8))
    }

    // MARK: - The lane itself

    func ping(_ command: Ping, _ reply: inout Ping.Reply) throws(CommandError) {}

    func noop(_ command: Noop) throws(CommandError) {}

    func laneWait(_ command: LaneWait) throws(CommandError) {
        // A lane that waits for itself would only find its own past.
        let limit = command.lane == laneIndex ? 0 : session.limits.laneWaitNanoseconds
        let isDone = session.lanes.wait(for: command.lane, sequence: command.sequence, nanoseconds: limit)
        hasLaneWaitFailed = !isDone
    }

    func deviceSnapshot(_ command: DeviceSnapshotQuery, _ reply: inout DeviceSnapshotQuery.Reply) throws(CommandError) {
        session.worker.snapshot().encode(into: &reply.bytes)
    }

    func vgpuStatus(_ command: VGPUStatusQuery, _ reply: inout VGPUStatusQuery.Reply) throws(CommandError) {
        session.worker.status().encode(into: &reply.bytes)
    }
}
