import GPUBackend
import Primitives

// SAFETY: the counts are only touched under `lock`; everything else is constant.
/// A session's handle of a physical object, and the object's mappings in the session.
final class WorkerPhysical: @unchecked Sendable {
    let device: SessionDevice
    let memory: SharedMemory

    private let lock = Lock()
    private var mappingCount = 0
    private var isReleased = false

    init(device: SessionDevice, memory: SharedMemory) {
        self.device = device
        self.memory = memory
    }

    /// Counts mappings; true when the last one of a released object went.
    func changeMappings(by count: Int) -> Bool {
        lock.withLock {
            mappingCount += count
            return isReleased && mappingCount == 0
        }
    }

    /// Gives the handle up; true when nothing is mapped.
    func release() -> Bool {
        lock.withLock {
            isReleased = true
            return mappingCount == 0
        }
    }
}

/// A random number that opens what a session shares; whoever knows it got it from the owner.
struct SharedSecret: Hashable, Sendable {
    var high: UInt64
    var low: UInt64

    static func random() -> SharedSecret {
        var generator = SystemRandomNumberGenerator()
        return SharedSecret(high: generator.next(), low: generator.next())
    }
}

// SAFETY: the variables are only touched under the lock of the worker's ``SharedTable``.
/// Memory that several sessions may hold. Whoever made it pays for it until the last holder lets go.
final class SharedMemory: @unchecked Sendable {
    let backend: any BackendPhysicalMemory
    /// What the ledger was charged.
    let byteCount: UInt64
    /// The account that pays.
    fileprivate var payer: UInt64
    fileprivate var holderCount = 1
    fileprivate var secret: SharedSecret?

    init(backend: any BackendPhysicalMemory, byteCount: UInt64, payer: UInt64) {
        self.backend = backend
        self.byteCount = byteCount
        self.payer = payer
    }
}

// SAFETY: `exports` is only touched under `lock`.
/// What the sessions of a worker share with each other, and who pays for it.
///
/// Bytes that were exported leave their owner's grant when the owner lets go, and go back to the vGPU with the last
/// holder. When the owner ends before, an account that no session has goes on paying.
final class SharedTable: @unchecked Sendable {
    /// Pays for memory whose owner has ended; no session has this serial.
    static let orphanage: UInt64 = 0

    private let lock = Lock()
    private var exports: [SharedSecret: SharedMemory] = [:]
    private var events: [SharedSecret: (event: any BackendEvent, owner: UInt64)] = [:]

    private static let eventCountMax = 65_536

    /// The secret that opens the memory, the same one each time.
    func export(_ memory: SharedMemory) -> SharedSecret {
        lock.withLock {
            if let secret = memory.secret { return secret }
            let secret = SharedSecret.random()
            memory.secret = secret
            exports[secret] = memory
            return secret
        }
    }

    /// Opens memory; the caller is one more holder.
    func open(_ secret: SharedSecret) -> SharedMemory? {
        lock.withLock {
            guard let memory = exports[secret] else { return nil }
            memory.holderCount += 1
            return memory
        }
    }

    /// A secret that opens an event until its owner ends; nil when there are too many.
    func export(_ event: any BackendEvent, of owner: UInt64) -> SharedSecret? {
        lock.withLock {
            if let known = events.first(where: { $0.value.event === event }) { return known.key }
            guard events.count < Self.eventCountMax else { return nil }
            let secret = SharedSecret.random()
            events[secret] = (event, owner)
            return secret
        }
    }

    /// Opens an event.
    func openEvent(_ secret: SharedSecret) -> (any BackendEvent)? { lock.withLock { events[secret]?.event } }

    /// A holder lets go.
    func drop(_ memory: SharedMemory, _ worker: Worker) {
        lock.withLock { dropLocked(memory, worker) }
    }

    private func dropLocked(_ memory: SharedMemory, _ worker: Worker) {
        memory.holderCount -= 1
        guard memory.holderCount == 0 else { return }
        worker.withLedger { ledger in
            if memory.secret == nil {
                ledger.free(for: memory.payer, memory.byteCount)
            } else {
                ledger.freeBeyondGrant(for: memory.payer, memory.byteCount)
            }
        }
        if let secret = memory.secret { exports[secret] = nil }
    }

    /// A session ends: its holds go, and its account closes.
    func end(_ session: UInt64, holding memories: [SharedMemory], _ worker: Worker) {
        lock.withLock {
            for memory in memories { dropLocked(memory, worker) }
            events = events.filter { $0.value.owner != session }
            let orphans = exports.values.filter { $0.payer == session }
            worker.withLedger { ledger in
                ledger.close(session)
                for memory in orphans where ledger.allocateBeyondGrant(for: Self.orphanage, memory.byteCount) {
                    memory.payer = Self.orphanage
                }
            }
        }
    }
}
