internal import CCUDA
internal import CPosix
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

/// Copies into pinned memory that the program has not waited for.
///
/// The worker keeps a download's bytes once the copy's turn in its stream has come. The next call that waits brings all
/// that are complete, with its own answer; the program can't tell bytes that come early, as CUDA may write them at any
/// time. Each download goes to exactly one thread. A thread whose own wait covers a download that another one is just
/// receiving waits for that one.
enum Downloads {
    struct Entry {
        var id: UInt64
        var plane: CopyPlane
        var host: UnsafeMutableRawPointer
        var box: Box
        var context: UnsafeMutablePointer<ContextState>
        /// Its place among all that were sent; 0 until then.
        var order: UInt64 = 0
    }

    /// What a collecting call waits for.
    enum Wait {
        static let nothing: UInt32 = 0
        static let context: UInt32 = 1
        static let stream: UInt32 = 2
        static let event: UInt32 = 3
        static let streamQuery: UInt32 = 4
        static let eventQuery: UInt32 = 5
    }

    // SAFETY: only touched under `lock`; `areAny` is a hint that is read without it, `deliveryWord` is atomic.
    nonisolated(unsafe) private static var entries: [Entry] = []
    nonisolated(unsafe) private static var lastID: UInt64 = 0
    nonisolated(unsafe) private static var lastOrder: UInt64 = 0
    nonisolated(unsafe) private static var byteCount = 0
    /// Whether there are downloads that were not delivered.
    nonisolated(unsafe) private(set) static var areAny = false
    nonisolated(unsafe) private static var deliveryWord: UInt32 = 0
    private static let lock = Lock()

    /// What a process may have under way; a copy beyond that waits.
    private static let countMax = 1024
    private static let byteCountMax = 128 << 20

    // MARK: - Sending

    /// Starts a download to pinned memory. Nil when it does not qualify, so that the program has to wait.
    static func start(
        to destination: CopyPlane, from source: CopyPlane, _ box: Box, stream: UInt64, _ target: CallTarget
    ) -> CUresult? {
        guard case .host(let host) = destination.end, case .device(let address) = source.end else { return nil }
        guard !Session.isStrict, box.byteCount <= byteCountMax, let span = box.span(of: destination),
            CUDADriver.isPinned(host, span)
        else { return nil }
        // First of all: whoever hears of the download from the worker finds it here.
        guard let id = add(Entry(id: 0, plane: destination, host: host, box: box, context: target.context)) else {
            return nil
        }
        // Without the lock: the thread for events, which may have to run before there is room to send, takes it.
        let status = target.send(
            Download(
                download: id, address: address, pitch: UInt64(source.pitch),
                slicePitch: UInt64(source.slicePitch), width: UInt64(box.width), height: UInt64(box.height),
                depth: UInt64(box.depth), stream: stream))
        guard status == CUDA_SUCCESS else {
            remove { $0.id == id }
            return status
        }
        lock.acquire()
        defer { lock.release() }
        lastOrder &+= 1
        for index in entries.indices where entries[index].id == id { entries[index].order = lastOrder }
        return CUDA_SUCCESS
    }

    /// Adds a download and answers its id; nil when there are too many.
    private static func add(_ entry: Entry) -> UInt64? {
        lock.acquire()
        defer { lock.release() }
        guard entries.count < countMax, entry.box.byteCount <= byteCountMax &- byteCount else { return nil }
        lastID &+= 1
        var entry = entry
        entry.id = lastID
        entries.append(entry)
        byteCount &+= entry.box.byteCount
        areAny = true
        return lastID
    }

    /// The newest download that was sent: what comes after it in a stream may need it and all before. 0 without any.
    static var newest: UInt64 { areAny ? lock.withLock { lastOrder } : 0 }

    /// Whether bytes of the host are still to come from a device.
    static func overlap(_ start: UnsafeRawPointer, _ byteCount: Int) -> Bool {
        guard areAny else { return false }
        lock.acquire()
        defer { lock.release() }
        let first = UInt(bitPattern: start)
        for entry in entries {
            let place = UInt(bitPattern: entry.host)
            let span = UInt(entry.box.span(of: entry.plane) ?? 0)
            if first < place &+ span, place < first &+ UInt(byteCount) { return true }
        }
        return false
    }

    // MARK: - Receiving

    /// Waits as `kind` says and delivers what is complete.
    static func collect(_ kind: UInt32, _ object: UInt64, _ target: CallTarget) -> CUresult {
        let status = collect(
            DownloadCollect(kind: kind, object: object), target.lane, contextID: target.context.pointee.id,
            through: lock.withLock { lastOrder }, isOrdered: true)
        if status != CUDA_SUCCESS, ClientStatus.isFatal(Int32(bitPattern: status.rawValue)) { forget(target.context) }
        return target.noted(status)
    }

    /// Delivers what is complete, before a function of the program runs that may read it: the downloads that were sent
    /// before the function was. Later ones the worker may not know yet, and what it does not know nobody delivers
    /// before the function has ended, if they follow it in its stream.
    static func collectForHostFunction(_ context: UnsafeMutablePointer<ContextState>, through newest: UInt64) {
        guard areAny, newest > 0 else { return }
        let worker = Worker(state: context.pointee.worker)
        guard let thread = ThreadState.mine, let lane = worker.lane(of: thread) else { return }
        _ = collect(
            DownloadCollect(kind: Wait.nothing, object: 0), lane, contextID: 0, through: newest, isOrdered: false)
    }

