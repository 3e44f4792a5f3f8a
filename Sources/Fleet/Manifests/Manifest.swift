public import FleetModel

/// One resource as it stands in a text, and where.
public struct Manifest: Sendable, Hashable {
    /// The file; `-` for the standard input.
    public var file: String
    /// Which of the file's resources, from 1.
    public var document: Int
    /// The line on which it begins, from 1.
    public var line: Int
    /// What it says.
    public var value: JSONValue
    /// The line of each field, by its path: `spec.resources.memory`.
    var lines: [String: Int]

    /// Describes a resource that was in no file's line.
    public init(_ value: JSONValue, file: String = "-", document: Int = 1, line: Int = 1) {
        self.file = file
        self.document = document
        self.line = line
        self.value = value
        lines = [:]
    }

    /// Checks the manifest against its kind's fields.
    ///
    /// - Throws: ``ManifestReadError`` that names file, line and field of everything that is wrong.
    public func checked() throws -> ResourceDocument {
        do {
            return try ResourceDocument(manifest: value)
        } catch let error as ManifestError {
            throw ManifestReadError(error.problems.map(issue))
        }
    }

    /// The problem of a field with its place.
    public func issue(_ problem: FieldProblem) -> ManifestReadError.Issue {
        ManifestReadError.Issue(
            file: file, document: document, line: line(of: problem.field ?? ""),
            message: problem.description)
    }

    /// The line of a field, or of what it would stand in.
    private func line(of field: String) -> Int {
        var path = field[...]
        while !path.isEmpty {
            if let line = lines[String(path)] { return line }
            guard let end = path.lastIndex(where: { $0 == "." || $0 == "[" }) else { break }
            path = path[..<end]
        }
        return line
    }
}

/// What is wrong with texts that should hold manifests.
public struct ManifestReadError: Error, Sendable, Hashable, CustomStringConvertible {
    /// One thing that is wrong.
    public struct Issue: Sendable, Hashable, CustomStringConvertible {
        /// The file; `-` for the standard input.
        public var file: String
        /// Which of the file's resources, from 1; 0 where it is about the whole file.
        public var document: Int
        /// The line, from 1; 0 where it is about no line.
        public var line: Int
        /// What is wrong, and what to do.
        public var message: String

        /// `gpus.yaml:12 (document 2): spec.replicas: …`.
        public var description: String {
            let place = line > 0 ? "\(file):\(line)" : file
            return document > 1 ? "\(place) (document \(document)): \(message)" : "\(place): \(message)"
        }
    }

    /// The problems, in the order of the text.
    public let issues: [Issue]

    /// Lists problems.
    public init(_ issues: [Issue]) {
        self.issues = issues
    }

    /// A problem with a file as a whole.
    public init(file: String, _ message: String) {
        issues = [Issue(file: file, document: 0, line: 0, message: message)]
    }

    /// A line for each problem.
    public var description: String { issues.map(\.description).joined(separator: "\n") }
}
