/// An operation with its place in the session's order.
struct QueuedOperation {
    let sequence: UInt64
    let operation: Operation
    /// Nil for work that follows all work of its context.
    let stream: SoftwareStream?
}

/// Work of streams that wait for a value in memory, and what must come after it. A value; the engine guards it.
struct WaitingWork {
    /// In the order of their sequences.
    private var entries: [QueuedOperation] = []
    private var order = PrecedingWork()

    var isEmpty: Bool { entries.isEmpty }
    var count: Int { entries.count }

    func contains(_ sequence: UInt64) -> Bool { index(of: sequence) != nil }

    /// Whether work of a context, up to a sequence, is here.
    func hasWork(of context: SoftwareContext, through sequence: UInt64) -> Bool {
        entries.contains { $0.sequence <= sequence && $0.operation.context === context }
    }

    /// Whether something here must come before new work.
    func mustPrecede(_ entry: QueuedOperation) -> Bool { order.mustPrecede(entry) }

    /// Sets newer work aside.
    mutating func append(_ entry: QueuedOperation) {
        entries.append(entry)
        order.add(entry)
    }

    /// The first entry that nothing here must precede and that is ready.
    func firstReady(_ isReady: (Operation) -> Bool) -> QueuedOperation? {
        var earlier = PrecedingWork()
        for entry in entries {
            if !earlier.mustPrecede(entry), isReady(entry.operation) { return entry }
            earlier.add(entry)
        }
        return nil
    }

    /// Forgets work that was executed.
    mutating func remove(_ sequence: UInt64) {
        guard let index = index(of: sequence) else { return }
        entries.remove(at: index)
        order = PrecedingWork()
        for entry in entries { order.add(entry) }
    }

    private func index(of sequence: UInt64) -> Int? {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].sequence < sequence { low = middle + 1 } else { high = middle }
        }
        return low < entries.count && entries[low].sequence == sequence ? low : nil
    }
}

/// What must come before other work: streams are in order, a context's default stream is in order with all its streams
/// that did not opt out, and freeing follows everything.
private struct PrecedingWork {
    private var streams: Set<ObjectIdentifier> = []
    private var contexts: Set<ObjectIdentifier> = []
    private var contextsOfDefaultStream: Set<ObjectIdentifier> = []
    private var contextsOfOrderedStreams: Set<ObjectIdentifier> = []
    private var freed: [UInt64] = []

    mutating func add(_ entry: QueuedOperation) {
        guard let context = entry.operation.context ?? entry.stream?.context else { return }
        contexts.insert(ObjectIdentifier(context))
        if let stream = entry.stream {
            streams.insert(ObjectIdentifier(stream))
            if stream.isOrderedWithDefault { contextsOfOrderedStreams.insert(ObjectIdentifier(context)) }
            if stream.isDefault { contextsOfDefaultStream.insert(ObjectIdentifier(context)) }
        }
        if case .release(_, let address) = entry.operation { freed.append(address) }
    }

    func mustPrecede(_ entry: QueuedOperation) -> Bool {
        if case .commit(_, let address, let byteCount) = entry.operation {
            // How long the freed ranges are is not known here; an allocation begins where one was freed, or below it.
            return freed.contains { $0 >= address && $0 - address < byteCount || $0 < address }
        }
        // Mapping is for work that comes; unmapping under work that still needs the memory is a program's fault.
        if case .change = entry.operation { return false }
        guard let context = entry.operation.context ?? entry.stream?.context else { return false }
        guard let stream = entry.stream else { return contexts.contains(ObjectIdentifier(context)) }
        if streams.contains(ObjectIdentifier(stream)) { return true }
        if stream.isDefault { return contextsOfOrderedStreams.contains(ObjectIdentifier(context)) }
        return stream.isOrderedWithDefault && contextsOfDefaultStream.contains(ObjectIdentifier(context))
    }
}

extension Operation {
    /// The context that the work belongs to.
    var context: SoftwareContext? {
        switch self {
        case .handover, .marker: nil
        case .commit(let context, _, _), .release(let context, _), .change(let context, _), .write(let context, _, _),
            .copy(let context, _, _), .fill(let context, _, _, _), .record(let context, _),
            .hostFunction(let context, _), .launch(let context, _), .waitValue(let context, _),
            .writeValue(let context, _, _, _), .after(let context, _), .download(let context, _, _),
            .copyToHost(let context, _, _), .copyFromHost(let context, _, _), .exchange(let context, _, _),
            .array(let context, _):
            context
        case .graph(let graph): graph.context
        }
    }

    /// Whether the operation itself may have to wait.
    var canWait: Bool {
        switch self {
        case .waitValue, .after: true
        default: false
        }
    }

    /// Whether later work of others may run before it.
    var canBeSetAside: Bool {
        if case .commit = self { false } else { true }
    }
}
