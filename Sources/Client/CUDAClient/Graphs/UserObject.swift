internal import CCUDA
internal import ClientRuntime
internal import Primitives

/// Something of the program that lives as long as graphs use it.
final class UserObject {
    private let pointer: UnsafeMutableRawPointer?
    private let destroy: CUhostFn
    private var count: UInt64
    var handle: OpaquePointer?

    private static let lock = Lock()

    init(_ pointer: UnsafeMutableRawPointer?, count: UInt32, destroy: CUhostFn) {
        self.pointer = pointer
        self.count = UInt64(count)
        self.destroy = destroy
    }

    func retain(_ count: UInt32) { UserObject.lock.withLock { self.count &+= UInt64(count) } }

    /// Gives references back; with the last one the object's destructor runs on a thread of the client. False when
    /// there are fewer references.
    func release(_ count: UInt32) -> Bool {
        UserObject.lock.acquire()
        guard UInt64(count) <= self.count else {
            UserObject.lock.release()
            return false
        }
        self.count &-= UInt64(count)
        let isLast = self.count == 0
        let ended = isLast ? handle : nil
        if isLast { handle = nil }
        UserObject.lock.release()
        guard isLast else { return true }
        Destructors.add(Destructors.Call(function: destroy, argument: pointer))
        if let object = CUDADriver.endHandle(ended, .userObject) { Unmanaged<UserObject>.fromOpaque(object).release() }
        return true
    }
}

/// A graph's references to a user object.
struct UserObjectReference {
    let object: UserObject
    var count: UInt32

    /// The same once more.
    func retained() -> UserObjectReference {
        object.retain(count)
        return self
    }

    func release() { _ = object.release(count) }
}

/// Runs destructors of user objects: on a thread of the client, since a program may call the driver, or hold locks,
/// where the last reference goes. Also what must not hold up the thread for events.
enum Destructors {
    // SAFETY: a C function and its argument; the program promises that both can be used from the driver's thread.
    struct Call: @unchecked Sendable {
        let function: CUhostFn
        let argument: UnsafeMutableRawPointer?
    }

    // SAFETY: only touched under `lock`.
    nonisolated(unsafe) private static var calls: [Call] = []
    nonisolated(unsafe) private static var isRunning = false
    private static let lock = Lock()

    static func add(_ call: Call) {
        lock.acquire()
        calls.append(call)
        let mustStart = !isRunning
        isRunning = true
        lock.release()
        guard mustStart else { return }
        if OSThread.start("roost-destroy", { run() }) == nil { run() }
    }

    private static func run() {
        while true {
            lock.acquire()
            guard !calls.isEmpty else {
                isRunning = false
                lock.release()
                return
            }
            let call = calls.removeFirst()
            lock.release()
            call.function(call.argument)
        }
    }
}
