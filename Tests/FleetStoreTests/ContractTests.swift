import FleetStore
import Testing

@Suite("The store's contract: objects and transactions", .timeLimit(.minutes(2)))
struct ContractTests {
    private static let a = StoreKey.test("/workloads/blue/a")
    private static let b = StoreKey.test("/workloads/blue/b")

    @Test("An object is read as it was created", arguments: StoreEngine.all)
    func createAndGet(_ engine: StoreEngine) async throws {
        try await engine.withStore { store in
            #expect(try await store.get(Self.a) == nil)
            let revision = try await store.create(Self.a, bytes("one"))
            #expect(revision > .zero)
            let entry = StoreEntry(key: Self.a, value: bytes("one"), revision: revision, created: revision)
            #expect(try await store.get(Self.a) == entry)
        }
    }

    @Test("Any bytes are a value: none, all 256, and 512 KiB of them", arguments: StoreEngine.all)
    func values(_ engine: StoreEngine) async throws {
        try await engine.withStore { store in
            let large = [UInt8]((0..<StoreTransaction.maximumValueByteCount).map { UInt8(truncatingIfNeeded: $0 * 7) })
            for (index, value) in [[], [UInt8](0...255), large].enumerated() {
                let key = StoreKey.test("/values/v\(index)")
                try await store.create(key, value)
                #expect(try await store.get(key)?.value == value)
            }
            let error = await storeError { try await store.create(Self.a, large + [0]) }
            #expect(error?.code == .invalid)
        }
    }

    @Test("Creating what exists is refused with its revision", arguments: StoreEngine.all)
    func createTwice(_ engine: StoreEngine) async throws {
        try await engine.withStore { store in
            let first = try await store.create(Self.a, bytes("one"))
            let error = await storeError { try await store.create(Self.a, bytes("two")) }
            #expect(error?.code == .exists)
            #expect(error?.revision == first)
            #expect(error?.key == Self.a)
            #expect(try await store.get(Self.a)?.value == bytes("one"))
        }
    }

    @Test("Compare-and-set writes at the expected revision only", arguments: StoreEngine.all)
    func compareAndSet(_ engine: StoreEngine) async throws {
        try await engine.withStore { store in
            let first = try await store.create(Self.a, bytes("one"))
            let second = try await store.replace(Self.a, bytes("two"), expected: first)
            #expect(second > first)
            let error = await storeError { try await store.replace(Self.a, bytes("three"), expected: first) }
            #expect(error?.code == .conflict)
            #expect(error?.revision == second)
            let entry = StoreEntry(key: Self.a, value: bytes("two"), revision: second, created: first)
            #expect(try await store.get(Self.a) == entry)
            let missing = await storeError { try await store.replace(Self.b, bytes("x"), expected: first) }
            #expect(missing?.code == .notFound)
        }
    }

    @Test(
        "An object is removed at the expected revision only, and can be created anew", arguments: StoreEngine.all)
    func delete(_ engine: StoreEngine) async throws {
        try await engine.withStore { store in
            let first = try await store.create(Self.a, bytes("one"))
            let second = try await store.replace(Self.a, bytes("two"), expected: first)
            let conflict = await storeError { try await store.delete(Self.a, expected: first) }
            #expect(conflict?.code == .conflict)
            #expect(conflict?.revision == second)
            let third = try await store.delete(Self.a, expected: second)
            #expect(third > second)
            #expect(try await store.get(Self.a) == nil)
            let missing = await storeError { try await store.delete(Self.a, expected: second) }
            #expect(missing?.code == .notFound)
            let fourth = try await store.create(Self.a, bytes("again"))
            #expect(try await store.get(Self.a)?.created == fourth)
        }
    }

    @Test("A transaction is done whole, at one revision", arguments: StoreEngine.all)
    func transaction(_ engine: StoreEngine) async throws {
        try await engine.withStore { store in
            let first = try await store.create(Self.a, bytes("one"))
            let revision = try await store.commit(
                StoreTransaction([
                    .replace(Self.a, value: bytes("two"), expected: first),
                    .create(Self.b, value: bytes("new")),
                    .check(.test("/workloads/blue/c"), expected: nil),
                ]))
            #expect(try await store.get(Self.a)?.revision == revision)
            #expect(try await store.get(Self.b)?.revision == revision)
        }
    }

    @Test("A transaction with one refusal is not done at all", arguments: StoreEngine.all)
    func refusedTransaction(_ engine: StoreEngine) async throws {
        try await engine.withStore { store in
            let first = try await store.create(Self.a, bytes("one"))
            let c = StoreKey.test("/workloads/blue/c")
            let refused: [(StoreOperation, StoreError.Code)] = [
                (.create(Self.a, value: []), .exists), (.check(Self.a, expected: nil), .exists),
                (.check(Self.a, expected: Revision(rawValue: first.rawValue + 1)), .conflict),
                (.check(c, expected: first), .notFound), (.delete(c, expected: first), .notFound),
            ]
            for (operation, code) in refused {
                let error = await storeError {
                    try await store.commit(StoreTransaction([.create(Self.b, value: []), operation]))
                }
                #expect(error?.code == code, "\(operation)")
                #expect(error?.key == operation.key)
            }
            #expect(try await store.get(Self.b) == nil)
            #expect(try await store.listAll(.all).entries.count == 1)
        }
    }

