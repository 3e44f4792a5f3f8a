import ArgumentParser
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
            token, and TLS or --insecure. Give clients the endpoint that the worker prints: with TLS it ends with the \
            pin of the certificate's key.

            EXAMPLES
              roost worker --listen tcp://127.0.0.1:7070 --vram 8GiB
              roost run --endpoint tcp://127.0.0.1:7070 -- python train.py
              roost worker --listen tls://0.0.0.0:7070 --tls-certificate node.crt --tls-key node.key --token-file token
            """,
        helpNames: [])

    @Argument(parsing: .captureForPassthrough, help: "Arguments of roost-worker.")
    var arguments: [String] = []

    func run() throws {
        let installation = Installation(environment: ProcessInfo.processInfo.environment)
        try installation.checkWorker()
        withArrayOfStrings([installation.worker] + arguments) { arguments in
            _ = execv(installation.worker, arguments)
        }
        throw CommandFailure(
            status: CommandExit.failure,
            message: "can't execute \(installation.worker): \(String(cString: strerror(errno)))")
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
        writeLine("roost \(RoostVersion.text)")
    }
}
