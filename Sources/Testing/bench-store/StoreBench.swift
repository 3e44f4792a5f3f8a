import EtcdFleetStore
import FleetStore
import Foundation
import Glibc
import SQLiteFleetStore

/// One figure: `name value unit`.
struct Figure: Codable {
    var name: String
    var value: Double
    var unit: String
}

/// Measures one engine after the other, and keeps the figures.
struct StoreBench {
    /// Replicas that the control loop is to place.
    private static let replicaCount = 2000

    private let folder: String
    private var figures: [Figure] = []
    private let clock = ContinuousClock()

    init(folder: String) { self.folder = folder }

    /// The limit of every durable engine: how often the disk takes 4 KiB for good, one after the other.
    mutating func measureDisk() throws {
        let path = folder + "/bench-fsync"
        let file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0o600)
        guard file >= 0 else { throw StoreError(.unavailable, "\(path) cannot be made") }
        defer {
            _ = close(file)
            _ = unlink(path)
        }
        let page = [UInt8](repeating: 7, count: 4096)
        var times: [Duration] = []
        for _ in 0..<1000 {
            times.append(
                clock.measure {
                    _ = Glibc.write(file, page, page.count)
                    fdatasync(file)
                })
        }
        report("disk.fsync_p50", milliseconds(median(times)), "ms")
        report("disk.fsyncs", 1000 / seconds(times.reduce(.zero, +)), "1/s")
    }

    /// Everything about one engine.
    mutating func measure(_ name: String, _ store: any FleetStore) async throws {
        for writers in [1, 16, 256] {
            let count = try await compareAndSets(store, writers: writers, for: .seconds(3))
            report("\(name).compare_and_set_\(writers)", count, "1/s")
        }
        try await measureWatch(name, store)
        try await measureList(name, store)
    }

    /// Measures all that there is to measure.
    static func run(folder: String, etcd url: String?, json: String?) async throws {
        var bench = StoreBench(folder: folder)
        try bench.measureDisk()
        let embedded = try SQLiteFleetStore(path: folder + "/bench-store.db")
        try await bench.measure("sqlite", embedded)
        await embedded.close()
        if let url {
            let remote = try EtcdFleetStore(EtcdOptions(endpoints: [url]))
            try await bench.measure("etcd", remote)
            await remote.close()
        }
        try await bench.measureDecisions(folder: folder, etcd: url)
        if let json { try bench.write(to: json) }
    }

    /// What the control loop decides and the store keeps, replicas by themselves and in gangs, each in a store of its
    /// own.
    private mutating func measureDecisions(folder: String, etcd url: String?) async throws {
        for (name, size) in [("single", 1), ("gangs_of_8", 8)] {
            let embedded = try SQLiteFleetStore(path: folder + "/bench-decisions-\(name).db")
            try await measureDecisions("sqlite.decisions_\(name)", embedded, gang: size)
            await embedded.close()
            guard let url else { continue }
            var options = EtcdOptions(endpoints: [url])
            options.namespace = "/bench-decisions-\(name)"
            let remote = try EtcdFleetStore(options)
            try await measureDecisions("etcd.decisions_\(name)", remote, gang: size)
            await remote.close()
        }
    }

    private mutating func measureDecisions(_ name: String, _ store: any FleetStore, gang size: Int) async throws {
        let count = StoreBench.replicaCount
        let outcome = try await DecisionBench(store).run(replicas: count, gang: size)
        report(name, Double(count) / outcome.seconds, "1/s")
        report("\(name)_per_commit", Double(count) / Double(max(1, outcome.commitCount)), "vGPUs")
    }

    /// Writes the figures as JSON.
    func write(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try encoder.encode(figures).write(to: URL(fileURLWithPath: path))
    }

    /// Each writer replaces an object of its own, 300 bytes, one after the other.
    private func compareAndSets(
        _ store: any FleetStore, writers: Int, for time: Duration
    ) async throws -> Double {
        let value = [UInt8](repeating: 7, count: 300)
        let clock = clock
        let begin = clock.now
        let count = try await withThrowingTaskGroup(of: Int.self) { group in
            for writer in 0..<writers {
                group.addTask {
                    let key = try StoreKey("/bench/\(writers)/w\(writer)")
                    var revision = try await store.create(key, value)
                    var count = 0
                    while clock.now - begin < time {
                        revision = try await store.replace(key, value, expected: revision)
                        count += 1
                    }
                    return count
                }
            }
            return try await group.reduce(0, +)
        }
        return Double(count) / seconds(clock.now - begin)
    }

    /// From the call of a write to the watcher's hearing of it, so the write itself is in it.
    private mutating func measureWatch(_ name: String, _ store: any FleetStore) async throws {
        let key = try StoreKey("/bench/watched")
        var revision = try await store.create(key, [1])
        var watch = try await store.watch(try StorePrefix("/bench/"), after: revision).makeAsyncIterator()
        var total: [Duration] = []
        var afterwards: [Duration] = []
        for _ in 0..<500 {
            let begin = clock.now
            revision = try await store.replace(key, [1], expected: revision)
            let acknowledged = clock.now
            while let item = try await watch.next(), item.revision < revision {}
            total.append(clock.now - begin)
            afterwards.append(clock.now - acknowledged)
        }
        report("\(name).write_to_watcher_p50", milliseconds(median(total)), "ms")
        report("\(name).acknowledged_to_watcher_p50", milliseconds(median(afterwards)), "ms")
    }

    private mutating func measureList(_ name: String, _ store: any FleetStore) async throws {
        let value = [UInt8](repeating: 7, count: 300)
        for block in 0..<100 {
            let operations = try (0..<100).map {
                StoreOperation.create(try StoreKey("/bench-list/k\(block)-\($0)"), value: value)
            }
            try await store.commit(StoreTransaction(operations))
        }
        let prefix = try StorePrefix("/bench-list/")
        var times: [Duration] = []
        var gets: [Duration] = []
        let one = try StoreKey("/bench-list/k50-50")
        for _ in 0..<10 {
            let begin = clock.now
            let page = try await store.list(prefix, limit: 10_000, from: nil)
            times.append(clock.now - begin)
            guard page.entries.count == 10_000 else { throw StoreError(.damaged, "the list has \(page.entries.count)") }
        }
        for _ in 0..<1000 {
            let begin = clock.now
            _ = try await store.get(one)
            gets.append(clock.now - begin)
        }
        report("\(name).list_10k_p50", milliseconds(median(times)), "ms")
        report("\(name).get_p50", milliseconds(median(gets)), "ms")
    }

    private mutating func report(_ name: String, _ value: Double, _ unit: String) {
        print("\(name) \((value * 1000).rounded() / 1000) \(unit)")
        fflush(nil)
        figures.append(Figure(name: name, value: value, unit: unit))
    }

    private func median(_ times: [Duration]) -> Duration { times.sorted()[times.count / 2] }

    private func seconds(_ duration: Duration) -> Double { duration / .seconds(1) }

    private func milliseconds(_ duration: Duration) -> Double { duration / .milliseconds(1) }
}
