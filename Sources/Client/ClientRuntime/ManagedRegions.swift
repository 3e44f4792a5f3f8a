internal import CPosix
internal import Primitives
internal import WireProtocol

/// Managed memory whose pages come when the program touches them, and the thread that brings them.
///
/// The kernel holds whoever touches a page that is not here, also in the middle of a system call, and tells the thread.
/// Nobody may hold ``lock`` while waiting for a worker or touching a page that is not here; the thread takes no other
/// lock of the library than its lanes' own, whatever the thread that touched the page holds.
public enum ManagedRegions {
    /// Guards the list and all regions.
    private static let lock = Lock()
    // SAFETY: only touched under `lock`; `areAny` is a hint that is read without it.
    nonisolated(unsafe) private static var regions: [ManagedRegion] = []
    /// Whether there is any region.
    nonisolated(unsafe) public private(set) static var areAny = false
    /// Negative without demand fetching; 0 before the first use.
    nonisolated(unsafe) private static var descriptor: Int32 = 0
    /// The thread's lanes by worker.
    nonisolated(unsafe) private static var lanes: [Lane?] = []
    // SAFETY: only touched by the thread that serves faults.
    nonisolated(unsafe) private static var hasFailed = false
    // SAFETY: both only touched under `lock`.
    /// Counts the times that work was sent.
    nonisolated(unsafe) private static var moment: UInt64 = 0
    /// Where events were recorded, the oldest first.
    nonisolated(unsafe) private static var records: [(event: UInt64, key: StreamKey, moment: UInt64)] = []
    private static let recordCountMax = 256

    /// The most bytes that are fetched at once.
    public static var pieceByteCount: Int { ReadAhead.pageCountMax &* ManagedRegion.pageByteCount }

    /// Begins to watch memory of which both sides are zero. False where the system does not allow it.
    public static func add(
        _ start: UnsafeMutableRawPointer, byteCount: Int, context: UnsafeMutablePointer<ContextState>
    ) -> Bool {
        lock.acquire()
        defer { lock.release() }
        guard open(), openLane(Worker(state: context.pointee.worker)),
            let region = ManagedRegion(start: start, byteCount: byteCount, context: context, descriptor: descriptor)
        else { return false }
        regions.append(region)
        areAny = true
        return true
    }

    /// Stops watching memory, before its pages go. Whether it was watched.
    public static func remove(_ start: UnsafeMutableRawPointer) -> Bool {
        guard areAny else { return false }
        lock.acquire()
        defer { lock.release() }
        guard let index = regions.firstIndex(where: { $0.start == start }) else { return false }
        regions[index].isAlive = false
        regions.remove(at: index)
        areAny = !regions.isEmpty
        return true
    }

    /// All regions at a worker.
    public static func all(of worker: UnsafeMutablePointer<WorkerState>) -> [ManagedRegion] {
        guard areAny else { return [] }
        lock.acquire()
        defer { lock.release() }
        return regions.filter { $0.context.pointee.worker == worker }
    }

    /// Whether work may be under way that writes a region at a worker.
    public static func isAnyNewer(of worker: UnsafeMutablePointer<WorkerState>) -> Bool {
        guard areAny else { return false }
        lock.acquire()
        defer { lock.release() }
        for region in regions where region.context.pointee.worker == worker && region.isDeviceNewer { return true }
        return false
    }

    /// Whether all of a range lies in one region.
    public static func contains(_ address: UInt64, _ byteCount: Int) -> Bool {
        guard areAny else { return false }
        lock.acquire()
        defer { lock.release() }
        guard let region = find(UInt(address)) else { return false }
        return byteCount <= region.byteCount &- Int(UInt(address) &- UInt(bitPattern: region.start))
    }

    /// Whether a touch may still need a worker, so that the connections must not end before the process.
    static var mayFetch: Bool {
        guard areAny else { return false }
        lock.acquire()
        defer { lock.release() }
        for region in regions where region.isDeviceNewer || region.hasPagesAway { return true }
        return false
    }

    // MARK: - Exchange

