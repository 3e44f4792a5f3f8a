import FleetStore
import Testing

@Suite("The store's contract: watches", .timeLimit(.minutes(2)))
struct WatchContractTests {
    private static let a = StoreKey.test("/w/a")
    private static let b = StoreKey.test("/w/b")

    @Test("A watch delivers what happened before it began and what happens then", arguments: StoreEngine.all)
    func backlogAndLive(_ engine: StoreEngine) async throws {
        try await engine.withStore { store in
            let first = try await store.create(Self.a, bytes("1"))
            let second = try await store.replace(Self.a, bytes("2"), expected: first)
            var watch = try await store.watch(.test("/w/"), after: first).makeAsyncIterator()
            let third = try await store.delete(Self.a, expected: second)
            try await store.create(.test("/other/x"), [])
            let fourth = try await store.create(Self.b, bytes("b"))
            let expected = [
                StoreChange(
                    revision: second,
                    events: [.put(StoreEntry(key: Self.a, value: bytes("2"), revision: second, created: first))]),
                StoreChange(revision: third, events: [.delete(Self.a)]),
                StoreChange(
                    revision: fourth,
                    events: [.put(StoreEntry(key: Self.b, value: bytes("b"), revision: fourth, created: fourth))]),
            ]
            for change in expected { #expect(try await watch.nextChange() == change) }
        }
    }

    @Test("A watcher that waits is woken by the write", arguments: StoreEngine.all)
    func waiting(_ engine: StoreEngine) async throws {
        try await engine.withStore { store in
            let revision = try await store.create(Self.a, [])
            let watch = try await store.watch(.test("/w/"), after: revision)
            async let change: StoreChange? = {
                var iterator = watch.makeAsyncIterator()
                return try await iterator.nextChange()
            }()
            let written = try await store.create(Self.b, [])
            #expect(try await change?.revision == written)
        }
    }

    @Test("A watcher sees a transaction whole, and only its folder's part", arguments: StoreEngine.all)
    func transactions(_ engine: StoreEngine) async throws {
        try await engine.withStore { store in
            let start = try await store.create(.test("/other/y"), [])
            var watch = try await store.watch(.test("/w/"), after: start).makeAsyncIterator()
            let revision = try await store.commit(
                StoreTransaction([
                    .create(Self.b, value: []), .create(.test("/other/x"), value: []), .create(Self.a, value: []),
                ]))
            let change = try await watch.nextChange()
            #expect(change?.revision == revision)
            #expect(change?.events.map(\.key) == [Self.a, Self.b])
            // The same again out of the history.
            var later = try await store.watch(.test("/w/"), after: start).makeAsyncIterator()
            #expect(try await later.nextChange() == change)
        }
    }

    @Test(
        "A list and a watch after it miss nothing and repeat nothing, while others write",
        arguments: StoreEngine.all)
    func listAndWatch(_ engine: StoreEngine) async throws {
        try await engine.withStore { store in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<4 {
                    group.addTask {
                        for number in 0..<30 { try await store.create(.test("/w/k\(writer)-\(number)"), []) }
                    }
                }
                for _ in 0..<4 {
                    group.addTask {
                        let (entries, revision) = try await store.listAll(.test("/w/"), pageSize: 10)
                        var keys = Set(entries.map(\.key))
                        var watch = try await store.watch(.test("/w/"), after: revision).makeAsyncIterator()
                        while keys.count < 120, let change = try await watch.nextChange() {
                            for event in change.events { #expect(keys.insert(event.key).inserted) }
                        }
                        #expect(keys.count == 120)
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("A long history is delivered in pieces, without a gap", arguments: StoreEngine.all)
    func longBacklog(_ engine: StoreEngine) async throws {
        try await engine.withStore { store in
            let start = try await store.create(.test("/w/start"), [])
            for block in 0..<30 {
                try await store.commit(
                    StoreTransaction((0..<100).map { .create(.test("/w/k\(block)-\($0)"), value: bytes("\(block)")) }))
            }
            var watch = try await store.watch(.test("/w/"), after: start).makeAsyncIterator()
            for block in 0..<30 {
                let change = try await watch.nextChange()
                #expect(change?.events.count == 100)
                #expect(change?.events.first?.key.text == "/w/k\(block)-0")
            }
        }
    }

    @Test("A watch from before the compacted history is refused: list again", arguments: StoreEngine.all)
    func compacted(_ engine: StoreEngine) async throws {
        try await engine.withStore(StoreEngine.Bounds(isAlone: true)) { store in
            let first = try await store.create(Self.a, [])
            let second = try await store.create(Self.b, [])
            let third = try await store.create(.test("/w/c"), [])
            try await store.compact(through: second)
            let error = await storeError {
                var watch = try await store.watch(.test("/w/"), after: first).makeAsyncIterator()
                _ = try await watch.next()
            }
            #expect(error?.code == .compacted)
            #expect(error?.message.hasPrefix("compacted: list again") == true)
            var watch = try await store.watch(.test("/w/"), after: second).makeAsyncIterator()
            #expect(try await watch.nextChange()?.revision == third)
        }
    }

    @Test("A watch that begins after a revision that is not yet there is refused", arguments: StoreEngine.all)
    func future(_ engine: StoreEngine) async throws {
        try await engine.withStore { store in
            let first = try await store.create(Self.a, [])
            let error = await storeError {
                try await store.watch(.all, after: Revision(rawValue: first.rawValue + 1_000_000))
            }
            #expect(error?.code == .compacted)
        }
    }

    @Test("A watch whose task is cancelled ends", arguments: StoreEngine.all)
    func cancellation(_ engine: StoreEngine) async throws {
        try await engine.withStore { store in
            let revision = try await store.create(Self.a, [])
            let watch = try await store.watch(.test("/w/"), after: revision)
            let task = Task { () -> Int in
                var count = 0
                for try await item in watch {
                    if case .change = item { count += 1 }
                }
                return count
            }
            task.cancel()
            #expect(try await task.value == 0)
        }
    }

    @Test("A quiet watcher is told how far the store is", arguments: StoreEngine.all)
    func progress(_ engine: StoreEngine) async throws {
        try await engine.withStore(StoreEngine.Bounds(progressInterval: 8, isAlone: true)) { store in
            let start = try await store.create(Self.a, [])
            var watch = try await store.watch(.test("/w/"), after: start).makeAsyncIterator()
            var last = start
            for number in 0..<9 { last = try await store.create(.test("/other/k\(number)"), []) }
            let item = try await watch.next()
            guard case .progress(let mark)? = item else {
                Issue.record("instead of a mark came \(String(describing: item))")
                return
            }
            #expect(mark > start)
            #expect(mark <= last)
            // What comes behind the mark is not lost by beginning anew after it.
            let next = try await store.create(Self.b, [])
            var resumed = try await store.watch(.test("/w/"), after: mark).makeAsyncIterator()
            #expect(try await resumed.nextChange()?.revision == next)
        }
    }

    @Test("A watcher that does not read is told to list again, and others go on", arguments: StoreEngine.embedded)
    func lagging(_ engine: StoreEngine) async throws {
        try await engine.withStore(StoreEngine.Bounds(watchBuffer: 8)) { store in
            let start = try await store.create(Self.a, [])
            var slow = try await store.watch(.test("/w/"), after: start).makeAsyncIterator()
            var quick = try await store.watch(.test("/w/"), after: start).makeAsyncIterator()
            for number in 0..<20 {
                let revision = try await store.create(.test("/w/k\(number)"), [])
                #expect(try await quick.nextChange()?.revision == revision)
            }
            let error = await storeError {
                while try await slow.next() != nil {}
            }
            #expect(error?.code == .compacted)
        }
    }

    @Test("A bounded history forgets its oldest end", arguments: StoreEngine.embedded)
    func boundedHistory(_ engine: StoreEngine) async throws {
        try await engine.withStore(StoreEngine.Bounds(history: 100)) { store in
            var revisions: [Revision] = []
            var last = try await store.create(Self.a, bytes("0"))
            for number in 1..<400 {
                revisions.append(last)
                last = try await store.replace(Self.a, bytes("\(number)"), expected: last)
            }
            let old = await storeError {
                var watch = try await store.watch(.all, after: revisions[150]).makeAsyncIterator()
                _ = try await watch.next()
            }
            #expect(old?.code == .compacted)
            var watch = try await store.watch(.all, after: revisions[320]).makeAsyncIterator()
            #expect(try await watch.nextChange()?.revision == revisions[321])
            #expect(try await store.get(Self.a)?.value == bytes("399"))
        }
    }
}
