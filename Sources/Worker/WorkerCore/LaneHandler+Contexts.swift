import GPUBackend
import Primitives
import WireProtocol

extension LaneHandler {
    func contextCreate(_ command: ContextCreate) throws(CommandError) {
        let device = try session.device(command.device)
        let made = try translating { () throws(BackendError) in
            try device.backend.makeContext(flags: command.flags)
        }
        let context = WorkerContext(device: device, backend: made)
        let limit = session.limits.contextCount
        try session.withState { state throws(CommandError) in
            guard state.contexts.count < limit else { throw .tooManyObjects }
            try state.contexts.add(context, id: command.context)
        }
    }

    func contextDestroy(_ command: ContextDestroy) throws(CommandError) {
        let id = command.context
        let context = try session.withState { state throws(CommandError) in
            guard let context = state.contexts.remove(id: id) else { throw .invalidContext }
            return context
        }
        if current === context { current = nil }
        context.backend.destroy()
        session.freeObjects(of: context)
    }

    func contextSetCurrent(_ command: ContextSetCurrent) throws(CommandError) {
        guard command.context != 0 else {
            current = nil
            return
        }
        let id = command.context
        current = nil
        current = try context(id)
    }

    func contextSynchronize(_ command: ContextSynchronize, _ reply: inout ContextSynchronize.Reply)
        throws(CommandError)
    {
        let context = command.context == 0 ? try context() : try context(command.context)
        try translating { () throws(BackendError) in try context.backend.synchronize() }
    }

    /// A context by its id.
    private func context(_ id: UInt64) throws(CommandError) -> WorkerContext {
        try session.withState { state throws(CommandError) in
            guard let context = state.contexts[id] else { throw .invalidContext }
            return context
        }
    }
}

extension SlotTable {
    /// Inserts with the errors of a command.
    mutating func add(_ element: Element, id: UInt64) throws(CommandError) {
        do throws(InsertionError) {
            try insert(element, id: id)
        } catch {
            switch error {
            case .outOfRange: throw .tooManyObjects
            case .occupied: throw .invalidHandle
            }
        }
    }
}
