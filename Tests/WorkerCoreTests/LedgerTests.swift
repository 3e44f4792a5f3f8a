import Primitives
import Testing

@testable import WorkerCore

@Suite struct LedgerTests {
    @Test("a session uses only what it was granted")
    func useNeedsGrant() {
        var ledger = VRAMLedger<Int>(limit: 100)
        #expect(ledger.allocate(for: 1, 1) == false)
        #expect(ledger.grant(to: 1, minimum: 10, wanted: 40) == 40)
        #expect(ledger.allocate(for: 1, 40) == true)
        #expect(ledger.allocate(for: 1, 1) == false)
        #expect(ledger.grant(to: 2, minimum: 61, wanted: 61) == 0)
        #expect(ledger.grant(to: 2, minimum: 1, wanted: 1000) == 60)
        ledger.close(1)
        #expect(ledger.available(to: 2) == 100)
    }

    @Test("bytes in use can't be given back")
    func giveBackKeepsUse() {
        var ledger = VRAMLedger<Int>(limit: 100)
        _ = ledger.grant(to: 1, minimum: 80, wanted: 80)
        #expect(ledger.allocate(for: 1, 50) == true)
        ledger.giveBack(from: 1, 80)
        #expect(ledger.granted == 50)
        ledger.free(for: 1, 1000)
        #expect(ledger.used == 0 && ledger.granted == 50)
    }

    @Test("grants never exceed the limit, and use never exceeds grants", arguments: 0..<50)
    func invariant(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let limit = random.next(below: 10_000)
        var ledger = VRAMLedger<UInt64>(limit: limit)
        for _ in 0..<1_000 {
            let session = random.next(below: 5)
            let bytes = random.next(below: 8) == 0 ? random.next() : random.next(below: 3_000)
            switch random.next(below: 8) {
            case 0, 1: _ = ledger.grant(to: session, minimum: bytes, wanted: random.next(below: 6_000))
            case 2: ledger.giveBack(from: session, bytes)
            case 3, 4: _ = ledger.allocate(for: session, bytes)
            case 5: ledger.free(for: session, bytes)
            case 6: _ = ledger.allocateBeyondGrant(for: session, bytes)
            default:
                if random.next(below: 10) == 0 {
                    ledger.close(session)
                } else {
                    ledger.freeBeyondGrant(for: session, bytes)
                }
            }
            let accounts = (0..<5).map { ledger.account(of: $0) }
            #expect(ledger.granted <= limit && ledger.used <= ledger.granted)
            #expect(accounts.reduce(0) { $0 + $1.granted } == ledger.granted)
            #expect(accounts.reduce(0) { $0 + $1.used } == ledger.used)
            #expect(accounts.allSatisfy { $0.used <= $0.granted })
        }
    }
}
