internal import CPosix

/// What a page of managed memory is to the host.
enum PageState {
    /// Missing; zero on both sides.
    static let blank: UInt8 = 0
    /// Missing; the device has it.
    static let away: UInt8 = 1
    /// Here and protected; as the device had it.
    static let clean: UInt8 = 2
    /// Here and protected; what the host wrote is on its way to the device.
    static let sent: UInt8 = 3
    /// Here and writable.
    static let dirty: UInt8 = 4
}

/// A stream of a context, as far as it matters whose work was waited for.
public struct StreamKey: Equatable {
    var context: UInt64
    var stream: UInt64

    /// Names a stream.
    public init(context: UInt64, stream: UInt64) {
        self.context = context
        self.stream = stream
    }

    /// Work of a context of which only a wait for the whole context is known to cover it.
    public static func unnamed(of context: UInt64) -> StreamKey { StreamKey(context: context, stream: .max) }
}

/// What a wait has waited for.
public enum WaitCoverage {
    case context(UInt64)
    case stream(StreamKey)
    /// Work of a stream up to a moment, as an event's record counts it.
    case record(StreamKey, UInt64)
    /// Some of the work under way.
    case part
}

// SAFETY: all mutable properties are read and written under `ManagedRegions.lock`.
/// One allocation of managed memory whose pages come when the program touches them.
public final class ManagedRegion: @unchecked Sendable {
    /// Where it is, on both sides.
    public let start: UnsafeMutableRawPointer
    /// What the program asked for, in bytes.
    public let byteCount: Int
    /// The context that has it.
    public let context: UnsafeMutablePointer<ContextState>
    let descriptor: Int32
    let pageCount: Int
    private let states: UnsafeMutablePointer<UInt8>
    /// For each dirty or sent page, what the device had before the host wrote.
    private let twin: UnsafeMutableRawPointer
    private var dirtyPages = 0..<0
    /// Counts the times that pages were given up: what was fetched before may be old.
    private(set) var generation: UInt64 = 0
    private var reads = ReadAhead()
    private var writes = ReadAhead()
    /// Streams with work under way that may write it, or that its bytes were sent in, and when they got the newest.
    private var streams: [(key: StreamKey, moment: UInt64)] = []
    var isAlive = true
    /// Whether work was sent that may write the device's side.
    var isDeviceNewer = false
    /// What the program wants to be here, in pages.
    var wanted = 0..<0

    static let pageByteCount = 4096
    private static let streamCountMax = 16

    /// Nil without memory, or where the system does not let the pages be watched.
    init?(
        start: UnsafeMutableRawPointer, byteCount: Int, context: UnsafeMutablePointer<ContextState>, descriptor: Int32
    ) {
        let pages = (byteCount &+ ManagedRegion.pageByteCount &- 1) / ManagedRegion.pageByteCount
        let rounded = pages &* ManagedRegion.pageByteCount
        let access = Int32(POSIX_PROTECT_READ | POSIX_PROTECT_WRITE)
        guard byteCount > 0, let states = posix_map_anonymous(nil, pages, access) else { return nil }
        guard let twin = posix_map_anonymous(nil, rounded, access) else {
            _ = posix_unmap(states, pages)
            return nil
        }
        guard posix_faults_watch(descriptor, start, rounded) == 0 else {
            _ = posix_unmap(states, pages)
            _ = posix_unmap(twin, rounded)
            return nil
        }
        // A child has no thread that could bring pages; it must fault rather than wait for ever, or read zeros.
        _ = posix_keep_from_children(start, rounded)
        self.start = start
        self.byteCount = byteCount
        self.context = context
        self.descriptor = descriptor
        pageCount = pages
        self.states = states.assumingMemoryBound(to: UInt8.self)
        self.twin = twin
    }

    deinit {
        _ = posix_unmap(states, pageCount)
        _ = posix_unmap(twin, pageCount &* ManagedRegion.pageByteCount)
    }

    func contains(_ address: UInt) -> Bool {
        address &- UInt(bitPattern: start) < UInt(pageCount &* ManagedRegion.pageByteCount)
    }

    /// The page that contains an address of the region.
    func page(of address: UInt) -> Int { Int(address &- UInt(bitPattern: start)) / ManagedRegion.pageByteCount }

    /// Pages as bytes from the region's start, as far as the program asked for them.
    func bytes(of pages: Range<Int>) -> Range<Int> {
        let first = min(pages.lowerBound &* ManagedRegion.pageByteCount, byteCount)
        return first..<max(first, min(pages.upperBound &* ManagedRegion.pageByteCount, byteCount))
    }

