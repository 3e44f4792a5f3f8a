import GPUBackend
import Primitives
import WireProtocol

extension LaneHandler {
    func streamCreate(_ command: StreamCreate) throws(CommandError) {
        try makeStream(command.phStream, flags: command.Flags, priority: 0)
    }

    func streamCreateWithPriority(_ command: StreamCreateWithPriority) throws(CommandError) {
        try makeStream(command.phStream, flags: command.flags, priority: command.priority)
    }

    private func makeStream(_ id: UInt64, flags: UInt32, priority: Int32) throws(CommandError) {
        let context = try context()
        let made = try translating { () throws(BackendError) in
            try context.backend.makeStream(flags: flags, priority: priority)
        }
        try session.withState { state throws(CommandError) in
            try state.streams.add(Owned(context: context, object: made), id: id)
        }
    }

    func streamDestroy(_ command: StreamDestroy) throws(CommandError) {
        let stream = try session.withState { state throws(CommandError) in
            guard let stream = state.streams.remove(id: command.hStream) else { throw .invalidHandle }
            return stream
        }
        stream.object.destroy()
    }

    func streamWaitEvent(_ command: StreamWaitEvent) throws(CommandError) {
        let stream = try stream(command.hStream)
        let event = try event(command.hEvent)
        try translating { () throws(BackendError) in try stream.wait(for: event) }
    }

    func streamSynchronize(_ command: StreamSynchronize, _ reply: inout StreamSynchronize.Reply) throws(CommandError) {
        let stream = try stream(command.hStream)
        try translating { () throws(BackendError) in try stream.synchronize() }
    }

    func streamQuery(_ command: StreamQuery, _ reply: inout StreamQuery.Reply) throws(CommandError) {
        let stream = try stream(command.hStream)
        let isIdle = try translating { () throws(BackendError) in try stream.isIdle() }
        guard isIdle else { throw CommandError(BackendStatus.notReady) }
    }

    func hostFunction(_ command: HostFunction) throws(CommandError) {
        let stream = try stream(command.stream)
        try translating { () throws(BackendError) in try stream.hostFunction(token: command.token) }
    }

    func hostFunctionDone(_ command: HostFunctionDone) throws(CommandError) {
        guard session.hostFunctions.finish(command.token) else { throw .invalidValue }
    }
}

extension LaneHandler {
    func eventCreate(_ command: EventCreate) throws(CommandError) {
        let context = try context()
        let made = try translating { () throws(BackendError) in
            try context.backend.makeEvent(flags: command.Flags)
        }
        try session.withState { state throws(CommandError) in
            try state.events.add(Owned(context: context, object: made), id: command.phEvent)
        }
    }

    func eventDestroy(_ command: EventDestroy) throws(CommandError) {
        try session.withState { state throws(CommandError) in
            guard state.events.remove(id: command.hEvent) != nil else { throw .invalidHandle }
        }
    }

    func eventRecord(_ command: EventRecord) throws(CommandError) {
        try record(command.hEvent, command.hStream)
    }

    func eventRecordWithFlags(_ command: EventRecordWithFlags) throws(CommandError) {
        // The only flag concerns captured streams, which do not exist here.
        guard command.flags & ~1 == 0 else { throw .invalidValue }
        try record(command.hEvent, command.hStream)
    }

    func eventQuery(_ command: EventQuery, _ reply: inout EventQuery.Reply) throws(CommandError) {
        let event = try event(command.hEvent)
        let isComplete = try translating { () throws(BackendError) in try event.isComplete() }
        guard isComplete else { throw CommandError(BackendStatus.notReady) }
    }

    func eventSynchronize(_ command: EventSynchronize, _ reply: inout EventSynchronize.Reply) throws(CommandError) {
        let event = try event(command.hEvent)
        try translating { () throws(BackendError) in try event.synchronize() }
    }

    func eventElapsedTime(_ command: EventElapsedTime, _ reply: inout EventElapsedTime.Reply) throws(CommandError) {
        let start = try event(command.hStart)
        let end = try event(command.hEnd)
        reply.pMilliseconds = try translating { () throws(BackendError) in try start.milliseconds(until: end) }
    }

    private func record(_ event: UInt64, _ stream: UInt64) throws(CommandError) {
        let event = try self.event(event)
        let stream = try self.stream(stream)
        try translating { () throws(BackendError) in try event.record(on: stream) }
    }

    func event(_ id: UInt64) throws(CommandError) -> any BackendEvent {
        try session.withState { state throws(CommandError) in
            guard let event = state.events[id] else { throw .invalidHandle }
            return event.object
        }
    }
}