    /// Notes work that was sent after what ``takeChanges(of:)`` gave.
    public static func noteWork(_ region: ManagedRegion, _ key: StreamKey, writes: Bool) {
        lock.acquire()
        moment &+= 1
        region.noteWork(key, at: moment, writes: writes)
        lock.release()
    }

    /// Notes that an event was recorded in a stream, so that a wait for it is known to cover the work before.
    public static func noteRecord(_ event: UInt64, _ key: StreamKey) {
        lock.acquire()
        defer { lock.release() }
        if let index = records.firstIndex(where: { $0.event == event }) { records.remove(at: index) }
        if records.count == recordCountMax { records.removeFirst() }
        records.append((event, key, moment))
    }

    /// A graph may record events anew, in any stream.
    public static func forgetRecords() {
        if areAny { lock.withLock { records = [] } }
    }

    /// What a wait for an event will have waited for.
    public static func coverage(of event: UInt64) -> WaitCoverage {
        guard areAny else { return .part }
        lock.acquire()
        defer { lock.release() }
        for record in records where record.event == event { return .record(record.key, record.moment) }
        return .part
    }

    /// Bytes that the host wrote since the last time, from the region's start; the caller sends them.
    public static func takeChanges(of region: ManagedRegion) -> [Range<Int>] {
        lock.withLock { region.takeChanges() }
    }

    /// After a wait: gives up what the device may have written. Pages that the host has written meanwhile are answered;
    /// the caller fetches and merges them.
    public static func giveUp(_ region: ManagedRegion, _ coverage: WaitCoverage) -> [Range<Int>] {
        lock.withLock { region.giveUp(coverage) }
    }

    /// Pages as bytes from the region's start.
    public static func bytes(of pages: Range<Int>, in region: ManagedRegion) -> Range<Int> { region.bytes(of: pages) }

    /// Cuts pages into pieces that are fetched at once.
    public static func pieces(of pages: Range<Int>) -> [Range<Int>] {
        stride(from: pages.lowerBound, to: pages.upperBound, by: ReadAhead.pageCountMax).map {
            $0..<min($0 &+ ReadAhead.pageCountMax, pages.upperBound)
        }
    }

    /// Takes over the device's bytes of dirty pages.
    public static func merge(
        _ region: ManagedRegion, _ pages: Range<Int>, _ bytes: UnsafeRawPointer, scratch: UnsafeMutableRawPointer
    ) {
        lock.withLock { if region.isAlive { region.merge(pages, bytes, scratch: scratch) } }
    }

    // MARK: - Wishes

    /// Notes that the program wants a range on the host's side.
    public static func want(_ address: UInt64, _ byteCount: Int) {
        lock.acquire()
        defer { lock.release() }
        guard let region = find(UInt(address)), byteCount > 0 else { return }
        let end = UInt(bitPattern: region.start) &+ UInt(region.byteCount &- 1)
        let last = min(UInt(address) &+ UInt(byteCount &- 1), end)
        let pages = region.page(of: UInt(address))..<(region.page(of: last) &+ 1)
        region.wanted =
            region.wanted.isEmpty
            ? pages
            : min(region.wanted.lowerBound, pages.lowerBound)..<max(region.wanted.upperBound, pages.upperBound)
    }

    /// The wanted pages, and the generation that they have to be of, unless work is under way that may write them.
    public static func takeWanted(of region: ManagedRegion) -> (pages: Range<Int>, generation: UInt64)? {
        lock.acquire()
        defer { lock.release() }
        guard !region.wanted.isEmpty, !region.isDeviceNewer else { return nil }
        defer { region.wanted = 0..<0 }
        return (region.wanted, region.generation)
    }

    /// Puts bytes of wanted pages where they are not here yet.
    public static func arrive(_ region: ManagedRegion, _ pages: Range<Int>, _ bytes: UnsafeRawPointer, since: UInt64) {
        lock.withLock {
            if region.isAlive { _ = region.arrive(pages, bytes, since: since, isWrite: false) }
        }
    }

    // MARK: - The thread

    private static func find(_ address: UInt) -> ManagedRegion? {
        for region in regions where region.contains(address) { return region }
        return nil
    }

