import Foundation
import Testing

/// A text file of the repository.
struct RepositoryFile: CustomTestStringConvertible {
    /// From the repository's root, with slashes.
    let path: String
    let text: String

    var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
    var isGenerated: Bool { path.contains("/Generated/") }
    var testDescription: String { path }
}

/// The files that the house rules are about.
enum Repository {
    static let root: URL = {
        var folder = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
        while !FileManager.default.fileExists(atPath: folder.appendingPathComponent("Package.swift").path) {
            folder.deleteLastPathComponent()
        }
        return folder
    }()

    /// Every Swift file in the packages' sources and tests.
    static let swiftFiles: [RepositoryFile] =
        ["Sources", "Tests", "Tools/Sources", "Tools/Tests", "Benchmarks/Sources", "Fuzzing/Sources"]
        .flatMap { files(under: $0) { $0.hasSuffix(".swift") } }

    static let handWritten = swiftFiles.filter { !$0.isGenerated }
    static let sources = swiftFiles.filter { $0.path.hasPrefix("Sources/") }
    static let generated = swiftFiles.filter(\.isGenerated)

    /// Every Markdown file outside build folders.
    static let documents: [RepositoryFile] = files(under: ".") { $0.hasSuffix(".md") }

    /// Every text file that somebody wrote or generated.
    static let texts: [RepositoryFile] = files(under: ".") { name in
        let endings = [".swift", ".c", ".h", ".md", ".sh", ".py", ".json", ".tsv", ".map", ".txt", ".ini"]
        return endings.contains { name.hasSuffix($0) } || name.hasSuffix("/Makefile")
    }

    static func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: root.appendingPathComponent(path).path)
    }

    private static func files(under folder: String, where accept: (String) -> Bool) -> [RepositoryFile] {
        let start = folder == "." ? root : root.appendingPathComponent(folder)
        guard let walk = FileManager.default.enumerator(at: start, includingPropertiesForKeys: nil) else { return [] }
        var found: [RepositoryFile] = []
        for case let url as URL in walk {
            let name = url.lastPathComponent
            if name == ".build" || name == ".git" || name.hasPrefix(".build-") || name == "FailCases" {
                walk.skipDescendants()
                continue
            }
            guard accept(url.path), let data = FileManager.default.contents(atPath: url.path) else { continue }
            let path = String(url.standardizedFileURL.path.dropFirst(root.standardizedFileURL.path.count + 1))
            found.append(RepositoryFile(path: path, text: String(decoding: data, as: UTF8.self)))
        }
        return found.sorted { $0.path < $1.path }
    }
}
