import FleetStore
import StoreTestKit
import Synchronization
import Testing

@Suite("Elections", .timeLimit(.minutes(2)))
struct ElectionTests {
    private static let object = StoreKey.test("/plan/now")

    private func candidate(
        _ identity: String, _ store: any FleetStore, _ clock: ManualClock
    ) throws -> Candidate<ManualClock> {
        try Candidate(store: store, election: "scheduler", identity: identity, clock: clock)
    }

    @Test("The first candidate leads, and others wait", arguments: StoreEngine.all)
    func first(_ engine: StoreEngine) async throws {
        try await engine.withStore { store in
            let clock = ManualClock()
            let (a, b) = (try candidate("a", store, clock), try candidate("b", store, clock))
            #expect(a.leadership == nil)
            try await a.step()
            #expect(a.leadership?.fence == Fence(election: "scheduler", epoch: 1))
            #expect(a.leadership?.deadline == ManualClock.Instant(offset: .seconds(10)))
            try await b.step()
            #expect(b.leadership == nil)
        }
    }

    @Test("A leader that renews stays; its epoch does not change", arguments: StoreEngine.all)
    func renewing(_ engine: StoreEngine) async throws {
        try await engine.withStore { store in
            let clock = ManualClock()
            let (a, b) = (try candidate("a", store, clock), try candidate("b", store, clock))
            for _ in 0..<20 {
                try await a.step()
                try await b.step()
                clock.advance(by: .seconds(2))
                #expect(a.leadership?.fence.epoch == 1)
                #expect(b.leadership == nil)
            }
        }
    }

    @Test("A leader stops at its deadline, before anybody may take over", arguments: StoreEngine.all)
    func deadline(_ engine: StoreEngine) async throws {
        try await engine.withStore { store in
            let clock = ManualClock()
            let (a, b) = (try candidate("a", store, clock), try candidate("b", store, clock))
            try await a.step()
            try await b.step()
            clock.advance(by: .milliseconds(9_999))
            #expect(a.leadership != nil)
            clock.advance(by: .milliseconds(1))
            #expect(a.leadership == nil)
            try await b.step()
            #expect(b.leadership == nil)
            clock.advance(by: .seconds(5))
            try await b.step()
            #expect(b.leadership?.fence.epoch == 2)
        }
    }

    @Test("A leader that slept through its time finds its writes refused", arguments: StoreEngine.all)
    func pausedLeader(_ engine: StoreEngine) async throws {
        try await engine.withStore { store in
            let clock = ManualClock()
            let (a, b) = (try candidate("a", store, clock), try candidate("b", store, clock))
            try await a.step()
            try await b.step()
            let old = try #require(a.leadership)
            let revision = try await store.create(Self.object, bytes("by a"), fence: old.fence)
            // The process of `a` is paused here, between its check and its write.
            clock.advance(by: .seconds(60))
            try await b.step()
            let new = try #require(b.leadership)
            let error = await storeError {
                try await store.replace(Self.object, bytes("by a, late"), expected: revision, fence: old.fence)
            }
            #expect(error?.code == .fenced)
            try await store.replace(Self.object, bytes("by b"), expected: revision, fence: new.fence)
            #expect(a.leadership == nil)
            try await a.step()
            #expect(a.leadership == nil)
        }
    }

    @Test("A renewal that comes too late is refused, too", arguments: StoreEngine.all)
    func lateRenewal(_ engine: StoreEngine) async throws {
        try await engine.withStore { store in
            let (clockOfA, clockOfB) = (ManualClock(), ManualClock())
            let (a, b) = (try candidate("a", store, clockOfA), try candidate("b", store, clockOfB))
            try await a.step()
            try await b.step()
            // To `a` no time passes.
            clockOfB.advance(by: .seconds(60))
            try await b.step()
            #expect(b.leadership?.fence.epoch == 2)
            try await a.step()
            #expect(a.leadership == nil)
        }
    }

    @Test(
        "A candidate that begins late waits a whole time to live from when it looked first", arguments: StoreEngine.all)
    func lateObserver(_ engine: StoreEngine) async throws {
        try await engine.withStore { store in
            let clock = ManualClock()
            try await candidate("a", store, clock).step()
            clock.advance(by: .seconds(14))
            let b = try candidate("b", store, clock)
            try await b.step()
            clock.advance(by: .milliseconds(14_999))
            try await b.step()
            #expect(b.leadership == nil)
            clock.advance(by: .milliseconds(1))
            try await b.step()
            #expect(b.leadership?.fence.epoch == 2)
        }
    }

