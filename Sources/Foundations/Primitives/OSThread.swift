import CPosix

// SAFETY: `state` is only touched by atomic operations and futex calls; the rest never changes.
/// A thread of the operating system with all signals blocked, for blocking work.
public final class OSThread: @unchecked Sendable {
    private let state: UnsafeMutablePointer<UInt32>
    private let body: @Sendable () -> Void
    private let name: StaticString

    private init(name: StaticString, body: @escaping @Sendable () -> Void) {
        state = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
        state.initialize(to: 0)
        self.name = name
        self.body = body
    }

    deinit { state.deallocate() }

    /// Starts a thread that runs `body`; nil when the system refuses one. Nobody has to join it.
    /// - Parameters:
    ///   - name: At most 15 bytes show up in tools.
    ///   - stackByteCount: 0 for the default of the system.
    public static func start(
        _ name: StaticString, stackByteCount: Int = 0, _ body: @escaping @Sendable () -> Void
    ) -> OSThread? {
        let thread = OSThread(name: name, body: body)
        let context = Unmanaged.passRetained(thread)
        let status = posix_thread_start(
            { raw in
                guard let raw else { return }
                let thread = Unmanaged<OSThread>.fromOpaque(raw).takeRetainedValue()
                thread.run()
            }, context.toOpaque(), max(0, stackByteCount))
        guard status == 0 else {
            context.release()
            return nil
        }
        return thread
    }

    /// Waits until the thread's body has returned.
    public func join() {
        while posix_atomic_load_acquire_32(state) == 0 { _ = posix_futex_wait(state, 0, -1, false) }
    }

    /// Whether the thread's body has returned.
    public var isFinished: Bool { posix_atomic_load_acquire_32(state) != 0 }

    private func run() {
        name.withUTF8Buffer { bytes in
            guard let start = bytes.baseAddress else { return }
            posix_thread_set_name(UnsafeRawPointer(start).assumingMemoryBound(to: CChar.self))
        }
        body()
        posix_atomic_store_release_32(state, 1)
        _ = posix_futex_wake(state, Int32.max, false)
    }
}
