import Certificates
import FleetAgent
import FleetClient
import FleetModel
import Foundation
import Glibc
import Logging
import NodeAgent
import NodeModel
import Synchronization

/// Which pool a node belongs to: what `roost join` leaves in the state directory for the daemon.
struct MembershipFile: Codable, Equatable {
    /// The control plane, and the node's token.
    var target: FleetClient.Target
    /// The node's name.
    var node: String
    /// The address at which other machines reach its workers.
    var address: String
    /// The node's key and certificate.
    var identity: IdentityFiles?

    /// Reads the file; nil where the node belongs to no pool.
    static func read(_ directory: StateDirectory) throws -> MembershipFile? {
        guard let bytes = FileManager.default.contents(atPath: directory.membership) else { return nil }
        do {
            return try JSONDecoder().decode(MembershipFile.self, from: bytes)
        } catch {
            throw CommandFailure(
                status: CommandExit.failure,
                message: "\(directory.membership) can't be read; `roost leave` removes it, `roost join` writes it anew."
            )
        }
    }

    /// Writes the file, for this user only.
    func write(_ directory: StateDirectory) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let temporary = directory.membership + ".new"
        let bytes = try encoder.encode(self)
        guard
            FileManager.default.createFile(
                atPath: temporary, contents: bytes, attributes: [.posixPermissions: 0o600]),
            rename(temporary, directory.membership) == 0
        else {
            throw CommandFailure(
                status: CommandExit.failure,
                message: "Can't write \(directory.membership): \(String(cString: strerror(errno))).")
        }
    }
}

/// The daemon's part in a pool: runs the agent that keeps vGPUs as the control plane wants them.
final class Membership: Sendable {
    private let directory: StateDirectory
    private let installation: Installation
    private let environment: [String: String]
    private let log = Logger(label: "roost.pool")
    private let running = Mutex<(agent: FleetAgent, task: Task<Void, Never>)?>(nil)

    init(directory: StateDirectory, installation: Installation, environment: [String: String]) {
        self.directory = directory
        self.installation = installation
        self.environment = environment
    }

    /// Takes part as the file says, now and whenever it changes.
    func start(_ agent: NodeAgent) {
        update(agent)
        agent.onMembershipChange { [self] in update(agent) }
    }

    private func update(_ agent: NodeAgent) {
        running.withLock { running in
            running?.task.cancel()
            running?.agent.stopAll()
            running = nil
        }
        do {
            let file = try MembershipFile.read(directory)
            agent.setManaged(file != nil)
            agent.setPoolIdentity(
                (file?.identity).map { TLSIdentityFiles(certificate: $0.certificate, key: $0.key) })
            guard let file else { return }
            let client = try FleetClient(file.target)
            let fleetAgent = FleetAgent(
                setting(file), client: client, host: NodeHost(agent),
                // Grows with each start, and needs no memory of the last one.
                epoch: Int64(Date().timeIntervalSince1970 * 1000), log: log)
            let task = Task { [log] in
                await Membership.takePart(fleetAgent, file, log)
                await fleetAgent.client.shutdown()
            }
            running.withLock { $0 = (fleetAgent, task) }
            log.info("takes part in a pool", metadata: ["server": "\(file.target.server)", "node": "\(file.node)"])
        } catch {
            log.error("can't take part in the pool", metadata: ["reason": "\(error)"])
        }
    }

    /// Sends heartbeats, and keeps the node's certificate good.
    private static func takePart(_ agent: FleetAgent, _ file: MembershipFile, _ log: Logger) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await agent.run() }
            guard let identity = file.identity else { return }
            let keeper = CertificateKeeper(node: file.node, files: identity, now: { .current }, log: log)
            group.addTask {
                await keeper.run(renew: { try await agent.client.renew(node: file.node, $0) }) {
                    // Only a new connection shows the new certificate.
                    guard file.target.certificateFile != nil else { return }
                    do {
                        await agent.use(try FleetClient(file.target))
                    } catch {
                        log.error("can't use the new certificate", metadata: ["reason": "\(error)"])
                    }
                }
            }
        }
    }

    private func setting(_ file: MembershipFile) -> FleetAgent.Setting {
        FleetAgent.Setting(
            node: file.node, address: file.address, version: ReleaseVersion.current.description,
            logDirectory: directory.workerLogs, files: installation.clientFiles, environment: environment)
    }
}
