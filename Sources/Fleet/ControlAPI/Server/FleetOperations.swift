public import FleetModel

/// What the API leaves to the control loop. A problem that is thrown becomes the answer as it is.
public protocol FleetOperations: Sendable {
    /// Why a workload is placed as it is, or waits. Its existence and the asker's role were checked.
    func explain(_ workload: ResourceReference) async throws -> Explanation

    /// Where workloads would go and what they would cost; nothing is done. Manifests were checked, and the asker may
    /// write workloads in their projects.
    func plan(_ workloads: [Resource<WorkloadSpec>]) async throws -> Plan

    /// How a program reaches a vGPU; throws `unavailable` as long as it does not serve.
    func connection(to vgpu: Resource<VirtualGPUSpec>) async throws -> VirtualGPUConnection

    /// Lets a node in, whose token was checked; the token is used up when this has returned. Answers for how long a
    /// heartbeat counts.
    func join(_ request: JoinRequest) async throws -> TimeSpan

    /// Takes in what a node tells of itself. Whoever sent it is that node.
    func heartbeat(node: String, _ request: HeartbeatRequest) async throws -> HeartbeatAnswer

    /// The server ends: heartbeats that wait for news are answered now.
    func endWaits() async
}

extension FleetOperations {
    /// Nothing, where nobody waits.
    public func endWaits() async {}
}

/// Stands for a control loop that does not run.
public struct NoFleetOperations: FleetOperations {
    private static let problem = Problem(
        .unavailable, "the control loop is not running in this server; try again, or ask another one"
    ).retrying(afterSeconds: 5)

    /// Makes the only value.
    public init() {}

    public func explain(_ workload: ResourceReference) async throws -> Explanation { throw NoFleetOperations.problem }
    public func plan(_ workloads: [Resource<WorkloadSpec>]) async throws -> Plan { throw NoFleetOperations.problem }
    public func connection(to vgpu: Resource<VirtualGPUSpec>) async throws -> VirtualGPUConnection {
        throw NoFleetOperations.problem
    }
    public func join(_ request: JoinRequest) async throws -> TimeSpan { throw NoFleetOperations.problem }
    public func heartbeat(node: String, _ request: HeartbeatRequest) async throws -> HeartbeatAnswer {
        throw NoFleetOperations.problem
    }
}
