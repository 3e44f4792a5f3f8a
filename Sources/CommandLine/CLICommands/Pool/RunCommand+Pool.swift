import FleetClient
import FleetModel
import Foundation
import NodeAgent
import NodeModel

extension RunCommand {
    /// Whether the command line asks for a vGPU of a pool.
    var isForPool: Bool { pool != nil || project != nil || fleet.server != nil || fleet.context != nil }

    /// Runs the program on vGPUs of a pool: as a workload that lives as long as the program.
    func runInPool(_ runner: ProgramRunner) throws -> Int32 {
        let inherited = ProcessInfo.processInfo.environment
        let installation = Installation(environment: inherited)
        let client: FleetClient
        let lease: PoolLease
        let grant: PoolLease.Grant
        do {
            try installation.checkLibraries()
            let contexts = try Contexts.load(path: Contexts.path(environment: inherited))
            let entry = try contexts.choose(server: fleet.server, name: fleet.context, environment: inherited)
            client = try FleetClient(entry.target)
            lease = PoolLease(
                PoolLease.Request(
                    project: project ?? entry.project ?? defaultProject, pool: pool, program: request.program,
                    vgpu: request), client: client)
            grant = try runBlocking { [lease] in
                try await lease.acquire { reason in writeNote("roost: waiting: \(reason)") }
            }
        } catch let error as AgentError {
            throw CommandFailure(status: CommandExit.noVirtualGPU, message: error.message)
        } catch let error as FleetClientError {
            throw CommandFailure(status: CommandExit.noVirtualGPU, message: CommandFailure(error).message)
        }
        defer {
            try? runBlocking { [lease, client] in
                await lease.release()
                await client.shutdown()
            }
        }
        if verbose {
            for (node, endpoint) in zip(grant.nodes, grant.endpoints) { writeNote("roost: on \(node), \(endpoint)") }
        }
        let setting = ClientSetting(
            endpoints: grant.endpoints, vgpus: grant.uuids, token: grant.token, isSoftware: grant.isSoftware,
            isStrict: strict, files: installation.clientFiles)
        return try runner.run(executed, environment: clientEnvironment(for: setting, inheriting: inherited))
    }
}
