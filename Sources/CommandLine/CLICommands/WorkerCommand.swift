import ArgumentParser
import Certificates
import FleetModel
import Foundation
import Glibc
import NodeAgent

/// `roost worker`: becomes a worker that no daemon keeps.
struct WorkerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Serve one vGPU without a daemon, for programs on this or other machines.",
        discussion: """
            All arguments go to roost-worker; `roost worker --help` is its own help. Anything but loopback needs a \
            token and TLS. Where no certificate is given for tls://, this machine's own is used, which is made when \
            there is none, in the state directory; the worker prints its endpoint with the pin by which programs \
            know it.

            EXAMPLES
              roost worker --listen tls://0.0.0.0:7070 --vram 8GiB --token-file token
              roost run --endpoint 'tls://gpu-7.example:7070#PIN' --token-file token -- python train.py
            """,
        helpNames: [])

    @Argument(parsing: .captureForPassthrough, help: "Arguments of roost-worker.")
    var arguments: [String] = []

    func run() throws {
        let installation = Installation(environment: ProcessInfo.processInfo.environment)
        try installation.checkWorker()
        let arguments = try self.arguments + WorkerCommand.ownIdentity(for: self.arguments)
        withArrayOfStrings([installation.worker] + arguments) { arguments in
            _ = execv(installation.worker, arguments)
        }
        throw CommandFailure(
            status: CommandExit.failure,
            message: "can't execute \(installation.worker): \(String(cString: strerror(errno)))")
    }

    /// The host at which a worker is to serve by TLS without a certificate of the user's; nil where it has one or
    /// needs none.
    static func hostWithoutCertificate(_ arguments: [String]) -> String? {
        guard !arguments.contains("--tls-certificate"), !arguments.contains("--tls-key") else { return nil }
        let places = zip(arguments, arguments.dropFirst()).filter { $0.0 == "--listen" }.map(\.1)
        guard let place = places.first(where: { $0.hasPrefix("tls://") })?.dropFirst(6).prefix(while: { $0 != "#" }),
            let colon = place.lastIndex(of: ":")
        else { return nil }
        return place[..<colon].trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
    }

    /// Further arguments: the machine's own certificate, where the worker needs one.
    private static func ownIdentity(for arguments: [String]) throws -> [String] {
        guard let host = hostWithoutCertificate(arguments) else { return [] }
        let directory = StateDirectory(flag: nil, environment: ProcessInfo.processInfo.environment)
        try directory.prepare()
        let files = IdentityFiles(folder: directory.ownIdentity)
        do {
            try files.ensureSelfSigned(address: host, now: .current)
        } catch {
            throw CommandFailure(status: CommandExit.failure, message: "\(error)")
        }
        return ["--tls-certificate", files.certificate, "--tls-key", files.key]
    }
}

/// `roost version`.
struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Print the version.",
        discussion: """
            EXAMPLES
              roost version
            """)

    func run() throws {
        writeLine("roost \(ReleaseVersion.current.description)")
    }
}