    /// Opens the descriptor and starts the thread at the first use; false where that is not possible or not wanted.
    private static func open() -> Bool {
        guard descriptor == 0 else { return descriptor > 0 }
        descriptor = -1
        if let mode = Environment.text("ROOST_MANAGED"), Environment.equals(mode, "whole") { return false }
        guard posix_page_byte_count() == ManagedRegion.pageByteCount else { return false }
        let opened = posix_faults_open()
        guard opened > 0 else {
            ClientLog.line("managed memory is fetched whole: userfaultfd is not allowed, error ", number: Int64(opened))
            return false
        }
        guard OSThread.start("roost-pages", { serve(opened) }) != nil else {
            _ = posix_close(opened)
            return false
        }
        descriptor = opened
        return true
    }

    private static func openLane(_ worker: Worker) -> Bool {
        let index = worker.laneTableIndex
        while lanes.count <= index { lanes.append(nil) }
        if lanes[index] == nil { lanes[index] = worker.makeLane() }
        return lanes[index] != nil
    }

    private static func serve(_ descriptor: Int32) {
        let access = Int32(POSIX_PROTECT_READ | POSIX_PROTECT_WRITE)
        guard let zeros = posix_map_anonymous(nil, pieceByteCount, access),
            let buffer = posix_map_anonymous(nil, pieceByteCount, access)
        else { return ClientLog.problem("no memory to fetch pages into; touching managed memory will hang") }
        while true {
            var address: UInt64 = 0
            let kind = posix_faults_next(descriptor, &address)
            guard kind >= 0 else { return ClientLog.problem("managed memory can't be watched any more") }
            serve(UInt(address), isWrite: kind == 1, descriptor, zeros: zeros, buffer)
        }
    }

    private static func serve(
        _ address: UInt, isWrite: Bool, _ descriptor: Int32, zeros: UnsafeMutableRawPointer,
        _ buffer: UnsafeMutableRawPointer
    ) {
        TransferCounts.noteFault()
        while true {
            lock.acquire()
            guard let region = find(address) else {
                lock.release()
                // Freed meanwhile: the access then fails as any to memory that is not there.
                let page = address & ~UInt(ManagedRegion.pageByteCount &- 1)
                if let start = UnsafeMutableRawPointer(bitPattern: page) {
                    posix_faults_wake(descriptor, start, ManagedRegion.pageByteCount)
                }
                return
            }
            let pages = region.resolve(region.page(of: address), isWrite: isWrite, zeros: zeros)
            let generation = region.generation
            lock.release()
            guard let pages else { return }
            fetch(pages, of: region, into: buffer)
            let isOver = lock.withLock {
                region.isAlive ? region.arrive(pages, buffer, since: generation, isWrite: isWrite) : false
            }
            if isOver { return }
        }
    }

    /// Fetches pages from the device; zeros where that fails, as the thread that waits for them must go on.
    private static func fetch(_ pages: Range<Int>, of region: ManagedRegion, into buffer: UnsafeMutableRawPointer) {
        let bytes = region.bytes(of: pages)
        let worker = Worker(state: region.context.pointee.worker)
        // The last page may be longer than what the program asked for.
        memset(buffer + bytes.count, 0, pages.count &* ManagedRegion.pageByteCount &- bytes.count)
        let lane = lock.withLock { worker.laneTableIndex < lanes.count ? lanes[worker.laneTableIndex] : nil }
        if let lane {
            var reply = PageFetch.Reply()
            let result = lane.call(
                PageFetch(
                    address: UInt64(UInt(bitPattern: region.start)) &+ UInt64(bytes.lowerBound),
                    byteCount: UInt64(bytes.count)),
                reply: &reply, context: region.context.pointee.id, isOrdered: false,
                into: UnsafeMutableRawBufferPointer(start: buffer, count: bytes.count))
            if result.hasOutputs { return TransferCounts.noteFetched(bytes.count) }
        }
        memset(buffer, 0, bytes.count)
        guard !hasFailed else { return }
        hasFailed = true
        ClientLog.problem("managed memory can't be fetched from the worker; it reads as zeros from now on")
    }
}