    @Test("A transaction of checks changes nothing and tells the revision", arguments: StoreEngine.all)
    func checks(_ engine: StoreEngine) async throws {
        try await engine.withStore { store in
            let first = try await store.create(Self.a, bytes("one"))
            let revision = try await store.commit(
                StoreTransaction([.check(Self.a, expected: first), .check(Self.b, expected: nil)]))
            #expect(revision >= first)
            #expect(try await store.get(Self.a)?.revision == first)
        }
    }

    @Test("128 operations fit a transaction, and 127 with a fence; one more does not", arguments: StoreEngine.all)
    func limits(_ engine: StoreEngine) async throws {
        try await engine.withStore { store in
            let epoch = try electionEpochKey("limits")
            try await store.create(epoch, electionEpochValue(1))
            let fence = Fence(election: "limits", epoch: 1)
            func creations(_ count: Int, in folder: String, fence: Fence? = nil) -> StoreTransaction {
                StoreTransaction(
                    (0..<count).map { .create(.test("/many/\(folder)/k\($0)"), value: bytes("\($0)")) }, fence: fence)
            }
            #expect(await storeError { try await store.commit(creations(129, in: "a")) }?.code == .invalid)
            #expect(
                await storeError { try await store.commit(creations(128, in: "b", fence: fence)) }?.code == .invalid)
            try await store.commit(creations(128, in: "a"))
            try await store.commit(creations(127, in: "b", fence: fence))
            #expect(try await store.listAll(.test("/many/"), pageSize: 100).entries.count == 255)
            #expect(await storeError { try await store.commit(creations(128, in: "a")) }?.code == .exists)
            #expect(await storeError { try await store.commit(creations(127, in: "b", fence: fence)) }?.code == .exists)
        }
    }

    @Test("Transactions that no engine can do are refused", arguments: StoreEngine.all)
    func invalid(_ engine: StoreEngine) async throws {
        try await engine.withStore { store in
            let empty = await storeError { try await store.commit(StoreTransaction([])) }
            #expect(empty?.code == .invalid)
            let twice = await storeError {
                try await store.commit(StoreTransaction([.create(Self.a, value: []), .check(Self.a, expected: nil)]))
            }
            #expect(twice?.code == .invalid)
            let zero = await storeError { try await store.replace(Self.a, [], expected: .zero) }
            #expect(zero?.code == .invalid)
            let fence = Fence(election: "a/b", epoch: 1)
            let slash = await storeError { try await store.create(Self.a, [], fence: fence) }
            #expect(slash?.code == .invalid)
        }
    }

    @Test("A write with an old epoch is refused, whatever else is right with it", arguments: StoreEngine.all)
    func fence(_ engine: StoreEngine) async throws {
        try await engine.withStore { store in
            let none = await storeError { try await store.create(Self.a, [], fence: Fence(election: "e", epoch: 1)) }
            #expect(none?.code == .fenced)
            let first = try await store.create(electionEpochKey("e"), electionEpochValue(1))
            let revision = try await store.create(Self.a, bytes("one"), fence: Fence(election: "e", epoch: 1))
            try await store.replace(electionEpochKey("e"), electionEpochValue(2), expected: first)
            let old = await storeError {
                try await store.replace(Self.a, bytes("two"), expected: revision, fence: Fence(election: "e", epoch: 1))
            }
            #expect(old?.code == .fenced)
            #expect(old?.message.contains("epoch 2") == true)
            #expect(try await store.get(Self.a)?.value == bytes("one"))
            try await store.replace(Self.a, bytes("two"), expected: revision, fence: Fence(election: "e", epoch: 2))
            let check = await storeError {
                try await store.commit(
                    StoreTransaction([.check(Self.b, expected: nil)], fence: Fence(election: "e", epoch: 1)))
            }
            #expect(check?.code == .fenced)
        }
    }

    @Test("A store that is closed refuses everything and ends its watches", arguments: StoreEngine.all)
    func close(_ engine: StoreEngine) async throws {
        try await engine.withStore { store in
            let revision = try await store.create(Self.a, [])
            var watch = try await store.watch(.all, after: revision).makeAsyncIterator()
            await store.close()
            #expect(await storeError { try await store.get(Self.a) }?.code == .unavailable)
            #expect(await storeError { try await store.create(Self.b, []) }?.code == .unavailable)
            #expect(await storeError { try await store.list(.all, limit: 1, from: nil) }?.code == .unavailable)
            #expect(await storeError { try await store.watch(.all, after: revision) }?.code == .unavailable)
            #expect(await storeError { try await watch.next() }?.code == .unavailable)
        }
    }
}