    /// Whether some pages would have to come from the device.
    var hasPagesAway: Bool {
        for page in 0..<pageCount where states[page] == PageState.away { return true }
        return false
    }

    /// Pages around `page` in the same state as it, as far as read-ahead may go.
    private func neighbours(of page: Int) -> Range<Int> {
        let state = states[page]
        var first = page
        var last = page &+ 1
        let lowest = max(0, page &- ReadAhead.pageCountMax)
        let highest = min(pageCount, page &+ ReadAhead.pageCountMax)
        while first > lowest, states[first &- 1] == state { first &-= 1 }
        while last < highest, states[last] == state { last &+= 1 }
        return first..<last
    }

    /// The first run of pages at or after `page`, before `end`, that are in `state`.
    private func nextRun(of state: UInt8, from page: Int, before end: Int) -> Range<Int>? {
        var first = page
        while first < end, states[first] != state { first &+= 1 }
        guard first < end else { return nil }
        var last = first &+ 1
        while last < end, states[last] == state { last &+= 1 }
        return first..<last
    }

    private func set(_ pages: Range<Int>, _ state: UInt8) {
        memset(states + pages.lowerBound, Int32(state), pages.count)
        guard state == PageState.dirty else { return }
        dirtyPages =
            dirtyPages.isEmpty
            ? pages
            : min(dirtyPages.lowerBound, pages.lowerBound)..<max(dirtyPages.upperBound, pages.upperBound)
    }

    private func host(_ pages: Range<Int>) -> (start: UnsafeMutableRawPointer, byteCount: Int) {
        (
            start + pages.lowerBound &* ManagedRegion.pageByteCount, pages.count &* ManagedRegion.pageByteCount
        )
    }

    private func twin(_ pages: Range<Int>) -> UnsafeMutableRawPointer {
        twin + pages.lowerBound &* ManagedRegion.pageByteCount
    }

    private func wake(_ pages: Range<Int>) {
        let (start, byteCount) = host(pages)
        posix_faults_wake(descriptor, start, byteCount)
    }

    // MARK: - Touches

    /// Lets a thread go on that touched a page, or answers which pages have to be fetched first. `zeros` has as many
    /// bytes as the largest extent.
    func resolve(_ page: Int, isWrite: Bool, zeros: UnsafeRawPointer) -> Range<Int>? {
        let bounds = neighbours(of: page)
        switch states[page] {
        case PageState.away: return reads.extent(at: page, within: bounds)
        case PageState.blank:
            let pages = reads.extent(at: page, within: bounds)
            let (start, byteCount) = host(pages)
            set(pages, isWrite ? PageState.dirty : PageState.clean)
            if posix_faults_fill(descriptor, start, zeros, byteCount, !isWrite) != 0 { wake(pages) }
        case PageState.dirty:
            let (start, byteCount) = host(page..<(page &+ 1))
            _ = posix_faults_protect(descriptor, start, byteCount, false)
            wake(page..<(page &+ 1))
        default:
            guard isWrite else {
                wake(page..<(page &+ 1))
                break
            }
            let pages = writes.extent(at: page, within: bounds)
            let (start, byteCount) = host(pages)
            memcpy(twin(pages), start, byteCount)
            set(pages, PageState.dirty)
            _ = posix_faults_protect(descriptor, start, byteCount, false)
        }
        return nil
    }

    /// Puts fetched bytes where pages are still away. False when they may be old, so that they must be fetched again.
    func arrive(_ pages: Range<Int>, _ bytes: UnsafeRawPointer, since generation: UInt64, isWrite: Bool) -> Bool {
        guard generation == self.generation else { return false }
        var next = pages.lowerBound
        while let run = nextRun(of: PageState.away, from: next, before: pages.upperBound) {
            next = run.upperBound
            let source = bytes + (run.lowerBound &- pages.lowerBound) &* ManagedRegion.pageByteCount
            let (start, byteCount) = host(run)
            if isWrite { memcpy(twin(run), source, byteCount) }
            set(run, isWrite ? PageState.dirty : PageState.clean)
            if posix_faults_fill(descriptor, start, source, byteCount, !isWrite) != 0 { wake(run) }
        }
        return true
    }

    // MARK: - Exchange

