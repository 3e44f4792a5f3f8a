import FleetClient
import Foundation
import Glibc

/// The control planes that this user knows, by name: `~/.config/roost/contexts.json`, for this user's eyes only.
struct Contexts: Codable, Equatable {
    /// One control plane.
    struct Entry: Codable, Equatable {
        /// Address, token, authority.
        var target: FleetClient.Target
        /// The project where a command names none.
        var project: String?
    }

    /// The one that counts where none is named.
    var current: String?
    /// All of them.
    var entries: [String: Entry] = [:]

    /// Where they are kept.
    static func path(environment: [String: String]) -> String {
        let home = environment["HOME"] ?? NSHomeDirectory()
        let folder = environment["XDG_CONFIG_HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? "\(home)/.config"
        return "\(folder)/roost/contexts.json"
    }

    /// Reads the file; none is no error.
    static func load(path: String) throws -> Contexts {
        guard let data = FileManager.default.contents(atPath: path) else {
            if FileManager.default.fileExists(atPath: path) {
                throw CommandFailure(
                    status: CommandExit.failure, message: "\(path) can't be read; look at its rights.")
            }
            return Contexts()
        }
        do {
            return try JSONDecoder().decode(Contexts.self, from: data)
        } catch {
            throw CommandFailure(
                status: CommandExit.failure,
                message: "\(path) is no list of contexts. Move it away and run `roost login URL`.")
        }
    }

    /// Writes the file, whole or not at all, with mode 0600: it holds tokens.
    func save(path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let data = try encoder.encode(self) + Data("\n".utf8)
        let folder = (path as NSString).deletingLastPathComponent
        let draft = "\(path).\(getpid())"
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw CommandFailure(status: CommandExit.failure, message: "Can't make the folder \(folder).")
        }
        let file = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            throw CommandFailure(
                status: CommandExit.failure, message: "Can't write \(path); look at its folder's rights.")
        }
        let handle = FileHandle(fileDescriptor: file, closeOnDealloc: true)
        try handle.write(contentsOf: data)
        try handle.synchronize()
        guard rename(draft, path) == 0 else {
            unlink(draft)
            throw CommandFailure(status: CommandExit.failure, message: "Can't replace \(path).")
        }
    }

    /// Where a control plane on this machine listens by default.
    static let localServer = "http://127.0.0.1:7600"

    /// Which control plane a command talks to: an address from the command line or `ROOST_SERVER`, a name from the
    /// command line or `ROOST_CONTEXT`, the current one, one on this machine.
    func choose(server: String?, name: String?, environment: [String: String]) throws -> Entry {
        func variable(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        if name == nil, let address = server ?? variable("ROOST_SERVER") {
            return Entry(target: FleetClient.Target(server: address, token: variable("ROOST_API_TOKEN")))
        }
        var entry: Entry
        if let name = name ?? variable("ROOST_CONTEXT") ?? current {
            guard let found = entries[name] else { throw unknown(name) }
            entry = found
        } else {
            entry = Entry(target: FleetClient.Target(server: Contexts.localServer))
        }
        if let server { entry.target.server = server }
        if let token = variable("ROOST_API_TOKEN") { entry.target.token = token }
        return entry
    }

    /// There is no such context.
    func unknown(_ name: String) -> CommandFailure {
        let known = entries.keys.sorted()
        let next = known.isEmpty ? "`roost login URL` makes one." : "There are \(known.joined(separator: ", "))."
        return CommandFailure(status: CommandExit.failure, message: "There is no context \(name). \(next)")
    }
}
