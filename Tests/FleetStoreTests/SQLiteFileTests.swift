import FleetStore
import Foundation
import Synchronization
import Testing

@testable import SQLiteFleetStore

@Suite("The SQLite engine's file", .timeLimit(.minutes(2)))
struct SQLiteFileTests {
    private static let a = StoreKey.test("/w/a")

    private func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    private func openError(_ path: String) -> StoreError? {
        do {
            _ = try SQLiteFleetStore(path: path)
            return nil
        } catch { return error }
    }

    @Test("What was written is there after the store is opened again, and watches go on")
    func reopening() async throws {
        let folder = try ScratchFolder()
        let path = folder.file("store.db")
        let first = try SQLiteFleetStore(path: path)
        let created = try await first.create(Self.a, bytes("1"))
        let written = try await first.replace(Self.a, bytes("2"), expected: created)
        await first.close()
        let second = try SQLiteFleetStore(path: path)
        #expect(
            try await second.get(Self.a)
                == StoreEntry(key: Self.a, value: bytes("2"), revision: written, created: created))
        var watch = try await second.watch(.all, after: created).makeAsyncIterator()
        #expect(try await watch.nextChange()?.revision == written)
        let next = try await second.create(.test("/w/b"), [])
        #expect(next > written)
        #expect(try await watch.nextChange()?.revision == next)
        await second.close()
    }

    @Test("Its files are for their owner alone, also those that were not")
    func modes() async throws {
        let folder = try ScratchFolder()
        let path = folder.file("store.db")
        let store = try SQLiteFleetStore(path: path)
        try await store.create(Self.a, [])
        for name in ["", "-wal", "-shm", ".lock"] { #expect(try mode(path + name) == 0o600, "\(name)") }
        await store.close()
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
        let again = try SQLiteFleetStore(path: path)
        #expect(try mode(path) == 0o600)
        await again.close()
    }

    @Test("A store that is open is not opened a second time")
    func lock() async throws {
        let folder = try ScratchFolder()
        let path = folder.file("store.db")
        let store = try SQLiteFleetStore(path: path)
        let error = openError(path)
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains("open in another process") == true)
        await store.close()
        #expect(openError(path) == nil)
    }

    @Test("A store that was closed can be opened although a forked child still has its descriptors")
    func lockOfChild() async throws {
        let folder = try ScratchFolder()
        let path = folder.file("store.db")
        let store = try SQLiteFleetStore(path: path)
        let descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap(Int32.init)
        let lock = try #require(
            descriptors.first {
                let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")
                return target?.hasSuffix(path + ".lock") == true
            })
        let inherited = dup(lock)
        defer { close(inherited) }
        await store.close()
        #expect(openError(path) == nil)
    }

    @Test("A file of an older version is brought up to date with all that it holds; one of a newer version is refused")
    func migration() async throws {
        let folder = try ScratchFolder()
        let path = folder.file("store.db")
        let old = try SQLiteFleetStore(path: path)
        let revision = try await old.create(Self.a, bytes("kept"))
        await old.close()
        let newer = StoreSchema(
            steps: StoreSchema.current.steps + [
                "ALTER TABLE entry ADD COLUMN owner TEXT; UPDATE entry SET owner = 'x';"
            ])
        let migrated = try SQLiteFleetStore(path: path, options: .init(), schema: newer)
        #expect(try await migrated.get(Self.a)?.revision == revision)
        try await migrated.create(.test("/w/b"), [])
        await migrated.close()
        let error = openError(path)
        #expect(error?.code == .damaged)
        #expect(error?.message.contains("newer version (schema 2, not 1)") == true)
        let again = try SQLiteFleetStore(path: path, options: .init(), schema: newer)
        #expect(try await again.listAll(.all).entries.count == 2)
        await again.close()
    }

    @Test("A migration that fails leaves the file as it was")
    func failedMigration() async throws {
        let folder = try ScratchFolder()
        let path = folder.file("store.db")
        let old = try SQLiteFleetStore(path: path)
        try await old.create(Self.a, bytes("kept"))
        await old.close()
        let broken = StoreSchema(steps: StoreSchema.current.steps + ["DELETE FROM entry; NONSENSE;"])
        #expect(throws: StoreError.self) { try SQLiteFleetStore(path: path, options: .init(), schema: broken) }
        let again = try SQLiteFleetStore(path: path)
        #expect(try await again.get(Self.a)?.value == bytes("kept"))
        await again.close()
    }

    @Test(
        "Files that are no store are refused and stay as they are",
        arguments: ["text", "foreign database", "empty folder"])
    func foreignFiles(_ kind: String) throws {
        let folder = try ScratchFolder()
        let path = folder.file("store.db")
        switch kind {
        case "text": try Data(repeating: 0x41, count: 10_000).write(to: URL(fileURLWithPath: path))
        case "empty folder": try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        default:
            try Data().write(to: URL(fileURLWithPath: path))
            let other = try SQLiteConnection(path: path, isReadOnly: false)
            try other.run("CREATE TABLE songs (name TEXT); PRAGMA user_version = 7")
        }
        let before = FileManager.default.contents(atPath: path)
        let error = openError(path)
        #expect(error?.code == (kind == "empty folder" ? .unavailable : .damaged))
        #expect(
            error?.message.contains(kind == "foreign database" ? "another program" : path) == true || kind == "text")
        #expect(FileManager.default.contents(atPath: path) == before)
    }

    /// A store of some hundred objects, closed, so that all is in the one file.
    private func filledStore(_ folder: ScratchFolder) async throws -> String {
        let path = folder.file("store.db")
        let store = try SQLiteFleetStore(path: path)
        for block in 0..<10 {
            try await store.commit(
                StoreTransaction(
                    (0..<50).map { .create(.test("/w/k\(block)-\($0)"), value: [UInt8](repeating: 7, count: 300)) }))
        }
        await store.close()
        return path
    }

    @Test(
        "A file that was cut, or overwritten in its midst, is refused with what to do",
        arguments: ["cut", "overwritten"])
    func damage(_ kind: String) async throws {
        let folder = try ScratchFolder()
        let path = try await filledStore(folder)
        // Everything must be in the file itself for the damage to be seen there.
        do {
            let connection = try SQLiteConnection(path: path, isReadOnly: false)
            try connection.run("PRAGMA wal_checkpoint(TRUNCATE)")
        }
        var contents = try #require(FileManager.default.contents(atPath: path))
        #expect(contents.count > 20 * 4096)
        if kind == "cut" {
            contents.removeLast(contents.count / 2)
        } else {
            for page in 2..<20 { contents.replaceSubrange(page * 4096..<page * 4096 + 2048, with: Data(count: 2048)) }
        }
        try contents.write(to: URL(fileURLWithPath: path))
        let error = openError(path)
        #expect(error?.code == .damaged)
        #expect(error?.message.contains("restore it from a backup") == true)
    }

    @Test("Rows that are ahead of the store's revision are damage")
    func aheadOfRevision() async throws {
        let folder = try ScratchFolder()
        let path = try await filledStore(folder)
        do {
            let connection = try SQLiteConnection(path: path, isReadOnly: false)
            try connection.run("UPDATE mark SET value = 3 WHERE name = 'revision'")
        }
        #expect(openError(path)?.code == .damaged)
    }

    @Test("History that is too old is forgotten")
    func historyAge() async throws {
        let folder = try ScratchFolder()
        let second = Mutex<Int64>(1000)
        var options = SQLiteFleetStore.Options()
        options.historySeconds = 60
        options.now = { second.withLock { $0 } }
        let store = try SQLiteFleetStore(path: folder.file("store.db"), options: options)
        let first = try await store.create(Self.a, [])
        second.withLock { $0 += 61 }
        var last = first
        for _ in 0..<300 { last = try await store.replace(Self.a, [], expected: last) }
        #expect(await storeError { try await store.watch(.all, after: .zero) }?.code == .compacted)
        let young = try await store.watch(.all, after: first)
        var watch = young.makeAsyncIterator()
        #expect(try await watch.nextChange()?.revision.rawValue == first.rawValue + 1)
        await store.close()
    }

    @Test("Writers that come while a commit runs share the next one")
    func groupCommit() async throws {
        let folder = try ScratchFolder()
        let store = try SQLiteFleetStore(path: folder.file("store.db"))
        let before = store.commitCount
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<200 {
                group.addTask { for number in 0..<5 { try await store.create(.test("/w/k\(writer)-\(number)"), []) } }
            }
            try await group.waitForAll()
        }
        #expect(try await store.listAll(.test("/w/")).entries.count == 1000)
        #expect(store.commitCount - before < 300)
        await store.close()
    }

    @Test("A file that may not grow refuses the write, keeps what was acknowledged, and grows when it may")
    func fullFile() async throws {
        let folder = try ScratchFolder()
        let path = folder.file("store.db")
        var options = SQLiteFleetStore.Options()
        options.maximumByteCount = 100_000
        let store = try SQLiteFleetStore(path: path, options: options)
        let kept = try await store.create(Self.a, bytes("kept"))
        let large = [UInt8](repeating: 1, count: 200_000)
        let error = await storeError { try await store.create(.test("/w/large"), large) }
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains("disk is full") == true)
        #expect(try await store.get(.test("/w/large")) == nil)
        let small = try await store.create(.test("/w/small"), [])
        #expect(small.rawValue == kept.rawValue + 1)
        await store.close()
        let larger = try SQLiteFleetStore(path: path)
        try await larger.create(.test("/w/large"), large)
        #expect(try await larger.listAll(.all).entries.count == 3)
        await larger.close()
    }
}
