import Foundation

/// What went wrong while a header was read.
struct ImportError: Error, CustomStringConvertible {
    /// One sentence for the person at the terminal.
    let description: String
}

/// A node of clang's syntax tree, as its JSON dump gives it.
struct ClangNode {
    private let values: [String: Any]

    init(_ values: [String: Any]) {
        self.values = values
    }

    var kind: String { values["kind"] as? String ?? "" }
    var name: String { values["name"] as? String ?? "" }
    var tagUsed: String { values["tagUsed"] as? String ?? "" }
    var value: String? { values["value"] as? String }
    var isImplicit: Bool { values["isImplicit"] as? Bool ?? false }
    var isBitfield: Bool { values["isBitfield"] as? Bool ?? false }
    var isCompleteDefinition: Bool { values["completeDefinition"] as? Bool ?? false }
    var type: String { (values["type"] as? [String: Any])?["qualType"] as? String ?? "" }
    var children: [ClangNode] { (values["inner"] as? [[String: Any]] ?? []).map(ClangNode.init) }

    /// The first value of a constant expression at or below this node.
    var constant: Int64? {
        if kind == "ConstantExpr", let value { return Int64(value) ?? Int64(bitPattern: UInt64(value) ?? 0) }
        for child in children {
            if let constant = child.constant { return constant }
        }
        return nil
    }
}

/// Runs clang over C text.
struct Clang {
    /// The folders with headers.
    let includeFolders: [String]
    /// The macros to define.
    let definitions: [String]

    private var options: [String] { includeFolders.map { "-I\($0)" } + definitions.map { "-D\($0)" } }

    /// Gives the syntax tree of a file that includes the headers; comments are gone before it is made.
    func tree(including headers: [String]) throws -> [ClangNode] {
        let source = headers.map { "#include <\($0)>\n" }.joined()
        let preprocessed = try run(["-E", "-x", "c", "-"], input: Data(source.utf8))
        let dump = try run(["-Xclang", "-ast-dump=json", "-fsyntax-only", "-x", "c", "-"], input: preprocessed)
        guard let root = try JSONSerialization.jsonObject(with: dump) as? [String: Any] else {
            throw ImportError(description: "clang wrote no syntax tree")
        }
        return ClangNode(root).children
    }

    /// Gives the macros without parameters that the headers define.
    func macros(including headers: [String]) throws -> [(name: String, body: String)] {
        let source = headers.map { "#include <\($0)>\n" }.joined()
        let text = try run(["-E", "-dD", "-x", "c", "-"], input: Data(source.utf8))
        var result: [(name: String, body: String)] = []
        for line in String(decoding: text, as: UTF8.self).split(separator: "\n") where line.hasPrefix("#define ") {
            let parts = line.dropFirst(8).split(separator: " ", maxSplits: 1)
            guard parts.count == 2, !parts[0].contains("(") else { continue }
            result.append((String(parts[0]), String(parts[1])))
        }
        return result
    }

    private func run(_ arguments: [String], input: Data) throws -> Data {
        let folder = FileManager.default.temporaryDirectory
        let inputFile = folder.appendingPathComponent("import-\(UUID().uuidString).c")
        let outputFile = folder.appendingPathComponent("import-\(UUID().uuidString).out")
        defer {
            try? FileManager.default.removeItem(at: inputFile)
            try? FileManager.default.removeItem(at: outputFile)
        }
        try input.write(to: inputFile)
        guard FileManager.default.createFile(atPath: outputFile.path, contents: nil) else {
            throw ImportError(description: "can't create \(outputFile.path)")
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["clang"] + options + arguments
        process.standardInput = try FileHandle(forReadingFrom: inputFile)
        process.standardOutput = try FileHandle(forWritingTo: outputFile)
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw ImportError(description: "clang exited with status \(process.terminationStatus)")
        }
        return try Data(contentsOf: outputFile)
    }
}