    private static func collect(
        _ command: DownloadCollect, _ lane: Lane, contextID: UInt64, through newest: UInt64, isOrdered: Bool
    ) -> CUresult {
        var own: [UInt64] = []
        var unfinished: [UInt64] = []
        let status = lane.collect(command, context: contextID, isOrdered: isOrdered) { bulk in
            receive(&bulk, &own, &unfinished)
        }
        finish(own)
        if status == ClientStatus.success { awaitOthers(through: newest, unfinished, lane) }
        return CUresult(status: status)
    }

    private static func receive(_ bulk: inout BulkBytes, _ own: inout [UInt64], _ unfinished: inout [UInt64]) {
        guard let finishedCount = word(&bulk), let restCount = word(&bulk),
            finishedCount <= bulk.remainingByteCount / 16, restCount <= bulk.remainingByteCount / 8
        else { return }
        var counts: [UInt64] = []
        for _ in 0..<finishedCount {
            guard let id = word(&bulk), let count = word(&bulk) else { return }
            own.append(id)
            counts.append(count)
        }
        for _ in 0..<restCount {
            guard let id = word(&bulk) else { return }
            unfinished.append(id)
        }
        for (index, id) in own.enumerated() where counts[index] > 0 {
            guard let entry = entry(id), UInt64(entry.box.byteCount) == counts[index], deliver(entry, &bulk) else {
                return
            }
        }
    }

    private static func word(_ bulk: inout BulkBytes) -> UInt64? {
        var value: UInt64 = 0
        let isRead = withUnsafeMutableBytes(of: &value) { bytes -> Bool in
            guard let start = bytes.baseAddress else { return false }
            return bulk.read(into: start, 8)
        }
        return isRead ? value : nil
    }

    private static func deliver(_ entry: Entry, _ bulk: inout BulkBytes) -> Bool {
        let box = entry.box
        if box.isDense(entry.plane) { return bulk.read(into: entry.host, box.byteCount) }
        for slice in 0..<box.depth {
            for row in 0..<box.height {
                let place = entry.host + (slice &* entry.plane.slicePitch &+ row &* entry.plane.pitch)
                guard bulk.read(into: place, box.width) else { return false }
            }
        }
        return true
    }

    private static func entry(_ id: UInt64) -> Entry? {
        lock.acquire()
        defer { lock.release() }
        for entry in entries where entry.id == id { return entry }
        return nil
    }

    /// Takes delivered downloads off the list and tells threads that wait for them.
    private static func finish(_ ids: [UInt64]) {
        guard !ids.isEmpty else { return }
        remove { ids.contains($0.id) }
    }

    private static func remove(_ isOver: (Entry) -> Bool) {
        lock.acquire()
        for entry in entries where isOver(entry) { byteCount &-= entry.box.byteCount }
        entries.removeAll(where: isOver)
        areAny = !entries.isEmpty
        lock.release()
        _ = posix_atomic_add_32(&deliveryWord, 1)
        _ = posix_futex_wake(&deliveryWord, Int32.max, false)
    }

    /// Waits until other threads have what the worker gave them of the downloads up to a place in their order.
    private static func awaitOthers(through newest: UInt64, _ unfinished: [UInt64], _ lane: Lane) {
        while areAny, !lane.isLost {
            let seen = posix_atomic_load_acquire_32(&deliveryWord)
            let isUnderWay = lock.withLock { () -> Bool in
                for entry in entries
                where entry.order != 0 && entry.order <= newest && !unfinished.contains(entry.id)
                    && lane.isTo(entry.context.pointee.worker)
                {
                    return true
                }
                return false
            }
            guard isUnderWay else { return }
            _ = posix_futex_wait(&deliveryWord, seen, 100_000_000, false)
        }
    }

    /// Gives the downloads of a context up that is lost or ends.
    static func forget(_ context: UnsafeMutablePointer<ContextState>) {
        guard areAny else { return }
        remove { $0.context == context }
    }
}

extension Box {
    /// Bytes from the first to the last on a plane; nil beyond what can be copied.
    func span(of plane: CopyPlane) -> Int? {
        guard byteCount > 0 else { return 0 }
        let (slices, slicesOverflow) = plane.slicePitch.multipliedReportingOverflow(by: depth &- 1)
        let (rows, rowsOverflow) = plane.pitch.multipliedReportingOverflow(by: height &- 1)
        let (partial, overflow) = slices.addingReportingOverflow(rows)
        let (span, spanOverflow) = partial.addingReportingOverflow(width)
        guard !slicesOverflow, !rowsOverflow, !overflow, !spanOverflow, span > 0 else { return nil }
        return span
    }
}

extension CUDADriver {
    /// Whether a range is pinned or registered memory of this process, so that copies to it need not wait.
    static func isPinned(_ start: UnsafeMutableRawPointer, _ byteCount: Int) -> Bool {
        let address = UInt64(UInt(bitPattern: start))
        if let device = device(containing: address) {
            guard let block = device.memory.block(containing: address), block.kind == MemoryKind.host.rawValue else {
                return false
            }
            let offset = address &- block.address
            return UInt64(byteCount) <= block.requestedByteCount &- min(block.requestedByteCount, offset)
        }
        guard HostMemory.hasRegistrations else { return false }
        tablesLock.acquire()
        defer { tablesLock.release() }
        guard let index = HostMemory.registrationIndex(UInt(address)) else { return false }
        let entry = HostMemory.registrations[index]
        return byteCount <= entry.byteCount &- Int(UInt(address) &- entry.host)
    }

    /// Where the device has pinned memory that it sees already, else nil.
    static func mirroredAddress(of host: UnsafeMutableRawPointer) -> UInt64? {
        let address = UInt64(UInt(bitPattern: host))
        guard Mirrors.areNeeded, let device = device(containing: address),
            let block = device.memory.block(containing: address), block.kind == MemoryKind.host.rawValue,
            block.flags & HostMemory.mirroredFlag != 0
        else { return nil }
        return address
    }
}
