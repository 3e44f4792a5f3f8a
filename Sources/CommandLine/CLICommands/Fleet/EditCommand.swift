import ArgumentParser
import FleetClient
import FleetModel
import Foundation
import Manifests

/// `roost edit`: changes a resource in an editor.
struct EditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "edit",
        abstract: "Change a resource in your editor.",
        discussion: """
            Opens VISUAL, EDITOR or vi with the resource's manifest and sends what was saved. Where something is wrong \
            with it, the editor opens again and says what, above the text. An empty text, or one without a change, \
            ends it and changes nothing.

            EXAMPLES
              roost edit pool main
              EDITOR="code --wait" roost edit quota/research
            """)

    @OptionGroup var fleet: FleetOptions
    @OptionGroup var project: ProjectOptions
    @OptionGroup var resource: ResourceArguments

    func validate() throws { _ = try resource.onlyName() }

    func run() async throws {
        let editor = try TextEditor(environment: ProcessInfo.processInfo.environment)
        try await fleet.perform(project: project.project) { try await perform($0, edit: editor.edit) }
    }

    /// Edits until it is right, or the user gives up.
    func perform(_ session: FleetSession, edit: (String) throws -> String) async throws {
        let reference = session.reference(resource.kind, try resource.onlyName())
        guard let before = try await session.connection.get(reference) else {
            throw CommandFailure.missing(reference)
        }
        var revision = before.metadata.revision
        let original = try ManifestWriter.yaml([before.wishes])
        var text = original
        var problems: [String] = []
        while true {
            let saved = EditCommand.withoutNotes(try edit(EditCommand.notes(reference, problems) + text))
            let isEmpty = saved.allSatisfy(\.isWhitespace)
            if isEmpty || saved == original || (saved == text && !problems.isEmpty) {
                let isGivenUp = !problems.isEmpty
                if isGivenUp { problems.forEach(session.console.note) }
                session.console.note("Nothing changed.")
                if isGivenUp { throw ExitCode(CommandExit.failure) }
                return
            }
            text = saved
            do {
                let document = try EditCommand.document(text, of: reference)
                let after = try await session.connection.put(document, revision: revision, isDryRun: false)
                session.console.line(
                    "\(reference.title) \(after.hasSameWishes(as: before) ? "unchanged" : "configured")")
                return
            } catch let error as ManifestReadError {
                problems = error.issues.map { $0.line > 0 ? "line \($0.line): \($0.message)" : $0.message }
            } catch let error as FleetClientError where error.status == 412 || error.status == 409 {
                revision = try await session.connection.get(reference)?.metadata.revision
                problems = ["Somebody else changed it meanwhile. Save again with a change to replace theirs."]
            } catch let error as FleetClientError where error.status == 422 || error.status == 400 {
                problems = error.description.split(separator: "\n").map(String.init)
            }
        }
    }

    private static func document(_ text: String, of reference: ResourceReference) throws -> ResourceDocument {
        let manifests = try ManifestReader.read(text: text, file: "manifest")
        guard let manifest = manifests.first, manifests.count == 1 else {
            throw ManifestReadError(file: "manifest", "must hold one resource, not \(manifests.count)")
        }
        let document = try manifest.checked()
        guard document.reference == reference else {
            throw ManifestReadError(
                file: "manifest", "is \(document.reference) now; kind, name and project stay \(reference)")
        }
        return document
    }

    /// What begins the lines above the text.
    private static let mark = "#: "

    private static func notes(_ reference: ResourceReference, _ problems: [String]) -> String {
        let lines =
            problems.isEmpty
            ? ["\(reference). Save to change it; empty the text to leave it as it is."]
            : ["This was not taken:"] + problems.map { "  \($0)" }
        return lines.map { "\(mark)\($0)\n" }.joined()
    }

    private static func withoutNotes(_ text: String) -> String {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        return lines.filter { !$0.hasPrefix("#:") }.joined(separator: "\n")
    }
}

/// The user's editor.
struct TextEditor {
    private let command: String

    init(environment: [String: String]) throws {
        let named = ["VISUAL", "EDITOR"].lazy.compactMap { environment[$0] }.first { !$0.isEmpty }
        command = named ?? "vi"
    }

    /// Lets the user change a text, in a file of its own.
    func edit(_ text: String) throws -> String {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("roost-edit-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent("manifest.yaml")
        try Data(text.utf8).write(to: file)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        // The editor may be a command with options; the file is an argument, so that its name needs no quotes.
        process.arguments = ["-c", "\(command) \"$1\"", "sh", file.path]
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw CommandFailure(
                status: CommandExit.failure,
                message: "The editor \(command) ended with status \(process.terminationStatus); nothing changed. Set "
                    + "EDITOR to another one.")
        }
        return String(decoding: try Data(contentsOf: file), as: UTF8.self)
    }
}
