import GPUBackend
import SIMT
import Synchronization

/// A graph as the engine executes it: its nodes' operations, one after the other.
final class SoftwareGraph: BackendGraph, Sendable {
    indirect enum Step: Sendable {
        case operation(Operation)
        case conditional(ConditionalNode, bodies: [[Step]])
    }

    let context: SoftwareContext
    let steps: [Step]
    let defaults: [(address: UInt64, value: UInt32)]
    /// The events that the graph records, and those that it waits for.
    private let recorded: [SoftwareEvent]
    private let awaited: [SoftwareEvent]
    /// Whether a step waits for a value in memory; then each has a place of its own in the queue.
    private let canWait: Bool

    init(
        context: SoftwareContext, steps: [Step], defaults: [(address: UInt64, value: UInt32)] = [],
        recorded: [SoftwareEvent] = [], awaited: [SoftwareEvent] = []
    ) {
        self.context = context
        self.steps = steps
        self.defaults = defaults
        self.recorded = recorded
        self.awaited = awaited
        canWait = steps.contains { $0.canWait }
    }

    func launch(on stream: any BackendStream) throws(BackendError) {
        guard let stream = stream as? SoftwareStream else { throw BackendError(BackendStatus.invalidHandle) }
        for event in awaited { try stream.wait(for: event) }
        if canWait {
            try stream.submit(.graph(SoftwareGraph(context: context, steps: [], defaults: defaults)), isQuick: false)
            for step in steps {
                switch step {
                case .operation(let operation): try stream.submit(operation, isQuick: false)
                case .conditional:
                    try stream.submit(.graph(SoftwareGraph(context: context, steps: [step])), isQuick: false)
                }
            }
        } else {
            try stream.submit(.graph(self), isQuick: false)
        }
        for event in recorded { event.noteRecord(stream.sequence) }
    }

    func destroy() {}

    /// Runs on the thread that has the right to execute.
    func execute(on engine: SoftwareEngine) {
        context.perform { () throws(BackendError) in
            for value in defaults {
                let pointer = try engine.memory.conditionalValue(at: value.address)
                pointer.storeBytes(of: value.value, as: UInt32.self)
            }
        }
        run(steps, on: engine)
    }

    private func run(_ steps: [Step], on engine: SoftwareEngine) {
        for step in steps {
            guard !engine.isCancellationRequested, context.fatalError == nil else { return }
            switch step {
            case .operation(let operation): operation.execute(on: engine)
            case .conditional(let node, let bodies): run(node, bodies, on: engine)
            }
        }
    }

    private func run(_ node: ConditionalNode, _ bodies: [[Step]], on engine: SoftwareEngine) {
        func value() -> UInt32? {
            guard !engine.isCancellationRequested, context.fatalError == nil else { return nil }
            var value: UInt32?
            context.perform { () throws(BackendError) in
                value = try engine.memory.conditionalValue(at: node.address).load(as: UInt32.self)
            }
            return value
        }
        switch node.kind {
        case .choice:
            guard let value = value() else { return }
            let index = value != 0 ? 0 : 1
            if index < bodies.count { run(bodies[index], on: engine) }
        case .loop:
            guard let body = bodies.first else { return }
            while let value = value(), value != 0 { run(body, on: engine) }
        case .selection:
            guard let value = value(), Int(value) < bodies.count else { return }
            run(bodies[Int(value)], on: engine)
        }
    }
}

extension SoftwareGraph.Step {
    /// Whether the step waits for a value in memory.
    fileprivate var canWait: Bool {
        if case .operation(let operation) = self { operation.canWait } else { false }
    }
}

extension DeviceMemory {
    /// The four bytes of a conditional's value.
    fileprivate func conditionalValue(at address: UInt64) throws(BackendError) -> UnsafeMutableRawPointer {
        guard address & 3 == 0, let pointer = hostPointer(address: address, byteCount: 4) else { throw .badRange }
        return pointer
    }
}

