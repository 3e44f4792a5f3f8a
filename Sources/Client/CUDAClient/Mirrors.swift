internal import CCUDA
internal import CPosix
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

/// Host memory that the device may reach: kept alike on both sides around the device's work.
///
/// What the host changed is sent before work that may read it; what the device changed comes back when the program has
/// waited for it. A program that polls such memory while a kernel runs sees nothing until it waits.
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

    private static func update() { areNeeded = !entries.isEmpty || pinnedCount > 0 }

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

    /// Before other work that may read or write mirrored memory.
    static func sendChanges(_ target: CallTarget, stream: UInt64 = StreamID.legacyDefault) {
        guard areNeeded else { return }
        let stream = streamsMayWait ? StreamID.perThread : stream
        lock.acquire()
        defer { lock.release() }
        for index in entries.indices where entries[index].context.pointee.worker == target.context.pointee.worker {
            let mirror = entries[index].mirror
            var offset = 0
            while let range = mirror.nextChange(from: offset) {
                offset = range.upperBound
                let bytes = UnsafeRawBufferPointer(start: mirror.host + range.lowerBound, count: range.count)
                let address = mirror.deviceAddress &+ UInt64(range.lowerBound)
                _ = target.lane.send(
                    CopyHostToDevice(bulkByteCount: UInt64(range.count), address: address, stream: stream),
                    bulk: bytes, context: target.context.pointee.id)
            }
            entries[index].mirror.isDeviceNewer = true
        }
    }

    /// After a wait: takes back what the device wrote.
    static func deviceIsIdle(_ target: CallTarget) {
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
    }

    private static func fetch(_ mirror: Mirror, _ target: CallTarget) {
        guard let memory = malloc(mirror.byteCount) else { return }
        defer { free(memory) }
        var reply = CopyDeviceToHost.Reply()
        let result = target.lane.call(
            CopyDeviceToHost(
                address: mirror.deviceAddress, byteCount: UInt64(mirror.byteCount),
                stream: streamsMayWait ? StreamID.perThread : StreamID.legacyDefault),
            reply: &reply, context: target.context.pointee.id,
            into: UnsafeMutableRawBufferPointer(start: memory, count: mirror.byteCount))
        if result.hasOutputs { mirror.merge(memory) }
    }
}
