internal import CPosix

/// What `ROOST_STATS` counts: for each exported function its calls, the commands they sent, and the waits among them.
///
/// Off, it costs a load and a branch for each call. On, the counters are atomic; two threads may share one.
public enum CallCounts {
    /// One function's counters.
    @usableFromInline struct Entry {
        var calls: UInt64 = 0
        var commands: UInt64 = 0
        var waits: UInt64 = 0
        var waitNanoseconds: UInt64 = 0
    }

    /// Functions have numbers below this; 0 stands for commands that no function of the program sent.
    @usableFromInline static let functionCount = 1024

    // SAFETY: written once while the session starts, before other threads call.
    @usableFromInline nonisolated(unsafe) static var entries: UnsafeMutablePointer<Entry>?
    // SAFETY: as above; the names are constants.
    nonisolated(unsafe) private static var nameOfFunction: ((Int) -> StaticString)?
    nonisolated(unsafe) private static var descriptor: Int32 = -1
    /// The counters when the present range began.
    // SAFETY: only touched under `rangeLockWord`.
    nonisolated(unsafe) private static var atRangeStart: UnsafeMutablePointer<Entry>?
    nonisolated(unsafe) private static var movedAtRangeStart = TransferCounts.Entry()
    nonisolated(unsafe) private static var isInRange = false
    nonisolated(unsafe) private static var rangeCount: Int64 = 0
    nonisolated(unsafe) private static var rangeLockWord: UInt32 = 0
    // SAFETY: written while the session starts, read-only afterwards.
    nonisolated(unsafe) private static var startTime: UInt64 = 0
    /// When the first kernel was launched, 0 before, and how many waits there were until then.
    // SAFETY: atomic words; the second is written before the first is published.
    nonisolated(unsafe) private static var firstLaunchTime: UInt64 = 0
    nonisolated(unsafe) private static var firstLaunchWord: UInt32 = 0
    nonisolated(unsafe) private static var firstLaunchWaits: UInt64 = 0

    /// Whether anything is counted.
    @inlinable @inline(__always)
    public static var isOn: Bool { entries != nil }

    /// Begins to count when `ROOST_STATS` names a file.
    public static func start(nameOfFunction: @escaping (Int) -> StaticString) {
        guard entries == nil, let path = Environment.text("ROOST_STATS"), path[0] != 0 else { return }
        descriptor =
            Environment.equals(path, "stderr") ? 2 : posix_open(path, Int32(POSIX_OPEN_APPEND), 0o644)
        guard descriptor >= 0 else {
            return ClientLog.problem("the file that ROOST_STATS names can't be written")
        }
        let made = UnsafeMutablePointer<Entry>.allocate(capacity: functionCount)
        made.initialize(repeating: Entry(), count: functionCount)
        let copy = UnsafeMutablePointer<Entry>.allocate(capacity: functionCount)
        copy.initialize(repeating: Entry(), count: functionCount)
        atRangeStart = copy
        self.nameOfFunction = nameOfFunction
        startTime = posix_monotonic_nanoseconds()
        entries = made
    }

    // MARK: - Counting

    /// Counts a call of the exported function with this number; what the thread sends from now on is its doing.
    @inlinable @inline(__always)
    public static func enter(_ function: Int) {
        if entries != nil { count(function) }
    }

    @usableFromInline @inline(never)
    static func count(_ function: Int) {
        guard let entries, function >= 0, function < functionCount, let thread = ThreadState.mine else { return }
        thread.pointee.function = UInt32(truncatingIfNeeded: function)
        _ = posix_atomic_add_64(entries + function, 1)
    }

    /// The counters of the function that the calling thread is in.
    private static var current: UnsafeMutablePointer<Entry>? {
        guard let entries, let thread = ThreadState.mine else { return nil }
        return entries + Int(thread.pointee.function)
    }

    /// Counts a command.
    @usableFromInline @inline(never)
    static func noteCommand() {
        guard let current else { return }
        _ = posix_atomic_add_64(UnsafeMutableRawPointer(current) + 8, 1)
    }

    /// Counts a wait that began at `begin`.
    @inline(never)
    static func noteWait(since begin: UInt64) {
        guard let current else { return }
        _ = posix_atomic_add_64(UnsafeMutableRawPointer(current) + 16, 1)
        _ = posix_atomic_add_64(UnsafeMutableRawPointer(current) + 24, posix_monotonic_nanoseconds() &- begin)
    }

    /// Notes that a kernel is launched; the first one ends the cold start.
    @inline(__always)
    public static func noteLaunch() {
        if entries != nil, firstLaunchTime == 0 { noteFirstLaunch() }
    }

    @inline(never)
    private static func noteFirstLaunch() {
        guard let entries, posix_atomic_exchange_32(&firstLaunchWord, 1) == 0 else { return }
        var waits: UInt64 = 0
        for index in 0..<functionCount { waits &+= entries[index].waits }
        firstLaunchWaits = waits
        firstLaunchTime = posix_monotonic_nanoseconds()
    }

