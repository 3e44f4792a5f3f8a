import Primitives
import Testing

private final class Counter: @unchecked Sendable {
    // SAFETY: `value` is only touched under `lock`.
    let lock = Lock()
    var value = 0
}

@Suite("Locks and threads")
struct LockTests {
    @Test("Four threads lose no count under the lock")
    func exclusion() throws {
        let counter = Counter()
        var threads: [OSThread] = []
        for _ in 0..<4 {
            let thread = OSThread.start("counter") {
                for _ in 0..<50_000 { counter.lock.withLock { counter.value += 1 } }
            }
            threads.append(try #require(thread))
        }
        for thread in threads { thread.join() }
        #expect(counter.lock.withLock { counter.value } == 200_000)
        #expect(threads.allSatisfy { $0.isFinished })
    }

    @Test("A held lock is not given twice")
    func tryAcquire() {
        let lock = Lock()
        var isTaken = lock.tryAcquire()
        #expect(isTaken)
        isTaken = lock.tryAcquire()
        #expect(!isTaken)
        lock.release()
        isTaken = lock.tryAcquire()
        #expect(isTaken)
        lock.resetAfterFork()
        isTaken = lock.tryAcquire()
        #expect(isTaken)
        lock.release()
    }

    private struct Failure: Error, Equatable {}

    @Test("An error passes through and gives the lock back")
    func errors() {
        let lock = Lock()
        var failure: Failure?
        do throws(Failure) {
            try lock.withLock { () throws(Failure) in throw Failure() }
        } catch {
            failure = error
        }
        #expect(failure == Failure())
        let isTaken = lock.tryAcquire()
        #expect(isTaken)
        lock.release()
    }
}
