internal import CCUDA
internal import CPosix
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

/// What of the device's memory a piece of work may write.
enum DeviceWrites {
    case nothing
    case range(UInt64, UInt64)
    case everything
}

/// Host memory that the device may reach: kept alike on both sides around the device's work.
///
/// What the host changed is sent before work that may read it; what the device changed comes back when the program has
/// waited for it. A program that polls such memory while a kernel runs sees nothing until it waits.
///
/// Allocations of managed memory are regions of ``ManagedRegions`` where the system allows it: their pages come when
/// the program touches them. All else, and managed memory elsewhere, has a shadow and is compared and fetched whole.
enum Mirrors {
    struct Entry {
        var mirror: Mirror
        var context: UnsafeMutablePointer<ContextState>
    }

    // SAFETY: only touched under `lock`; `areNeeded` is a hint that is read without it.
    nonisolated(unsafe) private static var entries: [Entry] = []
    private static let lock = Lock()
    /// Whether there are mirrors, or host memory that could become one.
    nonisolated(unsafe) private(set) static var areNeeded = false
    nonisolated(unsafe) private static var pinnedCount = 0
    // SAFETY: only ever set to true; a stale read is one of an earlier moment.
    /// Whether a stream may be waiting for a word of memory. Mirrors then travel beside all streams that wait for the
    /// default stream or are waited for, since what the host wrote may be what a stream waits for.
    nonisolated(unsafe) static var streamsMayWait = false

    private static func update() { areNeeded = !entries.isEmpty || pinnedCount > 0 || ManagedRegions.areAny }

    /// Notes pinned memory, which a kernel may get a pointer to without asking.
    static func pinnedChanged(by count: Int) {
        lock.acquire()
        pinnedCount &+= count
        update()
        lock.release()
    }

    static func add(
        host: UnsafeMutableRawPointer, deviceAddress: UInt64, byteCount: Int,
        context: UnsafeMutablePointer<ContextState>
    ) -> Bool {
        guard let mirror = Mirror(host: host, deviceAddress: deviceAddress, byteCount: byteCount) else { return false }
        lock.acquire()
        entries.append(Entry(mirror: mirror, context: context))
        update()
        lock.release()
        return true
    }

    /// Mirrors an allocation of managed memory, page by page where that is possible.
    static func addManaged(
        host: UnsafeMutableRawPointer, byteCount: Int, context: UnsafeMutablePointer<ContextState>
    ) -> Bool {
        lock.acquire()
        let isWatched = ManagedRegions.add(host, byteCount: byteCount, context: context)
        update()
        lock.release()
        let address = UInt64(UInt(bitPattern: host))
        return isWatched || add(host: host, deviceAddress: address, byteCount: byteCount, context: context)
    }

    /// Mirrors memory of which the device has the only true copy so far.
    static func addFetched(
        host: UnsafeMutableRawPointer, deviceAddress: UInt64, byteCount: Int, _ target: CallTarget
    ) -> Bool {
        CPosix.memset(host, 0, byteCount)
        guard let mirror = Mirror(host: host, deviceAddress: deviceAddress, byteCount: byteCount) else { return false }
        fetch(mirror, target)
        lock.acquire()
        entries.append(Entry(mirror: mirror, context: target.context))
        update()
        lock.release()
        return true
    }

    static func remove(deviceAddress: UInt64) {
        lock.acquire()
        if let host = UnsafeMutableRawPointer(bitPattern: UInt(deviceAddress)) { _ = ManagedRegions.remove(host) }
        for entry in entries where entry.mirror.deviceAddress == deviceAddress { entry.mirror.dispose() }
        entries.removeAll { $0.mirror.deviceAddress == deviceAddress }
        update()
        lock.release()
    }

    static func contains(_ address: UInt64) -> Bool {
        guard areNeeded else { return false }
        lock.acquire()
        defer { lock.release() }
        for entry in entries
        where address &- entry.mirror.deviceAddress < UInt64(truncatingIfNeeded: entry.mirror.byteCount) {
            return true
        }
        return false
    }

    /// Before a launch: pinned memory that a parameter points to becomes a mirror, then all mirrors are sent.
    static func prepareLaunch(_ parameters: UnsafeRawBufferPointer, _ target: CallTarget, stream: UInt64) {
        mirrorPointers(in: parameters, target)
        sendChanges(target, stream: stream)
    }

