internal import CPosix
internal import Transport
internal import WireProtocol

/// One worker that this process uses: one of the endpoints in `ROOST_ENDPOINT`.
public struct WorkerState {
    var index: Int32
    /// Not 0 once a connection broke.
    var isLost: UInt32
    /// Held while a lane takes the turn over from another.
    var orderLock: UInt32
    var listLock: UInt32
    /// The lane that encoded last (a `LaneState` pointer's bits).
    var lastLane: UInt64
    var allLanes: UnsafeMutablePointer<LaneState>?
    var idleLanes: UnsafeMutablePointer<LaneState>?
    var laneCount: UInt32
    /// Not 0 once the worker said that it keeps no images, so that asking for one by its hash is in vain.
    public var keepsNoImages: UInt32
    var endpoint: UnsafePointer<UInt8>
    var endpointByteCount: Int
    /// What the worker wants to see, or nil.
    var token: UnsafePointer<UInt8>?
    var tokenByteCount: Int
    /// Names this process at this worker; at each worker it has another name.
    var session: SessionID

    init(index: Int32, endpoint: UnsafePointer<UInt8>, endpointByteCount: Int, token: UnsafeRawBufferPointer) {
        self.index = index
        isLost = 0
        orderLock = 0
        listLock = 0
        lastLane = 0
        allLanes = nil
        idleLanes = nil
        laneCount = 0
        keepsNoImages = 0
        self.endpoint = endpoint
        self.endpointByteCount = endpointByteCount
        self.token = token.baseAddress?.assumingMemoryBound(to: UInt8.self)
        tokenByteCount = token.count
        session = SessionID(high: 0, low: 0)
    }
}

/// A worker as its users hold it.
public struct Worker: Equatable {
    /// The shared memory behind all copies of this value.
    public let state: UnsafeMutablePointer<WorkerState>

    /// Wraps a worker's memory.
    public init(state: UnsafeMutablePointer<WorkerState>) { self.state = state }

    /// Whether a connection to it broke; final.
    @inline(__always)
    public var isLost: Bool { posix_atomic_load_relaxed_32(&state.pointee.isLost) != 0 }

    /// Notes that the worker is gone, and says so once.
    func markLost(_ reason: StaticString) {
        guard posix_atomic_exchange_32(&state.pointee.isLost, 1) == 0 else { return }
        ClientLog.problem("the connection to the worker broke; every further CUDA call on its device fails: ", reason)
        if Session.workerCount > 1 {
            ClientLog.problem(
                "the worker was at ",
                UnsafeRawBufferPointer(start: state.pointee.endpoint, count: state.pointee.endpointByteCount))
        }
    }

    /// The calling thread's lane to this worker; nil when it can't be opened.
    @inline(__always)
    public func lane(of thread: UnsafeMutablePointer<ThreadState>) -> Lane? {
        if let known = thread.pointee.lanes[Int(state.pointee.index)] { return Lane(state: known) }
        return openLane(of: thread)
    }

    @inline(never)
    private func openLane(of thread: UnsafeMutablePointer<ThreadState>) -> Lane? {
        guard !isLost else { return nil }
        posix_lock_acquire(&state.pointee.listLock)
        if let idle = state.pointee.idleLanes {
            state.pointee.idleLanes = idle.pointee.nextIdle
            posix_lock_release(&state.pointee.listLock)
            thread.pointee.lanes[Int(state.pointee.index)] = idle
            return Lane(state: idle)
        }
        posix_lock_release(&state.pointee.listLock)
        guard let lane = makeLane() else { return nil }
        thread.pointee.lanes[Int(state.pointee.index)] = lane.state
        return lane
    }

    /// The worker's place among those of the process.
    var laneTableIndex: Int { Int(state.pointee.index) }

    /// Opens a lane that is no thread's yet; nil when it can't be opened.
    func makeLane() -> Lane? {
        posix_lock_acquire(&state.pointee.listLock)
        let index = state.pointee.laneCount
        state.pointee.laneCount = index &+ 1
        posix_lock_release(&state.pointee.listLock)
        guard let connection = connect(role: .lane, laneIndex: index) else {
            markLost("a new lane was refused")
            return nil
        }
        let lane = Lane.make(index: index, worker: self, connection: connection)
        posix_lock_acquire(&state.pointee.listLock)
        lane.state.pointee.nextOfAll = state.pointee.allLanes
        state.pointee.allLanes = lane.state
        posix_lock_release(&state.pointee.listLock)
        return lane
    }

    /// Ends all connections of lanes, at the end of the process.
    func closeLanes() {
        // No word in the log: that connections end now is as it should be.
        let wasLost = posix_atomic_exchange_32(&state.pointee.isLost, 1) != 0
        guard !wasLost else { return }
        posix_lock_acquire(&state.pointee.listLock)
        var next = state.pointee.allLanes
        posix_lock_release(&state.pointee.listLock)
        while let lane = next {
            Lane(state: lane).close()
            next = lane.pointee.nextOfAll
        }
    }

    /// Keeps a lane, whose thread ended, for a later thread.
    func keepIdle(_ lane: Lane) {
        posix_lock_acquire(&state.pointee.listLock)
        lane.state.pointee.nextIdle = state.pointee.idleLanes
        state.pointee.idleLanes = lane.state
        posix_lock_release(&state.pointee.listLock)
    }
}

extension ClientLog {
    static func problem(_ text: StaticString, _ reason: StaticString) {
        problem(text, UnsafeRawBufferPointer(start: reason.utf8Start, count: reason.utf8CodeUnitCount))
    }
}
