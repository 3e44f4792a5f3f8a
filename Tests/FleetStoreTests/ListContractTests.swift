import FleetStore
import Testing

@Suite("The store's contract: lists", .timeLimit(.minutes(2)))
struct ListContractTests {
    @Test("A list has a folder's objects by key, and nothing of its neighbours", arguments: StoreEngine.all)
    func prefixes(_ engine: StoreEngine) async throws {
        try await engine.withStore { store in
            for key in ["/a/2", "/a/1", "/a/1/x", "/a", "/ab/1", "/b", "/a/A", "/a/~", "/a/10"] {
                try await store.create(.test(key), bytes(key))
            }
            let folder = try await store.list(.test("/a/"), limit: 100, from: nil)
            #expect(folder.entries.map(\.key.text) == ["/a/1", "/a/1/x", "/a/10", "/a/2", "/a/A", "/a/~"])
            #expect(folder.continuation == nil)
            #expect(try await store.list(.test("/a/1/"), limit: 100, from: nil).entries.map(\.key.text) == ["/a/1/x"])
            #expect(try await store.list(.all, limit: 100, from: nil).entries.count == 9)
            #expect(try await store.list(.test("/c/"), limit: 100, from: nil).entries.isEmpty)
        }
    }

    @Test("A list tells the revision that it shows", arguments: StoreEngine.all)
    func revision(_ engine: StoreEngine) async throws {
        try await engine.withStore { store in
            let first = try await store.create(.test("/x/a"), [])
            #expect(try await store.list(.all, limit: 1, from: nil).revision >= first)
            let second = try await store.create(.test("/y/a"), [])
            #expect(try await store.list(.test("/x/"), limit: 1, from: nil).revision >= second)
        }
    }

    @Test(
        "All pages of a list show the revision of the first, whatever is written meanwhile",
        arguments: StoreEngine.all)
    func pages(_ engine: StoreEngine) async throws {
        try await engine.withStore { store in
            var revisions: [StoreKey: Revision] = [:]
            for number in 10..<30 {
                let key = StoreKey.test("/p/k\(number)")
                revisions[key] = try await store.create(key, bytes("\(number)"))
            }
            let before = try await store.listAll(.test("/p/")).entries
            var page = try await store.list(.test("/p/"), limit: 7, from: nil)
            var entries = page.entries
            #expect(page.entries.count == 7)
            for number in [12, 20, 21, 29] {
                let key = StoreKey.test("/p/k\(number)")
                let expected = try #require(revisions[key])
                let written = try await store.replace(key, bytes("changed"), expected: expected)
                if number % 2 == 1 { try await store.delete(key, expected: written) }
            }
            try await store.create(.test("/p/k21"), bytes("anew"))
            try await store.create(.test("/p/k205"), bytes("between"))
            try await store.create(.test("/p/k3"), bytes("behind"))
            while let continuation = page.continuation {
                page = try await store.list(.test("/p/"), limit: 7, from: continuation)
                #expect(page.revision == continuation.revision)
                entries += page.entries
            }
            #expect(entries == before)
            let now = try await store.listAll(.test("/p/"), pageSize: 3).entries
            #expect(now.map(\.key.text).contains("/p/k205"))
            #expect(now.count == 21)
        }
    }

    @Test("A page that ends with the last object has no continuation", arguments: StoreEngine.all)
    func exactPage(_ engine: StoreEngine) async throws {
        try await engine.withStore { store in
            for number in 0..<4 { try await store.create(.test("/p/k\(number)"), []) }
            let page = try await store.list(.test("/p/"), limit: 4, from: nil)
            #expect(page.entries.count == 4)
            #expect(page.continuation == nil)
            let half = try await store.list(.test("/p/"), limit: 2, from: nil)
            #expect(half.continuation != nil)
            let rest = try await store.list(.test("/p/"), limit: 2, from: half.continuation)
            #expect(rest.entries.map(\.key.text) == ["/p/k2", "/p/k3"])
            #expect(rest.continuation == nil)
        }
    }

    @Test("A limit below one is refused, one of any size is not", arguments: StoreEngine.all)
    func limit(_ engine: StoreEngine) async throws {
        try await engine.withStore { store in
            try await store.create(.test("/p/k"), [])
            #expect(await storeError { try await store.list(.all, limit: 0, from: nil) }?.code == .invalid)
            #expect(await storeError { try await store.list(.all, limit: -1, from: nil) }?.code == .invalid)
            #expect(try await store.list(.all, limit: Int.max, from: nil).entries.count == 1)
        }
    }

    @Test(
        "A continuation behind the compacted history is refused, and the whole list begins again",
        arguments: StoreEngine.all)
    func compactedContinuation(_ engine: StoreEngine) async throws {
        try await engine.withStore(StoreEngine.Bounds(isAlone: true)) { store in
            for number in 0..<4 { try await store.create(.test("/p/k\(number)"), []) }
            let page = try await store.list(.test("/p/"), limit: 2, from: nil)
            let last = try await store.create(.test("/p/k4"), [])
            try await store.compact(through: last)
            let error = await storeError { try await store.list(.test("/p/"), limit: 2, from: page.continuation) }
            #expect(error?.code == .compacted)
            #expect(try await store.listAll(.test("/p/"), pageSize: 2).entries.count == 5)
        }
    }
}
