import ArgumentParser
import FleetClient
import FleetModel
import Foundation

/// Offers the shell the names that a control plane knows. It asks the one that the line names, for a second at most,
/// and offers nothing where there is no answer: nobody wants to wait for a Tab, or to read an error behind it.
enum NameCompletion {
    /// Names of one kind.
    static func of(_ kind: ResourceKind) -> CompletionKind {
        .custom { words, index, prefix in names(CommandLineWords(words, at: index), prefix) { _ in kind } }
    }

    /// The kind first, or `kind/name`, then names of that kind.
    static let subject = CompletionKind.custom { words, index, prefix in
        let line = CommandLineWords(words, at: index)
        guard line.positionals.isEmpty, !prefix.contains("/") else { return names(line, prefix, kind: \.kind) }
        return ResourceKind.allCases.map(\.plural).filter { $0.hasPrefix(prefix) }
    }

    /// The contexts.
    static let contexts = CompletionKind.custom { _, _, prefix in
        ContextCommand.names.filter { $0.hasPrefix(prefix) }
    }

    /// The ids of tokens.
    static let tokens = CompletionKind.custom { words, index, prefix in
        let line = CommandLineWords(words, at: index)
        return offered(line, prefix) { connection, _ in try await connection.tokens().map(\.id) }
    }

    private static func names(
        _ line: CommandLineWords, _ prefix: String, kind: (CommandLineWords) -> ResourceKind?
    ) -> [String] {
        // workload/tr: the word has the kind itself.
        if let slash = prefix.firstIndex(of: "/"), let kind = ResourceKind(named: String(prefix[..<slash])) {
            let head = prefix[...slash]
            return offered(line, String(prefix[slash...].dropFirst()), names(of: kind, line)).map { head + $0 }
        }
        guard let kind = kind(line) else { return [] }
        return offered(line, prefix, names(of: kind, line))
    }

    private static func names(
        of kind: ResourceKind, _ line: CommandLineWords
    ) -> @Sendable (any FleetConnection, Contexts.Entry) async throws -> [String] {
        { connection, entry in
            try await connection.names(
                of: kind, project: kind.isInProject ? line.project ?? entry.project ?? defaultProject : nil)
        }
    }

    private static func offered(
        _ line: CommandLineWords, _ prefix: String,
        _ ask: @escaping @Sendable (any FleetConnection, Contexts.Entry) async throws -> [String]
    ) -> [String] {
        let environment = ProcessInfo.processInfo.environment
        let found = try? runBlocking {
            let contexts = try Contexts.load(path: Contexts.path(environment: environment))
            let entry = try contexts.choose(server: line.server, name: line.context, environment: environment)
            let client = try FleetClient(entry.target)
            let names = try? await ask(client, entry)
            await client.shutdown()
            return names ?? []
        }
        return line.offered(found ?? [], prefix)
    }
}

/// A line that is being typed, as far as names depend on it.
struct CommandLineWords: Sendable, Equatable {
    /// Options of a pool's commands with a value behind them.
    private static let withValue: Set<String> = [
        "-p", "--project", "--context", "--server", "-o", "--output", "-l", "--labels", "-f", "--file",
    ]

    /// What stands behind the command, up to the word that is being typed, and is no option.
    private(set) var positionals: [String] = []
    private(set) var project: String?
    private(set) var context: String?
    private(set) var server: String?

    /// Reads a line: the program, the command, its words; `index` is that of the word being typed.
    init(_ words: [String], at index: Int) {
        var rest = words[..<min(max(index, 0), words.count)].dropFirst(2)
        while let word = rest.popFirst() {
            guard word.hasPrefix("-"), word.count > 1 else {
                positionals.append(word)
                continue
            }
            let halves = word.split(separator: "=", maxSplits: 1).map(String.init)
            if CommandLineWords.withValue.contains(halves[0]) {
                set(halves[0], halves.count == 2 ? halves[1] : rest.popFirst())
            }
        }
    }

    /// The kind that the first word names.
    var kind: ResourceKind? {
        positionals.first.flatMap { ResourceKind(named: String($0.prefix { $0 != "/" })) }
    }

    /// Those of some names that go on as the word began and do not stand in the line yet.
    func offered(_ names: [String], _ prefix: String) -> [String] {
        names.filter { $0.hasPrefix(prefix) && !positionals.contains($0) }.sorted()
    }

    private mutating func set(_ option: String, _ value: String?) {
        switch option {
        case "-p", "--project": project = value
        case "--context": context = value
        case "--server": server = value
        default: break
        }
    }
}
