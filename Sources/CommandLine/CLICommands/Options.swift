public import ArgumentParser
import Foundation
import NodeAgent
public import NodeModel

extension MemorySize: ExpressibleByArgument {
    /// Reads `4GiB` and its like.
    public init?(argument: String) { self.init(parsing: argument) }
    /// The amount as it is typed.
    public var defaultValueDescription: String { description.replacingOccurrences(of: " ", with: "") }
}

extension ComputeShare: ExpressibleByArgument {
    /// Reads `50%` and its like.
    public init?(argument: String) { self.init(parsing: argument) }
    /// The share as it is typed.
    public var defaultValueDescription: String { "\(percent)%" }
}

extension ComputeCapability: ExpressibleByArgument {
    public init?(argument: String) { self.init(parsing: argument) }
}

extension TransportKind: ExpressibleByArgument {}

/// `--state-dir`: which daemon a command talks to.
struct StateOptions: ParsableArguments {
    @Option(
        name: .customLong("state-dir"),
        help: ArgumentHelp(
            "The folder of the daemon's sockets, tokens and logs.",
            discussion: "Default: ROOST_STATE_DIR, else $XDG_RUNTIME_DIR/roost, else /tmp/roost-<uid>.",
            valueName: "folder"),
        completion: .directory)
    var path: String?

    /// The folder.
    var directory: StateDirectory {
        StateDirectory(flag: path, environment: ProcessInfo.processInfo.environment)
    }

    /// Connects to the daemon.
    func connect() throws -> any ControlChannel {
        try SocketControlChannel.connect(directory)
    }

    /// Asks the daemon for the state of the node.
    func report() throws -> NodeReport {
        let channel = try connect()
        defer { channel.close() }
        guard case .report(let report) = try channel.ask(.report) else { throw CommandFailure.unexpectedReply }
        return report
    }
}

/// `--tls-certificate` and `--tls-key`: with what a node's workers show other machines who they are.
struct TLSIdentityOptions: ParsableArguments {
    @Option(
        name: .customLong("tls-certificate"),
        help: ArgumentHelp(
            "The node's certificate, PEM. With it, traffic between workers and other machines is encrypted.",
            valueName: "file"),
        completion: .file())
    var certificate: String?

    @Option(
        name: .customLong("tls-key"),
        help: ArgumentHelp("The certificate's private key, PEM, readable by this user only.", valueName: "file"),
        completion: .file())
    var key: String?

    func validate() throws {
        guard (certificate == nil) == (key == nil) else {
            throw ValidationError("--tls-certificate and --tls-key go together.")
        }
    }

    /// The files, wherever the daemon's current folder will be; nil where none were named.
    var identity: TLSIdentityFiles? {
        guard let certificate, let key else { return nil }
        return TLSIdentityFiles(
            certificate: URL(fileURLWithPath: certificate).path, key: URL(fileURLWithPath: key).path)
    }
}

/// How a list is written.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case table
    case json
}

/// `-o table|json`.
struct OutputOptions: ParsableArguments {
    @Option(name: [.customShort("o"), .customLong("output")], help: "How to write the list.")
    var format = OutputFormat.table

    /// Writes a list.
    func write(json value: some Encodable, table: @autoclosure () -> String) throws {
        switch format {
        case .table: writeLine(table())
        case .json:
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            writeLine(String(decoding: try encoder.encode(value), as: UTF8.self))
        }
    }
}

extension CommandFailure {
    /// The daemon's answer fits no request of this command.
    static let unexpectedReply = CommandFailure(
        status: CommandExit.failure,
        message: "The daemon answered something else; it may be of another version. Run `roost down` and `roost up`.")
}
