import FleetClient
import FleetModel
import Foundation
import NodeModel
import Synchronization

/// A workload of a pool that lives as long as one program runs: made, waited for, kept alive, deleted.
final class PoolLease: Sendable {
    /// What is asked of the pool.
    struct Request: Sendable {
        /// The project that pays.
        var project: String
        /// The pool; the default one where nil.
        var pool: String?
        /// What the program is called in lists.
        var program: String
        /// The part of each device, and how many devices.
        var vgpu: GPURequest
    }

    /// How to reach what was given.
    struct Grant: Sendable {
        var endpoints: [String]
        var uuids: [String]
        var token: String
        var isSoftware: Bool
        var nodes: [String]
    }

    /// The workload is deleted when it was not kept alive for so long: a client may die.
    private static let holdTimeout = TimeSpan.seconds(60)

    private let client: FleetClient
    private let reference: ResourceReference
    private let request: Request
    private let keeper = Mutex<Task<Void, Never>?>(nil)

    init(_ request: Request, client: FleetClient) {
        self.request = request
        self.client = client
        let stem = request.program.lowercased().filter { $0.isASCII && ($0.isLetter || $0.isNumber) }.prefix(24)
        let suffix = String(UInt32.random(in: .min ... .max), radix: 36)
        reference = ResourceReference(
            kind: .workload, project: request.project, name: "run-\(stem.isEmpty ? "program" : stem)-\(suffix)")
    }

    /// Makes the workload and waits until its vGPUs serve.
    ///
    /// - Parameter onWait: Told why it waits, whenever that changes.
    func acquire(onWait: @Sendable (String) -> Void) async throws -> Grant {
        var spec = WorkloadSpec()
        spec.pool = request.pool
        spec.holdTimeout = PoolLease.holdTimeout
        spec.resources = DeviceRequest(
            devices: Int64(request.vgpu.count),
            compute: Bounds(.percent(Int64(request.vgpu.compute.percent))),
            memory: Bounds(MemoryQuantity(mebibytes: Int64(clamping: request.vgpu.memory.coveringMebibytes))))
        let metadata = Metadata(name: reference.name, project: request.project)
        let made = try await client.create(try ResourceDocument(Resource(metadata, spec)))
        keepAlive()
        do {
            try await awaitReady(onWait)
            return try await connect(uid: made.metadata.uid)
        } catch {
            await release()
            throw error
        }
    }

    private func awaitReady(_ onWait: @Sendable (String) -> Void) async throws {
        var said = ""
        while true {
            guard let workload: Resource<WorkloadSpec> = try await client.get(reference)?.resource() else {
                throw CommandFailure(
                    status: CommandExit.noVirtualGPU, message: "The workload \(reference.name) was deleted meanwhile.")
            }
            if workload.status.ready >= 1 { return }
            if let waiting = workload.status.waiting, waiting != said {
                said = waiting
                onWait(waiting)
            }
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    private func connect(uid: String?) async throws -> Grant {
        let vgpus = try await client.list(.virtualGPU, project: request.project).items
            .map { try $0.resource(VirtualGPUSpec.self) }
            .filter { $0.spec.workloadUID == uid && $0.status.phase == .running }
            .sorted { ($0.spec.part ?? 0) < ($1.spec.part ?? 0) }
        var grant = Grant(endpoints: [], uuids: [], token: "", isSoftware: false, nodes: vgpus.map(\.spec.node))
        var tokens: [String] = []
        for vgpu in vgpus {
            let connection = try await client.connection(vgpu.reference)
            grant.endpoints += connection.endpoints
            grant.uuids += connection.uuids
            grant.isSoftware = grant.isSoftware || connection.isSoftware == true
            tokens += Array(repeating: connection.token, count: connection.endpoints.count)
        }
        grant.token = Set(tokens).count == 1 ? tokens[0] : tokens.joined(separator: ";")
        return grant
    }

    private func keepAlive() {
        let task = Task { [client, reference] in
            while !Task.isCancelled {
                try? await Task.sleep(for: .seconds(15))
                // Should it fail, the next one may not; the timeout allows for three.
                if !Task.isCancelled { try? await client.hold(reference) }
            }
        }
        keeper.withLock { $0 = task }
    }

    /// Gives the vGPUs back.
    func release() async {
        keeper.withLock { $0?.cancel() }
        try? await client.delete(reference)
    }
}

/// Runs work that waits for the network on a thread that may block.
func runBlocking<Value: Sendable>(_ work: @escaping @Sendable () async throws -> Value) throws -> Value {
    let result = Mutex<Result<Value, any Error>?>(nil)
    let isDone = DispatchSemaphore(value: 0)
    Task.detached {
        do {
            let value = try await work()
            result.withLock { $0 = .success(value) }
        } catch {
            result.withLock { $0 = .failure(error) }
        }
        isDone.signal()
    }
    isDone.wait()
    guard let outcome = result.withLock({ $0 }) else { preconditionFailure("work that is done has a result") }
    return try outcome.get()
}