    /// Lets the device see the pinned memory that a parameter points to.
    static func mirrorPointers(in parameters: UnsafeRawBufferPointer, _ target: CallTarget) {
        if pinnedCount > 0 {
            var offset = 0
            while offset &+ 8 <= parameters.count {
                let word = parameters.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                CUDADriver.mirrorPinned(word, target)
                offset &+= 8
            }
        }
    }

    /// Before other work that may read mirrored memory, and write what it says.
    static func sendChanges(
        _ target: CallTarget, stream: UInt64 = StreamID.legacyDefault, writes: DeviceWrites = .everything
    ) {
        guard areNeeded else { return }
        let sendingStream = streamsMayWait ? StreamID.perThread : stream
        lock.acquire()
        defer { lock.release() }
        for index in entries.indices where entries[index].context.pointee.worker == target.context.pointee.worker {
            let mirror = entries[index].mirror
            var offset = 0
            while let range = mirror.nextChange(from: offset) {
                offset = range.upperBound
                send(mirror.host, mirror.deviceAddress, range, sendingStream, target)
            }
            entries[index].mirror.isDeviceNewer = true
        }
        guard ManagedRegions.areAny else { return }
        let key = streamsMayWait ? StreamKey.unnamed(of: target.context.pointee.id) : target.key(of: stream)
        for region in ManagedRegions.all(of: target.context.pointee.worker) {
            let address = UInt64(UInt(bitPattern: region.start))
            for range in ManagedRegions.takeChanges(of: region) {
                send(region.start, address, range, sendingStream, target)
            }
            ManagedRegions.noteWork(region, key, writes: writes.mayReach(address, UInt64(region.byteCount)))
        }
    }

    private static func send(
        _ host: UnsafeMutableRawPointer, _ deviceAddress: UInt64, _ range: Range<Int>, _ stream: UInt64,
        _ target: CallTarget
    ) {
        TransferCounts.noteSent(range.count)
        _ = target.lane.send(
            CopyHostToDevice(
                bulkByteCount: UInt64(range.count), address: deviceAddress &+ UInt64(range.lowerBound), stream: stream),
            bulk: UnsafeRawBufferPointer(start: host + range.lowerBound, count: range.count),
            context: target.context.pointee.id)
    }

    /// Whether work was sent to a worker that may write host memory, so that only a wait can bring what it wrote.
    static func mayBeNewer(of worker: UnsafeMutablePointer<WorkerState>) -> Bool {
        guard areNeeded else { return false }
        lock.acquire()
        defer { lock.release() }
        for entry in entries where entry.mirror.isDeviceNewer && entry.context.pointee.worker == worker { return true }
        return ManagedRegions.isAnyNewer(of: worker)
    }

    /// After a wait: takes back what the device wrote, or lets it come when it is touched.
    static func deviceIsIdle(_ target: CallTarget, _ coverage: WaitCoverage = .part) {
        guard areNeeded else { return }
        lock.acquire()
        defer { lock.release() }
        for index in entries.indices
        where entries[index].mirror.isDeviceNewer
            && entries[index].context.pointee.worker == target.context.pointee.worker
        {
            fetch(entries[index].mirror, target)
            entries[index].mirror.isDeviceNewer = false
        }
        for region in ManagedRegions.all(of: target.context.pointee.worker) {
            let dirty = ManagedRegions.giveUp(region, coverage)
            if !dirty.isEmpty { merge(dirty, region, target) }
            bringWanted(region, target)
        }
    }

    /// After a copy or a fill that the program counts as done, though the worker may not have come to it.
    static func copyIsOver(_ target: CallTarget, stream: UInt64) -> CUresult {
        guard areNeeded else { return CUDA_SUCCESS }
        if ManagedRegions.isAnyNewer(of: target.context.pointee.worker),
            !target.lane.isIdle(stream: stream, context: target.context.pointee.id)
        {
            let status = target.call(StreamSynchronize(hStream: stream))
            guard status == CUDA_SUCCESS else { return status }
        }
        deviceIsIdle(target, .stream(target.key(of: stream)))
        return CUDA_SUCCESS
    }

