import ArgumentParser
import Certificates
import FleetClient
import FleetModel
import Foundation
import NodeAgent
import NodeModel

/// `roost join`: makes this machine a node of a pool.
struct JoinCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "join",
        abstract: "Make this machine a node of a pool.",
        discussion: """
            The daemon of this machine (`roost up`) then gives its devices out as the control plane says, and no more \
            by itself. The join token comes from the pool's administrator (`roost token create --join`), by a file or \
            by the standard input, never on the command line, which others can read. It is good for one node.

            The machine makes a key, which never leaves it, and gets a certificate for it; by this it speaks to the \
            control plane, and by this key's pin programs know its workers. --ca-fingerprint, which \
            `roost token create --join` prints, makes sure that it is the right control plane before the token is sent.

            Other machines reach the workers at --address.

            EXAMPLES
              roost join https://pool.example:7600 --ca-fingerprint sha256:… --token-file join-token
              roost join http://127.0.0.1:7600 --name gpu-7 --label rack=r12 < join-token
            """)

    @OptionGroup var state: StateOptions

    @Argument(
        help: ArgumentHelp("The control plane's address; several servers' with commas between.", valueName: "url"))
    var server: String

    @Option(
        name: .customLong("token-file"),
        help: ArgumentHelp("The file with the join token; the standard input where left out.", valueName: "file"),
        completion: .file())
    var tokenFile: String?

    @Option(help: ArgumentHelp("The node's name. Default: the machine's host name.", valueName: "name"))
    var name: String?

    @Option(help: ArgumentHelp("Where other machines reach this one's workers.", valueName: "address"))
    var address = "127.0.0.1"

    @Option(
        name: .customLong("label"),
        help: ArgumentHelp("A label for the node; may be repeated.", valueName: "name=value"))
    var labels: [String] = []

    @Option(
        help: ArgumentHelp(
            "The certificate of the authority that signed the server's; without it and --ca-fingerprint, whom the "
                + "machine trusts.", valueName: "file"),
        completion: .file())
    var ca: String?

    @Option(
        name: .customLong("ca-fingerprint"),
        help: ArgumentHelp("The fingerprint of the cluster's authority, instead of --ca.", valueName: "sha256:…"))
    var fingerprint: String?

    func validate() throws {
        try checkControlPlane(address: server)
        guard ca == nil || fingerprint == nil else {
            throw ValidationError("Give --ca or --ca-fingerprint, not both: one says whom to trust.")
        }
    }

    func run() async throws {
        let token = try secret(from: tokenFile, what: "join token")
        let node = name ?? ProcessInfo.processInfo.hostName.split(separator: ".").first.map(String.init) ?? "node"
        if let objection = Names.objection(node) {
            throw ValidationError("The node's name \(objection). Give one with --name.")
        }
        var facts = NodeFacts(address: address, version: ReleaseVersion.current.description)
        facts.labels = try parsedLabels()
        let channel = try state.connect()
        defer { channel.close() }
        let files = IdentityFiles(folder: state.directory.identity)
        do {
            let joining = PoolJoining(server: server, ca: ca, fingerprint: fingerprint, files: files)
            let own = try await joining.join(token: token, node: node, facts: facts)
            try MembershipFile(target: own, node: node, address: address, identity: files).write(state.directory)
        } catch let error as CertificateError {
            throw CommandFailure(status: CommandExit.failure, message: error.description)
        }
        guard case .noted = try channel.ask(.membershipChanged) else { throw CommandFailure.unexpectedReply }
        writeLine("This machine is node \(node) of the pool at \(server). `roost get nodes` shows it there.")
    }

    private func parsedLabels() throws -> [String: String]? {
        let pairs = try labels.map { label -> (String, String) in
            let parts = label.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2, Names.isLabelName(parts[0]) else {
                throw ValidationError("--label takes name=value, not '\(label)'.")
            }
            return (parts[0], parts[1])
        }
        return pairs.isEmpty ? nil : Dictionary(pairs) { _, last in last }
    }
}

/// `roost leave`: takes this machine out of its pool.
struct LeaveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "leave",
        abstract: "Take this machine out of its pool.",
        discussion: """
            Ends the vGPUs that the control plane placed here, and gives the devices back to `roost run` on this \
            machine. The node's object stays in the pool until `roost delete node NAME`; drain the node first \
            (`roost drain NAME`) so that its workloads go elsewhere.

            EXAMPLES
              roost leave
            """)

    @OptionGroup var state: StateOptions

    func run() throws {
        guard let file = try MembershipFile.read(state.directory) else {
            return writeNote("This machine belongs to no pool.")
        }
        try FileManager.default.removeItem(atPath: state.directory.membership)
        file.identity?.remove()
        if let channel = try? state.connect() {
            defer { channel.close() }
            _ = try channel.ask(.membershipChanged)
        }
        let next = "`roost delete node \(file.node)` removes it there."
        writeLine("This machine has left the pool at \(file.target.server); \(next)")
    }
}

/// Reads a secret from a file, or from the standard input.
func secret(from file: String?, what: String) throws -> String {
    let text: String
    if let file {
        guard let content = try? String(contentsOfFile: file, encoding: .utf8) else {
            throw CommandFailure(status: CommandExit.failure, message: "Can't read the \(what) from \(file).")
        }
        text = content
    } else {
        text = String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self)
    }
    let secret = text.trimmingCharacters(in: .whitespacesAndNewlines)
    guard !secret.isEmpty else {
        throw CommandFailure(status: CommandExit.failure, message: "The \(what) is empty; give it with --token-file.")
    }
    return secret
}
