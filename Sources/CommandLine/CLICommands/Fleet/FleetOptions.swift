import ArgumentParser
import FleetClient
import FleetModel
import Foundation

/// Which control plane a command talks to.
struct FleetOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("The control plane, by the name of `roost context`.", valueName: "name"),
        completion: NameCompletion.contexts)
    var context: String?

    @Option(help: ArgumentHelp("The control plane, by its address. Default: ROOST_SERVER.", valueName: "url"))
    var server: String?

    /// Connects, does a command's work and lets go.
    func perform(
        project: String? = nil, _ work: (FleetSession) async throws -> Void
    ) async throws {
        let environment = ProcessInfo.processInfo.environment
        let contexts = try Contexts.load(path: Contexts.path(environment: environment))
        let entry = try contexts.choose(server: server, name: context, environment: environment)
        let client = try FleetClient(entry.target)
        let session = FleetSession(
            connection: client, console: .standard(environment: environment),
            project: project ?? entry.project ?? defaultProject, server: entry.target.server, now: .current)
        do {
            try await work(session)
        } catch {
            await client.shutdown()
            throw error
        }
        await client.shutdown()
    }
}

/// Checks the address of a control plane that is to see a token, or those of its servers with commas between.
func checkControlPlane(address: String) throws {
    let addresses: [URL]
    do {
        addresses = try FleetClient.Target(server: address).addresses()
    } catch let error as FleetClientError {
        throw ValidationError(error.detail)
    }
    for url in addresses where url.scheme == "http" {
        if ["127.0.0.1", "::1", "[::1]", "localhost"].contains(url.host ?? "") { continue }
        throw ValidationError(
            "http would show the token to everybody on the way; use https, and --ca-fingerprint or --ca where needed.")
    }
}

extension Timestamp {
    /// The machine's time.
    static var current: Timestamp { Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000)) }
}

/// `-p`: the project.
struct ProjectOptions: ParsableArguments {
    @Option(
        name: [.customShort("p"), .long],
        help: ArgumentHelp("The project. Default: the context's, else \(defaultProject).", valueName: "project"),
        completion: NameCompletion.of(.project))
    var project: String?
}

/// `-f`: manifests.
struct ManifestOptions: ParsableArguments {
    @Option(
        name: [.customShort("f"), .customLong("file")], parsing: .singleValue,
        help: ArgumentHelp(
            "A manifest's file, a folder of them, or - for the standard input. May be repeated.", valueName: "file"),
        completion: .file(extensions: ["yaml", "yml", "json"]))
    var files: [String] = []
}

/// Reading kinds and names.
enum KindArgument {
    /// What the shell offers.
    static let completion = CompletionKind.list(ResourceKind.allCases.map(\.plural))

    /// Reads a kind, its plural or a short name.
    @Sendable static func parse(_ text: String) throws -> ResourceKind {
        if let kind = ResourceKind(named: text) { return kind }
        let names = ResourceKind.allCases.flatMap { [$0.rawValue.lowercased(), $0.plural] + $0.shortNames }
        let hint = nearest(to: text, among: names).map { "; did you mean \($0)?" }
        let known = ResourceKind.allCases.map(\.plural).joined(separator: ", ")
        throw ValidationError("there is no such kind\(hint ?? "; there are \(known)")")
    }
}

/// A kind and names of resources, as `workload train` or `workload/train`.
struct ResourceArguments: ParsableArguments {
    @Argument(
        help: ArgumentHelp("A kind, or kind/name.", valueName: "kind"), completion: NameCompletion.subject,
        transform: ResourceArguments.split)
    var subject: Subject

    @Argument(help: ArgumentHelp("Names.", valueName: "name"), completion: NameCompletion.subject)
    var rest: [String] = []

    /// A kind, and a name where one stands behind a slash.
    struct Subject: Sendable, Equatable {
        var kind: ResourceKind
        var name: String?
    }

    /// The kind.
    var kind: ResourceKind { subject.kind }
    /// The names.
    var names: [String] { (subject.name.map { [$0] } ?? []) + rest }

    @Sendable static func split(_ text: String) throws -> Subject {
        guard let slash = text.firstIndex(of: "/") else { return Subject(kind: try KindArgument.parse(text)) }
        return Subject(
            kind: try KindArgument.parse(String(text[..<slash])), name: String(text[text.index(after: slash)...]))
    }

    /// The only name.
    func onlyName() throws -> String {
        guard names.count == 1 else {
            throw ValidationError("Name one \(kind.rawValue): \(kind.rawValue.lowercased())/NAME.")
        }
        return names[0]
    }
}
