import AsyncHTTPClient
import FleetModel
import FleetStore
import Foundation
import NIOCore
import NIOHTTP1
import Synchronization
import Testing

@testable import ControlAPI

@Suite("Watches")
struct WatchTests {
    private func fan(_ store: any FleetStore, _ limits: WatchFan.Limits = .init()) -> WatchFan {
        WatchFan(.pool, store: store, surroundings: StandingClock().surroundings, limits: limits)
    }

    private func write(_ store: any FleetStore, _ name: String) async throws -> Int64 {
        let document = try ResourceDocument(Resource(Metadata(name: name), PoolSpec()))
        return try await store.create(StoreKey("/pools/\(name)"), document.storedBytes()).rawValue
    }

    /// The names of the first changes that a reader is told of.
    private func firstNames(_ count: Int, of reader: WatchReader) async throws -> [String] {
        var names: [String] = []
        while names.count < count, let items = try await reader.next() {
            for case .line(let line) in items { names.append(line.reference.name) }
        }
        return names
    }

    private func running(_ fan: WatchFan, _ body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await fan.run() }
            try await poll { fan.isWatching }
            try await body()
            group.cancelAll()
        }
    }

    @Test("A thousand watchers cost the store one watch, and all get every change in order")
    func manyWatchers() async throws {
        let calls = Mutex(0)
        let store = MemoryFleetStore(
            faults: StoreFaults(before: { call in
                if case .watch = call { calls.withLock { $0 += 1 } }
                return .none
            }))
        let fan = fan(store)
        try await running(fan) {
            let readers = try (0..<1000).map { _ in try fan.join(after: 0) }
            for index in 0..<50 { _ = try await write(store, "p\(index)") }
            let sequences = try await withThrowingTaskGroup(of: [String].self) { group in
                for reader in readers { group.addTask { try await firstNames(50, of: reader) } }
                return try await group.reduce(into: Set()) { $0.insert($1) }
            }
            #expect(sequences == [(0..<50).map { "p\($0)" }])
            #expect(calls.withLock { $0 } == 1)
            for reader in readers { fan.leave(reader) }
            #expect(fan.readerCount == 0)
        }
    }

    @Test("A watcher that does not keep up is told to list again; the others go on")
    func slowWatcher() async throws {
        let store = MemoryFleetStore()
        var limits = WatchFan.Limits()
        limits.buffer = 10
        let fan = fan(store, limits)
        try await running(fan) {
            let slow = try fan.join(after: 0)
            let quick = try fan.join(after: 0)
            for index in 0..<20 {
                let revision = try await write(store, "p\(index)")
                var reached: Int64 = 0
                while reached < revision, let items = try await quick.next() {
                    for case .line(let line) in items { reached = line.revision }
                }
            }
            let problem = await #expect(throws: Problem.self) {
                while try await slow.next() != nil {}
            }
            #expect(problem?.code == .compacted)
        }
    }

    @Test("A watch can begin as far back as the kept changes reach, and not before")
    func history() async throws {
        let store = MemoryFleetStore()
        for index in 0..<10 { _ = try await write(store, "old\(index)") }
        var limits = WatchFan.Limits()
        limits.history = 8
        limits.lookBack = 4
        let fan = fan(store, limits)
        try await running(fan) {
            try await poll { fan.reached == 10 }
            let problem = #expect(throws: Problem.self) { try fan.join(after: 5) }
            #expect(problem?.code == .compacted)
            let reader = try fan.join(after: 7)
            let items = try #require(try await reader.next())
            #expect(items.count == 3)
            for index in 0..<9 { _ = try await write(store, "new\(index)") }
            try await poll { fan.reached == 19 }
            #expect(throws: Problem.self) { try fan.join(after: 7) }
            #expect(try await fan.join(after: 17).next()?.count == 2)
        }
    }

    @Test("Watchers hear how far everything is, unless they are behind")
    func progress() async throws {
        let store = MemoryFleetStore()
        let fan = fan(store)
        try await running(fan) {
            let reader = try fan.join(after: 0)
            fan.tick()
            guard case .progress(0)? = try await reader.next()?.first else { return #expect(Bool(false)) }
            let revision = try await write(store, "p")
            try await poll { fan.reached == revision }
            fan.tick()
            let items = try #require(try await reader.next())
            #expect(items.count == 1, "the change alone")
        }
    }

    @Test("A store that fails ends the watches, and is watched again when it is back")
    func failure() async throws {
        let store = MemoryFleetStore()
        let fan = fan(store)
        try await running(fan) {
            let reader = try fan.join(after: 0)
            await store.close()
            let problem = await #expect(throws: Problem.self) {
                while try await reader.next() != nil {}
            }
            #expect(problem?.status == 503)
            try await poll { !fan.isWatching }
            #expect(throws: Problem.self) { try fan.join(after: 0) }
        }
    }

    @Test("Over HTTP: all there is, then changes as they come; labels choose; a deletion says what is gone")
    func stream() async throws {
        let fixture = try await APIFixture()
        try await withServer(fixture) { port in
            let service = Poster(port: port, token: fixture.admin)
            try await service.put("/api/v1/pools/a", #"{"metadata":{"labels":{"x":"1"}}}"#)
            try await service.put("/api/v1/pools/b", "{}")
            let response = try await get(port, "/api/v1/pools?watch=true&labels=x=1", token: fixture.admin)
            #expect(response.headers.first(name: "Content-Type") == "application/x-ndjson")
            var lines = Lines(response)
            let first = try #require(try await lines.next())
            #expect(first["type"] == "PUT")
            #expect(first["object"]?["metadata"]?["name"] == "a")
            let mark = try #require(try await lines.next())
            #expect(mark["type"] == "PROGRESS")
            try await service.put("/api/v1/pools/c", #"{"metadata":{"labels":{"x":"1"}}}"#)
            #expect(try await lines.next()?["object"]?["metadata"]?["name"] == "c")
            try await service.put("/api/v1/pools/c", #"{"metadata":{"labels":{"x":"2"}}}"#)
            #expect(try await lines.next()?["type"] == "DELETE", "it lost the label")
            try await service.send(.DELETE, "/api/v1/pools/a", nil)
            let gone = try #require(try await lines.next())
            #expect(gone["type"] == "DELETE")
            #expect(gone["object"]?["kind"] == "Pool")
            #expect(gone["object"]?["metadata"]?["name"] == "a")
            guard case .integer(let revision)? = mark["revision"] else { return #expect(Bool(false)) }
            var again = Lines(
                try await get(port, "/api/v1/pools?watch=true&revision=\(revision)", token: fixture.admin))
            #expect(try await again.next()?["object"]?["metadata"]?["name"] == "c")
            let future = try await get(port, "/api/v1/pools?watch=true&revision=999999", token: fixture.admin)
            #expect(future.status == .gone)
        }
    }

    @Test("Who sent watches is looked up once for all that ask meanwhile; a store that is away ends none")
    func senders() async throws {
        let (gates, gate) = AsyncStream<Void>.makeStream()
        let looks = Mutex(0)
        let checks = SenderChecks { credentials in
            looks.withLock { $0 += 1 }
            for await _ in gates {}
            if credentials.authorization == "gone" { throw Problem(.unauthenticated, "revoked") }
            if credentials.authorization == "away" { throw Problem(.unavailable, "the store: no answer") }
        }
        async let first: Void = checks.check(Credentials(authorization: "known"))
        try await poll { looks.withLock { $0 } == 1 }
        async let second: Void = checks.check(Credentials(authorization: "known"))
        try await poll { await checks.waiterCount(of: Credentials(authorization: "known")) == 2 }
        gate.finish()
        _ = try await (first, second)
        #expect(looks.withLock { $0 } == 1)
        await #expect(throws: Problem.self) { try await checks.check(Credentials(authorization: "gone")) }
        try await checks.check(Credentials(authorization: "away"))
        try await checks.check(Credentials(authorization: "known"))
        #expect(looks.withLock { $0 } == 4, "no outcome is kept")
    }

    @Test("A watcher sees its own projects alone, and ends when its token is revoked")
    func revoked() async throws {
        let fixture = try await APIFixture()
        let made = try await fixture.tokens.make(
            TokenRequest(subject: "v", grants: [Grant(.viewer, project: "team")]), by: "t")
        let service = ControlService(fixture.parts)
        try await service.prepareStore()
        let identity = try await fixture.tokens.identity(of: made.token)
        let store = fixture.store
        let fan = WatchFan(.workload, store: store, surroundings: fixture.clock.surroundings)
        try await running(fan) {
            let sight = Sight(identity, of: .workload, store: store)
            let stream = WatchStream(
                fan: fan, reader: try fan.join(after: 0),
                selection: ResourceSelection(kind: .workload, sight: sight)
            ) { [tokens = fixture.tokens] in _ = try await tokens.identity(of: made.token) }
            for (project, name) in [("other", "x"), ("team", "y")] {
                let workload = Resource(Metadata(name: name, project: project), WorkloadSpec())
                let bytes = try ResourceDocument(workload).storedBytes()
                try await store.create(StoreKey("/workloads/\(project)/\(name)"), bytes)
            }
            let texts = Mutex<[String]>([])
            try await fixture.tokens.revoke(made.description.id)
            let now = try await store.list(.all, limit: 1, from: nil).revision.rawValue
            try await poll { fan.reached >= now - 1 }
            try await stream.run { buffers in
                texts.withLock { $0 += buffers.map { String(buffer: $0) } }
                fan.tick()
            }
            let lines = texts.withLock { $0 }
            #expect(lines.count == 2, "\(lines)")
            #expect(lines.first?.contains("\"name\":\"y\"") == true)
            #expect(lines.last?.contains("\"type\":\"ERROR\"") == true)
            #expect(lines.last?.contains("urn:roost:problem:unauthenticated") == true)
        }
    }
}
