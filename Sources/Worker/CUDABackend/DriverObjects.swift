import CCUDA
import CUDABinding
import GPUBackend
import Primitives

// SAFETY: everything that changes is only reached under `lock`.
/// A session's arrays, textures and surfaces at the driver: those that the client has, and those that it has given up
/// while work may still use them.
final class DriverObjects: @unchecked Sendable {
    /// A driver's numbers are its own for each context and kind.
    enum Key: Hashable {
        case array(ObjectIdentifier)
        case texture(ObjectIdentifier, UInt64)
        case surface(ObjectIdentifier, UInt64)
    }

    private struct Entry {
        var context: CUDAContext
        var dispose: (CUDALibrary) -> Void
        /// What has to be reached before the object may go.
        var points: [CUDAPoint] = []
    }

    private let lock = Lock()
    private var live: [Key: Entry] = [:]
    private var retired: [Entry] = []

    /// Notes an object; `dispose` is called once, with the context as the thread's.
    func add(_ key: Key, of context: CUDAContext, _ dispose: @escaping (CUDALibrary) -> Void) {
        lock.withLock { live[key] = Entry(context: context, dispose: dispose) }
    }

    /// Lets an object go once all points were reached.
    func retire(_ key: Key, after points: [CUDAPoint]) {
        lock.withLock {
            guard var entry = live.removeValue(forKey: key) else { return }
            entry.points = points
            retired.append(entry)
        }
        reclaim()
    }

    /// Lets go what nothing uses any more, without waiting; whether something is left.
    @discardableResult
    func reclaim() -> Bool {
        let (over, isLeft) = lock.withLock { () -> ([Entry], Bool) in
            guard !retired.isEmpty else { return ([], false) }
            var over: [Entry] = []
            var rest: [Entry] = []
            for entry in retired {
                if entry.points.allSatisfy(\.isReached) { over.append(entry) } else { rest.append(entry) }
            }
            retired = rest
            return (over, !rest.isEmpty)
        }
        for entry in over { end(entry) }
        return isLeft
    }

    /// Lets everything go; nothing runs any more.
    func dispose() {
        let all = lock.withLock {
            defer { (live, retired) = ([:], []) }
            return retired + live.values
        }
        for entry in all { end(entry) }
    }

    private func end(_ entry: Entry) {
        for point in entry.points { point.context.giveBack(point.event) }
        // A context takes its objects with it.
        guard entry.context.isAlive, (try? entry.context.driver.cuCtxSetCurrent(entry.context.handle)) != nil else {
            return
        }
        entry.dispose(entry.context.driver)
    }
}
