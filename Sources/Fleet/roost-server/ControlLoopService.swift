import ControlAPI
import ControlPlane
import FleetModel
import FleetStore
import Foundation
import Logging
import ServiceLifecycle

/// The machine's clock and randomness.
struct MachineEnvironment: FleetEnvironment {
    func now() -> Timestamp { Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000)) }

    func sleep(for span: TimeSpan) async {
        try? await Task.sleep(for: .milliseconds(max(0, span.milliseconds)))
    }

    func random() -> UInt64 {
        var generator = SystemRandomNumberGenerator()
        return generator.next()
    }
}

/// Follows the store, and leads as long as this server is elected.
struct ControlLoopService: Service {
    let loop: ControlLoop
    let candidate: Candidate<ContinuousClock>
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await loop.follow() }
                group.addTask {
                    await candidate.run { leadership in
                        logger.info("leads", metadata: ["epoch": "\(leadership.fence.epoch)"])
                        await loop.lead(fence: leadership.fence)
                        logger.info("leads no more", metadata: ["epoch": "\(leadership.fence.epoch)"])
                    }
                }
                await group.waitForAll()
            }
        }
        try? await candidate.resign()
    }
}

/// Answers the API's questions out of what the control loop knows.
struct FleetOperationsAdapter: FleetOperations {
    let service: FleetService
    let monitoring: MonitoringService

    func explain(_ workload: ResourceReference) async throws -> Explanation {
        try await translated { try await service.explain(workload) }
    }

    func plan(_ workloads: [Resource<WorkloadSpec>]) async throws -> Plan {
        try await translated { try await service.plan(workloads) }
    }

    func connection(to vgpu: Resource<VirtualGPUSpec>) async throws -> VirtualGPUConnection {
        try await translated { try await service.connection(to: vgpu) }
    }

    func join(_ request: JoinRequest) async throws -> TimeSpan {
        try await translated { try await service.join(request) }
    }

    func heartbeat(node: String, _ request: HeartbeatRequest) async throws -> HeartbeatAnswer {
        monitoring.record(request, of: node)
        return try await translated { try await service.heartbeat(node: node, request) }
    }

    func endWaits() async { await service.endWaits() }

    /// The only place where the control plane's errors become the API's.
    private func translated<Value>(_ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch let error as FleetServiceError {
            switch error {
            case .notFound: throw Problem(.notFound, error.description)
            case .outdatedAgent: throw Problem(.conflict, error.description)
            case .notServing: throw Problem(.unavailable, error.description).retrying(afterSeconds: 1)
            }
        }
    }
}