    /// Brings what the program wants on the host's side, unless work is under way that may change it.
    static func bringWanted(_ target: CallTarget) {
        lock.acquire()
        defer { lock.release() }
        for region in ManagedRegions.all(of: target.context.pointee.worker) { bringWanted(region, target) }
    }

    private static func bringWanted(_ region: ManagedRegion, _ target: CallTarget) {
        guard let (pages, generation) = ManagedRegions.takeWanted(of: region) else { return }
        forEachPiece([pages], region, target) { piece, bytes in
            ManagedRegions.arrive(region, piece, bytes, since: generation)
        }
    }

    private static func merge(_ dirty: [Range<Int>], _ region: ManagedRegion, _ target: CallTarget) {
        withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 4096) { scratch in
            guard let scratch = scratch.baseAddress else { return }
            forEachPiece(dirty, region, target) { piece, bytes in
                ManagedRegions.merge(region, piece, bytes, scratch: scratch)
            }
        }
    }

    /// Fetches pages in pieces. The bytes behind the program's last one are zero.
    private static func forEachPiece(
        _ runs: [Range<Int>], _ region: ManagedRegion, _ target: CallTarget,
        _ body: (Range<Int>, UnsafeRawPointer) -> Void
    ) {
        guard let memory = calloc(1, ManagedRegions.pieceByteCount) else { return }
        defer { free(memory) }
        for run in runs {
            for piece in ManagedRegions.pieces(of: run) {
                let bytes = ManagedRegions.bytes(of: piece, in: region)
                let address = UInt64(UInt(bitPattern: region.start)) &+ UInt64(bytes.lowerBound)
                guard fetch(address, bytes.count, into: memory, target) else { return }
                memset(memory + bytes.count, 0, piece.count &* 4096 &- bytes.count)
                body(piece, memory)
            }
        }
    }

    private static func fetch(_ mirror: Mirror, _ target: CallTarget) {
        guard let memory = malloc(mirror.byteCount) else { return }
        defer { free(memory) }
        if fetch(mirror.deviceAddress, mirror.byteCount, into: memory, target) { mirror.merge(memory) }
    }

    private static func fetch(
        _ address: UInt64, _ byteCount: Int, into memory: UnsafeMutableRawPointer, _ target: CallTarget
    ) -> Bool {
        var reply = CopyDeviceToHost.Reply()
        let result = target.lane.call(
            CopyDeviceToHost(
                address: address, byteCount: UInt64(byteCount),
                stream: streamsMayWait ? StreamID.perThread : StreamID.legacyDefault),
            reply: &reply, context: target.context.pointee.id,
            into: UnsafeMutableRawBufferPointer(start: memory, count: byteCount))
        if result.hasOutputs { TransferCounts.noteFetched(byteCount) }
        return result.hasOutputs
    }
}

extension DeviceWrites {
    /// What a copy to this end writes.
    static func to(_ end: CopyEnd, _ byteCount: Int?) -> DeviceWrites {
        guard case .device(let address) = end else { return .nothing }
        guard let byteCount else { return .everything }
        return .range(address, UInt64(byteCount))
    }

    fileprivate func mayReach(_ address: UInt64, _ byteCount: UInt64) -> Bool {
        switch self {
        case .nothing: false
        case .range(let start, let count): start < address &+ byteCount && address < start &+ count
        case .everything: true
        }
    }
}

extension CallTarget {
    /// Names a stream for what is known of its work.
    func key(of stream: UInt64) -> StreamKey {
        var stream = stream == StreamID.legacy ? StreamID.legacyDefault : stream
        // Each thread has one of that name.
        if stream == StreamID.perThread { stream = UInt64(UInt(bitPattern: thread)) }
        return StreamKey(context: context.pointee.id, stream: stream)
    }
}

extension CopyEnd {
    /// Managed memory that is fetched by need counts as the device's, so that a copy need not bring it here first.
    func settled(_ byteCount: Int?) -> CopyEnd {
        guard ManagedRegions.areAny, case .host(let pointer) = self, let byteCount else { return self }
        let address = UInt64(UInt(bitPattern: pointer))
        return ManagedRegions.contains(address, byteCount) ? .device(address) : self
    }
}
