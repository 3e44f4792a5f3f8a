import EtcdFleetStore
import FleetStore
import Foundation
import SQLiteFleetStore
import Testing

/// The engines that keep the store's contract.
enum StoreEngine: String, CaseIterable, CustomTestStringConvertible {
    case memory
    case sqlite
    case etcd

    /// Those that can run here; a test of its own says so where etcd cannot.
    static let all = allCases.filter { $0 != .etcd || EtcdServer.isInstalled }
    /// Engines with bounds of their own, kept by this process.
    static let embedded: [StoreEngine] = [.memory, .sqlite]

    var testDescription: String { rawValue }

    /// Small bounds that a test sets to reach them.
    struct Bounds {
        var history = 10_000
        var watchBuffer = 4096
        var progressInterval: Int64 = 256
        /// Whether the test compacts the history, or sets how often etcd sends marks.
        var isAlone = false
    }

    /// Runs a test on an empty store of the engine, and removes the store.
    func withStore<Output>(
        _ bounds: Bounds = Bounds(), _ body: (any FleetStore) async throws -> Output
    ) async throws -> Output {
        switch self {
        case .memory:
            let store = MemoryFleetStore(
                historyLimit: bounds.history, watchBuffer: bounds.watchBuffer,
                progressInterval: bounds.progressInterval)
            return try await closing(store, body)
        case .sqlite:
            let folder = try ScratchFolder()
            var options = SQLiteFleetStore.Options()
            options.historyLimit = bounds.history
            options.watchBuffer = bounds.watchBuffer
            options.progressInterval = bounds.progressInterval
            return try await closing(try SQLiteFleetStore(path: folder.file("store.db"), options: options), body)
        case .etcd:
            let server =
                bounds.isAlone
                ? try await EtcdServer.start(arguments: ["--experimental-watch-progress-notify-interval", "200ms"])
                : try await SharedEtcd.instance.server()
            var options = EtcdOptions(endpoints: [server.endpoint])
            options.namespace = "/test-\(UUID().uuidString)"
            options.watchBuffer = bounds.watchBuffer
            let output = try await closing(try EtcdFleetStore(options), body)
            if bounds.isAlone { server.stop() }
            return output
        }
    }

    private func closing<Output>(
        _ store: any FleetStore, _ body: (any FleetStore) async throws -> Output
    ) async throws -> Output {
        do {
            let output = try await body(store)
            await store.close()
            return output
        } catch {
            await store.close()
            throw error
        }
    }
}

/// A folder that goes with its last user.
final class ScratchFolder: Sendable {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appendingPathComponent("roost-store-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    func file(_ name: String) -> String { url.appendingPathComponent(name).path }
}

extension StoreKey {
    /// A key of a test, which is known to be right.
    static func test(_ text: String) -> StoreKey {
        guard let key = try? StoreKey(text) else { preconditionFailure("'\(text)' is no key") }
        return key
    }
}

extension StorePrefix {
    /// A prefix of a test, which is known to be right.
    static func test(_ text: String) -> StorePrefix {
        guard let prefix = try? StorePrefix(text) else { preconditionFailure("'\(text)' is no prefix") }
        return prefix
    }
}

/// The error that a call ends with, or nil if it succeeds.
func storeError<Output>(_ call: () async throws -> Output) async -> StoreError? {
    do {
        _ = try await call()
        return nil
    } catch {
        return error as? StoreError
    }
}

/// Bytes of a text.
func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

extension StoreWatch.AsyncIterator {
    /// The next change, past marks.
    mutating func nextChange() async throws -> StoreChange? {
        while let item = try await next() {
            if case .change(let change) = item { return change }
        }
        return nil
    }
}