/// Takes a graph's nodes. The engine executes in order anyway, so it has no use for their edges.
final class SoftwareGraphRecorder: BackendGraphRecorder {
    private let context: SoftwareContext
    private let recording: SoftwareStream
    private var steps: [SoftwareGraph.Step] = []
    private var defaults: [(address: UInt64, value: UInt32)] = []
    /// The conditional whose bodies are being recorded.
    private var open: (node: ConditionalNode, bodies: [SoftwareGraphRecorder])?
    private var bodyEvents: [SoftwareEvent] = []
    private var bodyAwaited: [SoftwareEvent] = []

    init(context: SoftwareContext) {
        self.context = context
        recording = SoftwareStream(context: context, isRecording: true)
    }

    var stream: any BackendStream { recording }

    func beginNode(after dependencies: [Int]) throws(BackendError) { try closeConditional() }

    func declare(_ values: [ConditionalValue]) throws(BackendError) {
        for value in values {
            if let defaultValue = value.defaultValue { defaults.append((value.address, defaultValue)) }
        }
    }

    func addConditional(_ conditional: ConditionalNode, bodyCount: Int) throws(BackendError)
        -> [any BackendGraphRecorder]
    {
        try closeConditional()
        let bodies = (0..<bodyCount).map { _ in SoftwareGraphRecorder(context: context) }
        open = (conditional, bodies)
        return bodies
    }

    /// Takes over the bodies of a conditional, which are complete.
    private func closeConditional() throws(BackendError) {
        collect()
        guard let (conditional, bodies) = open else { return }
        open = nil
        var parts: [[SoftwareGraph.Step]] = []
        for body in bodies {
            try body.closeConditional()
            bodyEvents += body.events
            bodyAwaited += body.awaited
            guard !body.steps.contains(where: { $0.canWait }) else {
                throw BackendError(
                    BackendStatus.notSupported, "a body of a conditional can't wait for a value in memory")
            }
            parts.append(body.steps)
        }
        steps.append(.conditional(conditional, bodies: parts))
    }

    func finish(replacing old: (any BackendGraph)?) throws(BackendError) -> any BackendGraph {
        try closeConditional()
        return SoftwareGraph(
            context: context, steps: steps, defaults: defaults, recorded: events, awaited: awaited)
    }

    /// Takes over what was submitted since the last time.
    private func collect() { steps += recording.takeRecording().map { .operation($0) } }

    private var awaited: [SoftwareEvent] { bodyAwaited + recording.awaitedEvents }

    private var events: [SoftwareEvent] {
        steps.reduce(into: bodyEvents) { events, step in
            if case .operation(.record(_, let event)) = step { events.append(event) }
        }
    }
}

extension SoftwareContext {
    func makeGraphRecorder() throws(BackendError) -> any BackendGraphRecorder { SoftwareGraphRecorder(context: self) }
}

extension SoftwareStream {
    func copyToHost(_ box: MemoryBox, token: UInt64) throws(BackendError) {
        guard box.spanByteCount != nil, box.byteCount != nil else { throw .badRange }
        try submit(.copyToHost(context, box, token: token), isQuick: false)
    }

    func copyFromHost(_ box: MemoryBox, token: UInt64) throws(BackendError) {
        guard box.spanByteCount != nil, box.byteCount != nil else { throw .badRange }
        try submit(.copyFromHost(context, box, token: token), isQuick: false)
    }
}

extension DeviceMemory {
    /// Hands a box to the client.
    func give(_ box: MemoryBox, token: UInt64, to host: any BackendHost) throws(BackendError) {
        // Before a byte leaves: what was announced must come.
        try withRows(of: box) { _ in false }
        var failure: BackendError?
        host.copyToHost(token: token, byteCount: box.byteCount ?? 0) { send in
            do throws(BackendError) {
                try withRows(of: box) { send(UnsafeRawBufferPointer($0)) }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    /// Fills a box with what the client has.
    func take(_ box: MemoryBox, token: UInt64, from host: any BackendHost) throws(BackendError) {
        try withRows(of: box) { _ in false }
        guard let bytes = host.copyFromHost(token: token, byteCount: box.byteCount ?? 0) else { return }
        let failure = bytes.withUnsafeBytes { buffer -> BackendError? in
            do throws(BackendError) {
                try write(buffer, to: box)
                return nil
            } catch {
                return error
            }
        }
        if let failure { throw failure }
    }
}
