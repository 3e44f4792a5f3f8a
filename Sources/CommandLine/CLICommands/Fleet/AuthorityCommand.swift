import ArgumentParser
import Certificates

/// `roost ca`: the certificate of the cluster's authority.
struct AuthorityCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ca",
        abstract: "Show the certificate of the cluster's authority, and its fingerprint.",
        discussion: """
            The authority signs the certificates of the control plane's servers and of nodes. The certificate goes to \
            the standard output, the fingerprint, which `roost join` and `roost login` take, to the standard error.

            EXAMPLES
              roost ca > ca.pem
            """)

    @OptionGroup var fleet: FleetOptions

    func run() async throws { try await fleet.perform(perform) }

    func perform(_ session: FleetSession) async throws {
        let pem = try await session.connection.authority()
        let fingerprint: String
        do {
            fingerprint = try CertificateAuthority.fingerprint(ofPEM: pem)
        } catch {
            throw CommandFailure(status: CommandExit.failure, message: "The control plane's answer: \(error)")
        }
        session.console.text(pem)
        session.console.note("Fingerprint: \(fingerprint)")
    }
}
