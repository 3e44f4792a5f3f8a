import ArgumentParser
import FleetModel
import Foundation
import Manifests

/// `roost token`: tokens of the control plane.
struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Make, list and revoke tokens of the control plane.",
        discussion: """
            EXAMPLES
              roost token create ann --role user@research --expires 30d
              roost token create gpu-7 --join
              roost token list
              roost token revoke 1f8a02c4
            """,
        subcommands: [Create.self, List.self, Revoke.self])

    /// `roost token create`.
    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "create",
            abstract: "Make a token. Its text is shown this once, on the standard output.",
            discussion: """
                EXAMPLES
                  roost token create ann --role user@research --role viewer > ann.token
                  roost token create gpu-7 --join | ssh gpu-7 'cat > join.token'
                """)

        @OptionGroup var fleet: FleetOptions

        @Argument(help: "For whom it speaks: a user, or the node that is to join.")
        var subject: String

        @Option(
            name: .customLong("role"), parsing: .singleValue,
            help: ArgumentHelp(
                "What it may do: viewer, user, poolAdmin or admin, in a project or everywhere. May be repeated.",
                valueName: "role[@project]"),
            completion: .list(["viewer", "user", "poolAdmin", "admin"]), transform: TokenCommand.grant)
        var grants: [Grant] = []

        @Flag(help: "A token with which one machine joins as a node, once.")
        var join = false

        @Option(
            help: ArgumentHelp("How long it is good for. Default: 30d; 1h with --join.", valueName: "span"),
            transform: TokenCommand.span)
        var expires: TimeSpan?

        @Option(help: "What people should know of it.")
        var description: String?

        /// What is asked of the control plane.
        var request: TokenRequest {
            TokenRequest(
                subject: subject, purpose: join ? .join : .bearer, grants: grants.isEmpty ? nil : grants,
                expiresIn: expires, description: description)
        }

        func validate() throws {
            guard let problem = request.problems.first else { return }
            if problem.field == "grants" {
                throw ValidationError(
                    join ? "--join takes no --role." : "Name at least one --role, such as --role user@research.")
            }
            throw ValidationError("\(problem)")
        }

        func run() async throws { try await fleet.perform(perform) }

        func perform(_ session: FleetSession) async throws {
            let made = try await session.connection.createToken(request)
            session.console.line(made.token)
            let end = made.description.expiresAt.map { "is good until \($0)" } ?? "does not end"
            session.console.note(
                "Token \(made.description.id) for \(subject) \(end); its text is not shown again.")
            guard join else { return }
            let pin = made.authorityFingerprint.map { " --ca-fingerprint \($0)" } ?? ""
            session.console.note("With it: roost join \(session.server) --name \(subject)\(pin) --token-file FILE")
        }
    }

    /// `roost token list`.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "List tokens, without their text.")

        @OptionGroup var fleet: FleetOptions
        @OptionGroup var output: OutputOptions

        func run() async throws { try await fleet.perform(perform) }

        func perform(_ session: FleetSession) async throws {
            let tokens = try await session.connection.tokens()
            switch output.format {
            case .json: session.console.line(ManifestWriter.json(try JSONValue(encoding: tokens)))
            case .table: session.console.line(TokenCommand.table(tokens, now: session.now).text)
            }
        }
    }

    /// `roost token revoke`.
    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "revoke", abstract: "End tokens at once.")

        @OptionGroup var fleet: FleetOptions

        @Argument(help: "The tokens, as `roost token list` names them.", completion: NameCompletion.tokens)
        var ids: [String]

        func run() async throws { try await fleet.perform(perform) }

        func perform(_ session: FleetSession) async throws {
            for id in ids {
                try await session.connection.revokeToken(id: id)
                session.console.line("token/\(id) revoked")
            }
        }
    }

    /// Reads `user@research`.
    @Sendable static func grant(_ text: String) throws -> Grant {
        let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let roles = Role.allCases.filter { $0 != .node && $0 != .system }.map(\.rawValue)
        guard roles.contains(parts[0]), let role = Role(rawValue: parts[0]) else {
            let hint = nearest(to: parts[0], among: roles).map { "; did you mean \($0)?" }
            throw ValidationError("there is no such role\(hint ?? "; there are \(roles.joined(separator: ", "))")")
        }
        let grant = Grant(role, project: parts.count == 2 ? parts[1] : Grant.everywhere)
        if let problem = grant.problems(at: "role").first { throw ValidationError(problem.reason) }
        return grant
    }

    @Sendable static func span(_ text: String) throws -> TimeSpan {
        guard let span = TimeSpan(text) else { throw ValidationError("a length of time reads 90s, 12h or 30d") }
        return span
    }

    static func table(_ tokens: [TokenDescription], now: Timestamp) -> Table {
        Table(
            columns: [
                .words("ID"), .words("SUBJECT"), .words("PURPOSE"), .words("ROLES"), .numbers("AGE"), .words("ENDS"),
                .words("DESCRIPTION"),
            ],
            rows: tokens.map { token in
                [
                    token.id, token.subject, token.purpose.rawValue, roles(token.grants),
                    NodeTables.age(max(0, (now - token.createdAt).milliseconds / 1000)),
                    token.expiresAt?.description ?? "never", token.description ?? "",
                ]
            })
    }

    /// `user@research, viewer`.
    static func roles(_ grants: [Grant]) -> String {
        let texts = grants.map { grant in
            let place = grant.node ?? (grant.project == Grant.everywhere ? nil : grant.project)
            return grant.role.rawValue + (place.map { "@\($0)" } ?? "")
        }
        return texts.isEmpty ? "-" : texts.joined(separator: ", ")
    }
}

/// `roost whoami`: who the control plane takes the user for.
struct WhoamiCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "whoami",
        abstract: "Say who the control plane takes you for, and what you may do.",
        discussion: """
            EXAMPLES
              roost whoami
            """)

    @OptionGroup var fleet: FleetOptions
    @OptionGroup var output: OutputOptions

    func run() async throws { try await fleet.perform(perform) }

    func perform(_ session: FleetSession) async throws {
        let identity = try await session.connection.whoami()
        switch output.format {
        case .json: session.console.line(ManifestWriter.json(try JSONValue(encoding: identity)))
        case .table:
            session.console.line("\(identity.subject): \(TokenCommand.roles(identity.grants))")
            if let end = identity.expiresAt { session.console.note("Your token is good until \(end).") }
        }
    }
}
