import Testing

@Suite("Words")
struct WordTests {
    /// What stands for a defect or hides one, and where it may stand all the same.
    private static let banned: [(pattern: String, reason: String)] = [
        ("try!", "an error must have a way out"),
        ("as!", "a failed cast must have a way out"),
        ("fatalError(", "use a precondition with a sentence"),
        ("Thread.sleep", "wait for an event, or poll with a deadline"),
        ("DispatchQueue", "the data plane has threads, the control plane actors and locks"),
        ("print(\"DEBUG", "a trace of debugging"),
    ]

    @Test("Banned constructs do not occur", arguments: Repository.handWritten)
    func bannedConstructs(_ file: RepositoryFile) {
        guard !file.path.hasPrefix("Tests/TidyTests/") else { return }
        for line in SwiftText(file.text).lines {
            for word in WordTests.banned where line.text.contains(word.pattern) {
                Issue.record("\(file.path):\(line.number) has \(word.pattern): \(word.reason)")
            }
        }
    }

    @Test("Types have names that say something", arguments: Repository.handWritten)
    func typeNames(_ file: RepositoryFile) {
        let empty = ["Helper", "Helpers", "Util", "Utils", "Manager", "Info", "Impl", "Misc"]
        let keywords: Set<Substring> = ["struct", "class", "enum", "actor", "protocol", "typealias"]
        for line in SwiftText(file.text).lines {
            let words = line.text.split { !($0.isLetter || $0.isNumber || $0 == "_") }
            for (keyword, name) in zip(words, words.dropFirst()) where keywords.contains(keyword) {
                let isEmpty = empty.contains { name.hasSuffix($0) } || ["Base", "Common", "Data"].contains(name)
                #expect(!isEmpty, "\(file.path):\(line.number) calls a type \(name)")
            }
        }
        let fileName = file.path.split(separator: "/").last ?? ""
        #expect(!empty.contains { fileName.hasPrefix($0 + ".") || fileName.hasSuffix($0 + ".swift") }, "\(file.path)")
    }

    @Test("Nobody leaves a note of work to do", arguments: Repository.texts)
    func notes(_ file: RepositoryFile) {
        let isAboutNotes = file.path.hasPrefix("Tests/TidyTests/") || file.path.hasSuffix(".tsv")
        guard !isAboutNotes else { return }
        for (index, line) in file.lines.enumerated() {
            for mark in ["TODO", "FIXME", "XXX"] where line.contains(mark) && !line.contains(".XXX") {
                Issue.record("\(file.path):\(index + 1) has \(mark): do it or open an issue")
            }
        }
    }

    @Test("Nothing names the machine that it was written on", arguments: Repository.texts)
    func machinePaths(_ file: RepositoryFile) {
        guard !file.path.hasPrefix("Tests/TidyTests/") else { return }
        for (index, line) in file.lines.enumerated() {
            for path in ["/work/", "/root/", "/home/", "/opt/swift"] where line.contains(path) {
                Issue.record("\(file.path):\(index + 1) names \(path)")
            }
        }
    }

    @Test("Unchecked claims give their reason", arguments: Repository.handWritten)
    func safetyComments(_ file: RepositoryFile) {
        guard !file.path.hasPrefix("Tests/") else { return }
        let lines = file.lines
        for line in SwiftText(file.text).lines {
            let claims = ["@unchecked Sendable", "nonisolated(unsafe)", "unsafeBitCast("]
            let isClaim = claims.contains { line.text.contains($0) }
            guard isClaim else { continue }
            // In the comment above, or above the attributes and declarations that share it.
            let start = max(0, line.number - 9)
            let isArgued = lines[start..<line.number].contains { $0.contains("SAFETY:") }
            #expect(isArgued, "\(file.path):\(line.number) lacks a SAFETY comment")
        }
    }
}
