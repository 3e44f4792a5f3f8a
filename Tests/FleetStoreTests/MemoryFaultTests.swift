import FleetStore
import Synchronization
import Testing

@Suite("Faults of the in-memory engine")
struct MemoryFaultTests {
    private static let a = StoreKey.test("/w/a")

    @Test("A refused write is not done; one whose answer is lost is done")
    func outcomes() async throws {
        let fault = Mutex(StoreFault.none)
        let store = MemoryFleetStore(faults: StoreFaults { _ in fault.withLock { $0 } })
        fault.withLock { $0 = .refuse }
        #expect(await storeError { try await store.create(Self.a, bytes("1")) }?.code == .unavailable)
        fault.withLock { $0 = .none }
        #expect(try await store.get(Self.a) == nil)
        fault.withLock { $0 = .loseAnswer }
        #expect(await storeError { try await store.create(Self.a, bytes("2")) }?.code == .unknownOutcome)
        #expect(await storeError { try await store.get(Self.a) }?.code == .unavailable)
        fault.withLock { $0 = .none }
        #expect(try await store.get(Self.a)?.value == bytes("2"))
    }

    @Test("A delay before the write lets others go first; one after it only its answer")
    func delays() async throws {
        let clock = ManualClock()
        let isBefore = Mutex(true)
        let slow = StorePrefix.test("/slow/")
        @Sendable func isSlow(_ call: StoreCall, _ moment: Bool) -> Bool {
            guard case .commit(let transaction) = call, isBefore.withLock({ $0 }) == moment else { return false }
            return transaction.operations.contains { slow.contains($0.key) }
        }
        let store = MemoryFleetStore(
            faults: StoreFaults { call in
                if isSlow(call, true) { try? await clock.sleep(for: .seconds(1)) }
                return .none
            } after: { call in
                if isSlow(call, false) { try? await clock.sleep(for: .seconds(1)) }
            })
        let first = Task { try await store.create(.test("/slow/a"), []) }
        await clock.waitForSleepers(1)
        let quick = try await store.create(Self.a, [])
        clock.advance(by: .seconds(1))
        #expect(try await first.value > quick)
        isBefore.withLock { $0 = false }
        let second = Task { try await store.create(.test("/slow/b"), []) }
        await clock.waitForSleepers(1)
        #expect(try await store.get(.test("/slow/b")) != nil)
        clock.advance(by: .seconds(1))
        _ = try await second.value
    }
}