    /// Notes work that was sent, and that it may write the region.
    func noteWork(_ key: StreamKey, at moment: UInt64, writes: Bool) {
        if writes { isDeviceNewer = true }
        for index in streams.indices where streams[index].key == key {
            streams[index].moment = moment
            return
        }
        streams.append((key, moment))
        guard streams.count > ManagedRegion.streamCountMax else { return }
        var contexts: [(key: StreamKey, moment: UInt64)] = []
        for stream in streams {
            let unnamed = StreamKey.unnamed(of: stream.key.context)
            if !contexts.contains(where: { $0.key == unnamed }) { contexts.append((unnamed, moment)) }
        }
        streams = contexts
    }

    /// Bytes that the host wrote, from the region's start. They count as sent from now on.
    func takeChanges() -> [Range<Int>] {
        var changes: [Range<Int>] = []
        var next = dirtyPages.lowerBound
        while let run = nextRun(of: PageState.dirty, from: next, before: dirtyPages.upperBound) {
            next = run.upperBound
            let (start, byteCount) = host(run)
            // From here on a write waits for `ManagedRegions.lock`, and finds a page that is not dirty.
            _ = posix_faults_protect(descriptor, start, byteCount, true)
            appendChanges(in: bytes(of: run), to: &changes)
            set(run, PageState.sent)
        }
        dirtyPages = 0..<0
        return changes
    }

    private func appendChanges(in bytes: Range<Int>, to changes: inout [Range<Int>]) {
        let block = 64
        var offset = bytes.lowerBound
        while offset < bytes.upperBound {
            let page = min(ManagedRegion.pageByteCount, bytes.upperBound &- offset)
            guard memcmp(start + offset, twin + offset, page) != 0 else {
                offset &+= page
                continue
            }
            let end = offset &+ page
            while offset < end {
                let count = min(block, end &- offset)
                if memcmp(start + offset, twin + offset, count) != 0 {
                    if let last = changes.last, last.upperBound == offset {
                        changes[changes.count &- 1] = last.lowerBound..<(offset &+ count)
                    } else {
                        changes.append(offset..<(offset &+ count))
                    }
                }
                offset &+= count
            }
        }
    }

    /// After a wait: gives up what the device may have written. The pages that have to be merged, as the host wrote
    /// them since the last wait for everything.
    func giveUp(_ coverage: WaitCoverage) -> [Range<Int>] {
        switch coverage {
        case .context(let id): streams.removeAll { $0.key.context == id }
        case .stream(let key): streams.removeAll { $0.key == key }
        case .record(let key, let moment): streams.removeAll { $0.key == key && $0.moment <= moment }
        case .part: break
        }
        guard isDeviceNewer else { return [] }
        let isIdle = streams.isEmpty
        if isIdle { isDeviceNewer = false }
        generation &+= 1
        var dirty: [Range<Int>] = []
        var next = 0
        while next < pageCount {
            let state = states[next]
            guard let run = nextRun(of: state, from: next, before: pageCount) else { break }
            next = run.upperBound
            switch state {
            case PageState.blank: set(run, PageState.away)
            case PageState.dirty: dirty.append(run)
            case PageState.clean: drop(run)
            case PageState.sent:
                // What is on its way could be fetched before it has arrived.
                if isIdle { drop(run) } else { dirty.append(run) }
            default: break
            }
        }
        return dirty
    }

    private func drop(_ pages: Range<Int>) {
        let (start, byteCount) = host(pages)
        set(pages, PageState.away)
        _ = posix_discard(start, byteCount)
    }

    /// Takes over what the device has of pages, except where the host wrote: there they differ from their twins.
    func merge(_ pages: Range<Int>, _ bytes: UnsafeRawPointer, scratch: UnsafeMutableRawPointer) {
        let size = ManagedRegion.pageByteCount
        for page in pages where states[page] == PageState.dirty || states[page] == PageState.sent {
            let device = bytes + (page &- pages.lowerBound) &* size
            let agreed = twin + page &* size
            guard memcmp(device, agreed, min(size, byteCount &- page &* size)) != 0 else { continue }
            let place = start + page &* size
            // Nobody writes between the look at the page and its replacement.
            _ = posix_faults_protect(descriptor, place, size, true)
            memcpy(scratch, place, size)
            Mirror.mergeBytes(scratch, agreed, device, 0..<min(size, byteCount &- page &* size))
            _ = posix_discard(place, size)
            let isSent = states[page] == PageState.sent
            if posix_faults_fill(descriptor, place, scratch, size, isSent) != 0 { wake(page..<(page &+ 1)) }
        }
    }
}