    @Test("After a resignation nobody waits", arguments: StoreEngine.all)
    func resignation(_ engine: StoreEngine) async throws {
        try await engine.withStore { store in
            let clock = ManualClock()
            let (a, b) = (try candidate("a", store, clock), try candidate("b", store, clock))
            try await a.step()
            try await b.step()
            try await a.resign()
            #expect(a.leadership == nil)
            try await b.step()
            #expect(b.leadership?.fence.epoch == 2)
        }
    }

    @Test("Of candidates that begin at once, one leads", arguments: StoreEngine.all)
    func race(_ engine: StoreEngine) async throws {
        try await engine.withStore { store in
            let clock = ManualClock()
            let candidates = try (0..<8).map { try candidate("c\($0)", store, clock) }
            await withTaskGroup { group in
                for candidate in candidates { group.addTask { try? await candidate.step() } }
            }
            #expect(candidates.count { $0.leadership != nil } == 1)
        }
    }

    @Test("A renewal whose answer is lost does not lengthen the leadership, nor end it")
    func lostRenewal() async throws {
        let isStruck = Mutex(false)
        let store = MemoryFleetStore(
            faults: StoreFaults { call in
                guard case .commit = call else { return .none }
                return isStruck.withLock { $0 ? .loseAnswer : .none }
            })
        let clock = ManualClock()
        let a = try candidate("a", store, clock)
        try await a.step()
        clock.advance(by: .seconds(4))
        isStruck.withLock { $0 = true }
        #expect(await storeError { try await a.step() }?.code == .unknownOutcome)
        #expect(a.leadership?.deadline == ManualClock.Instant(offset: .seconds(10)))
        isStruck.withLock { $0 = false }
        clock.advance(by: .seconds(4))
        try await a.step()
        #expect(a.leadership?.fence.epoch == 1)
        #expect(a.leadership?.deadline == ManualClock.Instant(offset: .seconds(18)))
    }

    @Test("While candidates run, at most one leads at a time, whatever fails", arguments: UInt64(1)...40)
    func manySteps(_ seed: UInt64) async throws {
        let random = Mutex(SeededGenerator(seed: seed))
        let store = MemoryFleetStore(
            faults: StoreFaults { _ in
                switch random.withLock({ $0.next() % 6 }) {
                case 0: .refuse
                case 1: .loseAnswer
                default: .none
                }
            })
        let clock = ManualClock()
        let candidates = try (0..<4).map { try candidate("c\($0)", store, clock) }
        var epochs = Set<Int64>()
        for _ in 0..<400 {
            clock.advance(by: .milliseconds(Int64(random.withLock { $0.next() % 3000 })))
            let chosen = candidates[Int(random.withLock { $0.next() % 4 })]
            try? await chosen.step()
            let leaders = candidates.compactMap(\.leadership)
            #expect(leaders.count <= 1)
            for leader in leaders { epochs.insert(leader.fence.epoch) }
        }
        #expect(epochs.count > 1)
    }

    @Test("A running candidate leads, is stopped at its deadline when the store is gone, and leads again")
    func running() async throws {
        let isGone = Mutex(false)
        let store = MemoryFleetStore(faults: StoreFaults { _ in isGone.withLock { $0 } ? .refuse : .none })
        let clock = ManualClock()
        let a = try candidate("a", store, clock)
        let (stream, events) = AsyncStream.makeStream(of: String.self)
        let task = Task {
            await a.run { leadership in
                events.yield("leads in \(leadership.fence.epoch)")
                try? await clock.sleep(for: .seconds(1_000_000))
                events.yield("stops")
            }
        }
        var told = stream.makeAsyncIterator()
        #expect(await told.next() == "leads in 1")
        await clock.waitForSleepers(3)
        isGone.withLock { $0 = true }
        clock.advance(by: .seconds(10))
        #expect(await told.next() == "stops")
        isGone.withLock { $0 = false }
        await clock.waitForSleepers(1)
        clock.advance(by: .seconds(2))
        #expect(await told.next() == "leads in 2")
        task.cancel()
        #expect(await told.next() == "stops")
        await task.value
        #expect(try await store.get(.test("/elections/scheduler/holder"))?.value.first == UInt8(ascii: "-"))
    }

    @Test("Times that do not fall, and identities that cannot be written, are refused")
    func invalid() throws {
        #expect(throws: StoreError.self) {
            try ElectionPolicy(timeToLive: .seconds(10), renewDeadline: .seconds(10), interval: .seconds(2))
        }
        for identity in ["", "-", "a b"] {
            #expect(throws: StoreError.self) { try candidate(identity, MemoryFleetStore(), ManualClock()) }
        }
    }
}
