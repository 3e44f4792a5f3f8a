internal import CPosix
internal import Primitives
internal import Transport
internal import WireProtocol

/// This process as its workers see it: one for the life of the process.
public enum Session {
    // SAFETY: written under `startLock` before `stateWord` says ready; read-only afterwards. The word is atomic.
    nonisolated(unsafe) private static var stateWord: UInt32 = State.idle
    nonisolated(unsafe) private static var startLockWord: UInt32 = 0
    nonisolated(unsafe) private static var workers: UnsafeMutablePointer<WorkerState>?
    nonisolated(unsafe) static var workerCount = 0
    nonisolated(unsafe) private static var deviceList: [Device] = []
    nonisolated(unsafe) private static var hasHandlers = false
    nonisolated(unsafe) private static var wasForked = false
    /// Added to every waiting call (`ROOST_RTT_US`).
    // SAFETY: written while the session starts, read-only afterwards.
    nonisolated(unsafe) static var extraRoundTripNanoseconds: UInt64 = 0
    /// Whether every command is waited for (`ROOST_STRICT`).
    // SAFETY: written while the session starts, read-only afterwards.
    nonisolated(unsafe) public private(set) static var isStrict = false

    private enum State {
        static let idle: UInt32 = 0
        static let ready: UInt32 = 1
        /// A forked child of a process that had started.
        static let forked: UInt32 = 2
        /// The process is exiting.
        static let ended: UInt32 = 3
    }

    /// Whether calls can be made.
    @inline(__always)
    public static var isReady: Bool { posix_atomic_load_acquire_32(&stateWord) == State.ready }

    /// Whether this process is the forked child of one that had started.
    static var isForkedChild: Bool { posix_atomic_load_acquire_32(&stateWord) == State.forked || wasForked }

    /// Why calls can't be made now; 0 when they can.
    public static var status: Int32 {
        switch posix_atomic_load_acquire_32(&stateWord) {
        case State.ready: ClientStatus.success
        case State.ended: ClientStatus.deinitialized
        default: ClientStatus.notInitialized
        }
    }

    /// The devices in order of their ordinals.
    public static var devices: [Device] { deviceList }

    static func worker(_ index: Int) -> Worker? {
        guard let workers, index >= 0, index < workerCount else { return nil }
        return Worker(state: workers + index)
    }

    /// Connects to the workers that the environment names. Starting twice does nothing.
    /// `prepare` runs when the devices are known and before other threads may call.
    public static func start(
        nameOfFunction: @escaping (Int) -> StaticString = { _ in "" }, prepare: () -> Void = {}
    ) -> Int32 {
        posix_lock_acquire(&startLockWord)
        defer { posix_lock_release(&startLockWord) }
        switch posix_atomic_load_acquire_32(&stateWord) {
        case State.ready: return ClientStatus.success
        case State.ended: return ClientStatus.deinitialized
        case State.forked: return ClientStatus.notInitialized
        default: break
        }
        ClientLog.open()
        CallCounts.start(nameOfFunction: nameOfFunction)
        isStrict = Environment.flag("ROOST_STRICT")
        extraRoundTripNanoseconds = (Environment.number("ROOST_RTT_US", atMost: 10_000_000) ?? 0) &* 1000
        guard readEndpoints() else {
            ClientLog.line("ROOST_ENDPOINT names no worker; start the program with `roost run`")
            return ClientStatus.noDevice
        }
        let status = readDevices()
        guard status == ClientStatus.success else { return status }
        prepare()
        Flusher.start()
        installHandlers()
        posix_atomic_store_release_32(&stateWord, State.ready)
        return ClientStatus.success
    }

    private static func installHandlers() {
        guard !hasHandlers else { return }
        hasHandlers = true
        _ = posix_at_fork(nil, nil, { Session.noteFork() })
        _ = posix_at_exit({ Session.noteExit() })
    }

    private static func noteFork() {
        // Locks may be held by threads that the child does not have; it must never reach them again.
        if posix_atomic_load_acquire_32(&stateWord) == State.ready {
            wasForked = true
            posix_atomic_store_release_32(&stateWord, State.forked)
        }
    }

    /// Says goodbye at once, so that the worker does not have to find out: the next program may need the memory.
    private static func noteExit() {
        guard posix_atomic_exchange_32(&stateWord, State.ended) == State.ready else { return }
        CallCounts.finish()
        // Whatever runs at exit after this may still touch managed memory.
        guard !ManagedRegions.mayFetch else { return }
        for index in 0..<workerCount { worker(index)?.closeLanes() }
    }