    // MARK: - Reports

    /// Begins a range: `cuProfilerStart`.
    public static func beginRange() {
        guard let entries, let atRangeStart else { return }
        posix_lock_acquire(&rangeLockWord)
        atRangeStart.update(from: entries, count: functionCount)
        movedAtRangeStart = TransferCounts.now
        isInRange = true
        posix_lock_release(&rangeLockWord)
    }

    /// Writes what was counted since the range began: `cuProfilerStop`.
    public static func endRange() {
        guard let atRangeStart else { return }
        posix_lock_acquire(&rangeLockWord)
        if isInRange {
            rangeCount &+= 1
            report("range", rangeCount, since: atRangeStart)
        }
        isInRange = false
        posix_lock_release(&rangeLockWord)
    }

    /// Writes everything that was counted, at the end of the process.
    static func finish() { report("process", nil, since: nil) }

    private static func report(_ section: StaticString, _ number: Int64?, since before: UnsafeMutablePointer<Entry>?) {
        guard let entries else { return }
        let byteCount = functionCount &* 128
        let memory = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 8)
        defer { memory.deallocate() }
        var text = LineWriter(buffer: UnsafeMutableRawBufferPointer(start: memory, count: byteCount))
        text.append("# roost stats\t")
        text.append(section)
        if let number {
            text.append(" ")
            text.append(decimal: number)
        }
        appendProcess(to: &text)
        appendTransfers(since: before == nil ? TransferCounts.Entry() : movedAtRangeStart, to: &text)
        text.append("\nfunction\tcalls\tcommands\twaits\twait_us\n")
        var total = Entry()
        for index in 0..<functionCount {
            var entry = entries[index]
            if let before { entry.subtract(before[index]) }
            guard entry.calls | entry.commands > 0 else { continue }
            total.add(entry)
            let name = index == 0 ? "(none)" : nameOfFunction?(index) ?? "?"
            append(entry, name, to: &text)
        }
        append(total, "total", to: &text)
        // One write call, so that sections of several processes stay whole.
        _ = posix_write_all(descriptor, memory, text.count)
    }

    private static func appendProcess(to text: inout LineWriter) {
        text.append("\tpid=")
        text.append(decimal: Int64(posix_process_id()))
        text.append("\tprogram=")
        withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) { name in
            guard let start = name.baseAddress else { return }
            let length = posix_program_name(start.assumingMemoryBound(to: CChar.self), name.count)
            text.append(UnsafeRawBufferPointer(rebasing: name[0..<(length < name.count ? length : name.count)]))
        }
        text.append("\tsince_init_us=")
        text.append(decimal: microseconds(since: startTime, until: posix_monotonic_nanoseconds()))
        if firstLaunchTime != 0 {
            text.append("\tfirst_launch_us=")
            text.append(decimal: microseconds(since: startTime, until: firstLaunchTime))
            text.append("\twaits_before_first_launch=")
            text.append(decimal: Int64(truncatingIfNeeded: firstLaunchWaits))
        }
    }

    /// What was moved for managed and pinned memory, when anything was.
    private static func appendTransfers(since before: TransferCounts.Entry, to text: inout LineWriter) {
        let now = TransferCounts.now
        guard now.faults | now.fetched | now.sent != 0 else { return }
        text.append("\tmirror_faults=")
        text.append(decimal: Int64(truncatingIfNeeded: now.faults &- before.faults))
        text.append("\tmirror_fetched_bytes=")
        text.append(decimal: Int64(truncatingIfNeeded: now.fetched &- before.fetched))
        text.append("\tmirror_sent_bytes=")
        text.append(decimal: Int64(truncatingIfNeeded: now.sent &- before.sent))
    }

    private static func append(_ entry: Entry, _ name: StaticString, to text: inout LineWriter) {
        text.append(name)
        for value in [entry.calls, entry.commands, entry.waits, entry.waitNanoseconds / 1000] {
            text.append("\t")
            text.append(decimal: Int64(truncatingIfNeeded: value))
        }
        text.append("\n")
    }

    private static func microseconds(since begin: UInt64, until end: UInt64) -> Int64 {
        Int64(truncatingIfNeeded: (end &- begin) / 1000)
    }
}

extension CallCounts.Entry {
    fileprivate mutating func subtract(_ other: Self) {
        calls &-= other.calls
        commands &-= other.commands
        waits &-= other.waits
        waitNanoseconds &-= other.waitNanoseconds
    }

    fileprivate mutating func add(_ other: Self) {
        calls &+= other.calls
        commands &+= other.commands
        waits &+= other.waits
        waitNanoseconds &+= other.waitNanoseconds
    }
}
