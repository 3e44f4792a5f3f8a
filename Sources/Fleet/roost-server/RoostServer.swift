import ArgumentParser
import ControlAPI
import Foundation

/// The control plane of a pool of GPUs.
@main
struct RoostServer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "roost-server", abstract: "The control plane of a pool of GPUs.",
        subcommands: [ServeCommand.self, VerifyAuditCommand.self, DocumentCommand.self],
        defaultSubcommand: ServeCommand.self)
}

/// Checks the audit log's chain of hashes.
struct VerifyAuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify-audit", abstract: "Check that no record of the audit log was changed or taken out.")

    @Option(help: "The folder of the server's state.")
    var stateDir = "/var/lib/roost-server"

    func run() throws {
        let head = try AuditLog.verify(folder: stateDir)
        print("\(head.sequence) records, the last with hash \(head.hash)")
    }
}

/// Prints the OpenAPI document, for `make openapi`.
struct DocumentCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "openapi", abstract: "Print the OpenAPI document of the HTTP API.")

    func run() throws {
        FileHandle.standardOutput.write(Data(try OpenAPIDocument.text()))
    }
}