    private static func readEndpoints() -> Bool {
        if workers != nil { return workerCount > 0 }
        let text = Environment.bytes("ROOST_ENDPOINT")
        guard text.count > 0 else { return false }
        let copy = kept(text)
        let list = UnsafeMutablePointer<WorkerState>.allocate(capacity: ThreadState.workerCountMax)
        var count = 0
        var start = 0
        while start < copy.count, count < ThreadState.workerCountMax {
            var end = start
            while end < copy.count, copy[end] != UInt8(ascii: ";") { end &+= 1 }
            while start < end, copy[start] == UInt8(ascii: " ") { start &+= 1 }
            if end > start, let base = copy.baseAddress {
                let bytes = (base + start).assumingMemoryBound(to: UInt8.self)
                (list + count).initialize(
                    to: WorkerState(
                        index: Int32(truncatingIfNeeded: count), endpoint: bytes, endpointByteCount: end &- start,
                        token: UnsafeRawBufferPointer(start: nil, count: 0)))
                count &+= 1
            }
            start = end &+ 1
        }
        for index in 0..<count {
            let token = kept(Environment.token(index, of: count))
            list[index].token = token.baseAddress?.assumingMemoryBound(to: UInt8.self)
            list[index].tokenByteCount = token.count
            withUnsafeMutableBytes(of: &list[index].session) { bytes in
                if let start = bytes.baseAddress { posix_random(start, bytes.count) }
            }
        }
        workers = list
        workerCount = count
        return count > 0
    }

    /// A copy that lasts: the environment may change later, what was read at the start must not.
    private static func kept(_ text: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        guard text.count > 0 else { return text }
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: text.count, alignment: 1)
        copy.copyMemory(from: text)
        return UnsafeRawBufferPointer(copy)
    }

    private static func readDevices() -> Int32 {
        guard let thread = ThreadState.mine else { return ClientStatus.outOfMemory }
        var found: [(worker: Worker, snapshot: DeviceSnapshot)] = []
        for index in 0..<workerCount {
            guard let worker = worker(index), let lane = worker.lane(of: thread) else {
                return ClientStatus.deviceUnavailable
            }
            var reply = DeviceSnapshotQuery.Reply()
            let result = lane.call(DeviceSnapshotQuery(), reply: &reply, context: 0)
            guard result.status == ClientStatus.success else { return result.status }
            guard let snapshots = decode(reply.bytes) else {
                ClientLog.problem("the worker described its devices in a way that this client does not understand")
                return ClientStatus.deviceUnavailable
            }
            for snapshot in snapshots where found.count < ThreadState.workerCountMax {
                found.append((worker, snapshot))
            }
        }
        deviceList = []
        for place in visible(found.map { $0.snapshot }) {
            deviceList.append(
                Device(
                    ordinal: Int32(truncatingIfNeeded: deviceList.count), index: Int32(truncatingIfNeeded: place),
                    worker: found[place].worker, snapshot: found[place].snapshot))
        }
        if deviceList.isEmpty { ClientLog.line("CUDA_VISIBLE_DEVICES hides all devices") }
        return deviceList.isEmpty ? ClientStatus.noDevice : ClientStatus.success
    }

    /// The places of the devices that the program wants to see, in its order.
    private static func visible(_ snapshots: [DeviceSnapshot]) -> [Int] {
        var isFastestFirst = false
        if let text = Environment.text("CUDA_DEVICE_ORDER") {
            isFastestFirst = Environment.equals(text, "FASTEST_FIRST")
        }
        var candidates: [VisibleDevices.Candidate] = []
        for snapshot in snapshots {
            candidates.append(
                VisibleDevices.Candidate(
                    uuidHigh: snapshot.uuidHigh, uuidLow: snapshot.uuidLow, speed: snapshot.speed))
        }
        let devices = VisibleDevices(candidates, isFastestFirst: isFastestFirst)
        guard Environment.text("CUDA_VISIBLE_DEVICES") != nil else { return devices.all }
        return devices.chosen(by: Environment.bytes("CUDA_VISIBLE_DEVICES"))
    }

    private static func decode(_ bytes: [UInt8]) -> [DeviceSnapshot]? {
        bytes.withUnsafeBytes { buffer -> [DeviceSnapshot]? in
            var reader = WireReader(buffer)
            var snapshots: [DeviceSnapshot] = []
            do throws(WireError) {
                while reader.remainingByteCount > 0 { snapshots.append(try DeviceSnapshot(from: &reader)) }
            } catch {
                return nil
            }
            return snapshots
        }
    }
}

extension DeviceSnapshot {
    /// How fast the vGPU is, only for comparisons: by generation, then by what computes at once.
    var speed: UInt64 {
        // Numbers of `CUdevice_attribute`: capability 75 and 76, multiprocessors 16, clock rate in kHz 13.
        let capability = value(75) &* 10 &+ value(76)
        let rate = value(16) &* (value(13) / 1000) &* UInt64(computePercent) / 100
        return capability << 40 &+ min(rate, 1 << 39)
    }

    private func value(_ attribute: Int32) -> UInt64 {
        for entry in attributes where entry.attribute == attribute { return UInt64(max(0, entry.value)) }
        return 0
    }
}
