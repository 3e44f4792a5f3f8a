package import FleetStore
import Glibc
import Synchronization

/// The file of a store as the system sees it: readable by its owner alone, and open in one process.
package final class StoreFile: Sendable {
    private let lock: Mutex<Int32?>

    /// Makes the file if there is none, and keeps other processes out until this is let go.
    package init(path: String) throws(StoreError) {
        // A lock on the file itself would be lost with the first descriptor of it that this process closes.
        let lock = try StoreFile.openPrivate(path + ".lock")
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            Glibc.close(lock)
            throw StoreError(.unavailable, "the store \(path) is open in another process: stop that one first")
        }
        do throws(StoreError) {
            Glibc.close(try StoreFile.openPrivate(path))
        } catch {
            Glibc.close(lock)
            throw error
        }
        self.lock = Mutex(lock)
    }

    deinit { release() }

    /// Lets others open the store.
    package func release() {
        lock.withLock { lock in
            guard let descriptor = lock else { return }
            // Closing alone would leave it locked while a forked child has the descriptor too, until it executes.
            flock(descriptor, LOCK_UN)
            Glibc.close(descriptor)
            lock = nil
        }
    }

    private static func openPrivate(_ path: String) throws(StoreError) -> Int32 {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw StoreError(.unavailable, "\(path) cannot be opened: \(String(cString: strerror(errno)))")
        }
        // SQLite gives its log the mode of the file, so this is the place to tighten an old file's.
        guard fchmod(descriptor, 0o600) == 0 else {
            let reason = String(cString: strerror(errno))
            Glibc.close(descriptor)
            throw StoreError(.unavailable, "\(path) cannot be made private: \(reason)")
        }
        return descriptor
    }
}
