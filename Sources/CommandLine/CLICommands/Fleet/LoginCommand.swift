import ArgumentParser
import Certificates
import FleetClient
import FleetModel
import Foundation

/// `roost login`: remembers a control plane.
struct LoginCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "login",
        abstract: "Remember a control plane and who you are there.",
        discussion: """
            The token is read from --token-file, else from the standard input; command lines can be read by others. It \
            is tried before it is kept, in ~/.config/roost/contexts.json, which only you can read.

            EXAMPLES
              roost login https://pool.example:7600 --token-file token --ca-fingerprint sha256:…
              pass show roost | roost login https://pool.example:7600 --name work
            """)

    @Argument(
        help: ArgumentHelp("The control plane's address; several servers' with commas between.", valueName: "url"))
    var server: String

    @Option(
        name: .customLong("token-file"), help: ArgumentHelp("The file that holds the token.", valueName: "file"),
        completion: .file())
    var tokenFile: String?

    @Option(
        help: ArgumentHelp("The certificate of the authority that signed the server's.", valueName: "file"),
        completion: .file(extensions: ["pem", "crt"]))
    var ca: String?

    @Option(
        name: .customLong("ca-fingerprint"),
        help: ArgumentHelp(
            "The fingerprint of the cluster's authority (`roost ca`), instead of --ca.", valueName: "sha256:…"))
    var fingerprint: String?

    @Option(help: ArgumentHelp("The context's name. Default: the address's host.", valueName: "name"))
    var name: String?

    @Option(name: [.customShort("p"), .long], help: "The project of commands that name none.")
    var project: String?

    func validate() throws {
        guard ca == nil || fingerprint == nil else {
            throw ValidationError("Give --ca or --ca-fingerprint, not both: one says whom to trust.")
        }
        try checkControlPlane(address: server)
    }

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let console = Console.standard(environment: environment)
        var target = try target(console)
        let path = Contexts.path(environment: environment)
        if let fingerprint {
            let authority = try await FleetClient.authority(of: server, fingerprint: fingerprint)
            target.authorityFile = try keepAuthority(authority, beside: path)
        }
        let client = try FleetClient(target)
        let identity: Identity
        do {
            identity = try await client.whoami()
        } catch {
            await client.shutdown()
            throw error
        }
        await client.shutdown()
        try remember(target, path: path, identity, console)
    }

    private var contextName: String {
        let first = try? FleetClient.Target(server: server).addresses().first
        return name ?? first?.host ?? server
    }

    /// Writes the authority's certificate beside the contexts.
    private func keepAuthority(_ pem: String, beside path: String) throws -> String {
        let folder = (path as NSString).deletingLastPathComponent
        let allowed = contextName.filter { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == ".") }
        let file = "\(folder)/authority-\(allowed).pem"
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            try PrivateFile.write(pem, to: file)
        } catch {
            throw CommandFailure(status: CommandExit.failure, message: "Can't write \(file): \(error)")
        }
        return file
    }

    /// The address with its token.
    func target(_ console: Console) throws -> FleetClient.Target {
        var target = FleetClient.Target(server: server)
        if let ca { target.authorityFile = URL(fileURLWithPath: ca).path }
        let data: Data
        if let tokenFile {
            guard let read = FileManager.default.contents(atPath: tokenFile) else {
                throw CommandFailure(status: CommandExit.failure, message: "Can't read the token's file \(tokenFile).")
            }
            data = read
        } else {
            console.note("Paste the token and press Enter and Ctrl-D; only Ctrl-D where the server wants none.")
            data = console.input()
        }
        let token = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        if !token.isEmpty { target.token = token }
        return target
    }

    /// Keeps it, as the current one.
    func remember(_ target: FleetClient.Target, path: String, _ identity: Identity, _ console: Console) throws {
        var contexts = try Contexts.load(path: path)
        let name = contextName
        contexts.entries[name] = Contexts.Entry(target: target, project: project)
        contexts.current = name
        try contexts.save(path: path)
        console.note("Logged in at \(server) as \(identity.subject); the context is \(name).")
    }
}

/// `roost context`: which control plane commands talk to.
struct ContextCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "context",
        abstract: "List, choose and forget control planes.",
        discussion: """
            EXAMPLES
              roost context
              roost context use work
              roost context delete old
            """,
        subcommands: [List.self, Use.self, Delete.self],
        defaultSubcommand: List.self)

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "list", abstract: "List the control planes.")

        func run() throws {
            let contexts = try Contexts.load(path: ContextCommand.path)
            guard !contexts.entries.isEmpty else {
                return writeNote(
                    "There are no contexts; commands talk to \(Contexts.localServer). `roost login URL` makes one.")
            }
            writeLine(ContextCommand.table(contexts).text)
        }
    }

    struct Use: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "use", abstract: "Talk to another control plane.")

        @Argument(help: "The context.", completion: NameCompletion.contexts)
        var name: String

        func run() throws {
            var contexts = try Contexts.load(path: ContextCommand.path)
            guard contexts.entries[name] != nil else { throw contexts.unknown(name) }
            contexts.current = name
            try contexts.save(path: ContextCommand.path)
            writeNote("The context is \(name).")
        }
    }

    struct Delete: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "delete", abstract: "Forget a control plane and its token.")

        @Argument(help: "The context.", completion: NameCompletion.contexts)
        var name: String

        func run() throws {
            var contexts = try Contexts.load(path: ContextCommand.path)
            guard contexts.entries.removeValue(forKey: name) != nil else { throw contexts.unknown(name) }
            if contexts.current == name { contexts.current = nil }
            try contexts.save(path: ContextCommand.path)
            writeNote("Forgot \(name)." + (contexts.current == nil ? " `roost context use NAME` chooses another." : ""))
        }
    }

    static var path: String { Contexts.path(environment: ProcessInfo.processInfo.environment) }

    static var names: [String] { ((try? Contexts.load(path: path)) ?? Contexts()).entries.keys.sorted() }

    /// What `list` shows: never a token.
    static func table(_ contexts: Contexts) -> Table {
        Table(
            columns: [.words(""), .words("NAME"), .words("SERVER"), .words("PROJECT"), .words("TOKEN")],
            rows: contexts.entries.sorted { $0.key < $1.key }.map { name, entry in
                [
                    contexts.current == name ? "*" : "", name, entry.target.server, entry.project ?? defaultProject,
                    entry.target.token == nil ? "none" : "kept",
                ]
            })
    }
}
