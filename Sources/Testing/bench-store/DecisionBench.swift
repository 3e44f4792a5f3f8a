import ControlPlane
import FleetModel
import FleetStore
import Foundation
import Logging

/// How many replicas a second the real control loop places for good: from the first workload's write until a watcher
/// of the store has seen every vGPU.
struct DecisionBench {
    /// The machine's clock and randomness.
    private struct Environment: FleetEnvironment {
        func now() -> Timestamp { Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000)) }

        func sleep(for span: TimeSpan) async {
            try? await Task.sleep(for: .milliseconds(max(0, span.milliseconds)))
        }

        func random() -> UInt64 { .random(in: .min ... .max) }
    }

    /// What one run did.
    struct Outcome {
        var seconds: Double
        /// Transactions that the store took meanwhile.
        var commitCount: Int64
    }

    /// Devices of each node; each device has room for two replicas.
    private static let devicesPerNode = 8
    private static let limit: Duration = .seconds(300)

    let store: any FleetStore
    private let environment = Environment()

    init(_ store: any FleetStore) { self.store = store }

    /// Places replicas in gangs of a size, which is 1 for replicas by themselves; the fleet has room for all.
    func run(replicas: Int, gang size: Int) async throws -> Outcome {
        try await makeFleet(nodes: replicas / (2 * DecisionBench.devicesPerNode) + 1)
        var settings = FleetCore.Settings()
        // No agents tell of themselves here.
        settings.nodes.leaseSpan = .hours(24)
        settings.nodes.lossSpan = .hours(48)
        var log = Logger(label: "bench-store")
        log.logLevel = .error
        let loop = ControlLoop(store: store, settings: settings, environment: environment, log: log)
        let start = try await store.list(.all, limit: 1, from: nil).revision
        return try await withThrowingTaskGroup(of: Outcome?.self) { group in
            group.addTask {
                await loop.follow()
                return nil
            }
            await loop.reach(start.rawValue)
            group.addTask {
                await loop.lead(fence: nil)
                return nil
            }
            group.addTask {
                try await Task.sleep(for: DecisionBench.limit)
                throw StoreError(.unavailable, "not all replicas were placed within \(DecisionBench.limit)")
            }
            group.addTask { try await measure(replicas: replicas, gang: size) }
            defer { group.cancelAll() }
            while let ended = try await group.next() {
                if let outcome = ended { return outcome }
            }
            throw StoreError(.unavailable, "the control loop ended early")
        }
    }

    private func measure(replicas: Int, gang size: Int) async throws -> Outcome {
        let clock = ContinuousClock()
        let before = try await store.list(.all, limit: 1, from: nil).revision
        var watch = try await store.watch(try StorePrefix("/vgpus/"), after: before).makeAsyncIterator()
        let begin = clock.now
        async let written: Void = writeWorkloads(count: replicas / size, gang: size)
        var found = Set<StoreKey>()
        var last = before
        while found.count < replicas, let item = try await watch.next() {
            last = item.revision
            guard case .change(let change) = item else { continue }
            for case .put(let entry) in change.events { found.insert(entry.key) }
        }
        let elapsed = clock.now - begin
        try await written
        return Outcome(seconds: elapsed / .seconds(1), commitCount: last.rawValue - before.rawValue)
    }

    // MARK: - What there is

    private func makeFleet(nodes count: Int) async throws {
        var pool = PoolSpec()
        pool.isDefault = true
        var operations = [try creation(Resource(Metadata(name: "main"), pool))]
        for number in 0..<count {
            let name = "node-\(number)"
            var node = Resource(Metadata(name: name), NodeSpec())
            node.status.phase = .ready
            node.status.pool = "main"
            node.status.heartbeatAt = environment.now()
            node.status.milliProcessors = 256_000
            node.status.memory = MemoryQuantity(mebibytes: 2 << 20)
            operations.append(try creation(node))
            for device in 0..<DecisionBench.devicesPerNode {
                var status = DeviceStatus()
                status.vendor = "nvidia"
                status.model = "H200"
                status.memory = MemoryQuantity(mebibytes: 141 << 10)
                status.healthy = true
                let spec = DeviceSpec(node: name, id: "gpu-\(device)")
                operations.append(try creation(Resource(Metadata(name: "\(name).gpu-\(device)"), spec, status: status)))
            }
        }
        try await write(operations)
    }

    private func writeWorkloads(count: Int, gang size: Int) async throws {
        let operations = try (0..<count).map { number in
            var spec = WorkloadSpec()
            spec.replicas = Int64(size)
            if size > 1 { spec.gang = .init() }
            spec.resources = DeviceRequest(
                compute: Bounds(.percent(50)), memory: Bounds(MemoryQuantity(mebibytes: 64 << 10)))
            var metadata = Metadata(name: "w\(number)", project: "default")
            metadata.createdAt = environment.now()
            return try creation(Resource(metadata, spec))
        }
        try await write(operations)
    }

    private func creation<Spec: ResourceSpec>(_ resource: Resource<Spec>) throws -> StoreOperation {
        var resource = resource
        resource.metadata.uid = UUID().uuidString
        resource.metadata.generation = 1
        let key = try StoreKey(resource.reference.key)
        return .create(key, value: try ResourceDocument(resource).storedBytes())
    }

    private func write(_ operations: [StoreOperation]) async throws {
        for start in stride(from: 0, to: operations.count, by: StoreTransaction.maximumOperationCount) {
            let end = min(operations.count, start + StoreTransaction.maximumOperationCount)
            try await store.commit(StoreTransaction(Array(operations[start..<end])))
        }
    }
}
