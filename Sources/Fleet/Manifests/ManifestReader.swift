import FleetModel
public import Foundation
import Yams

/// Reads manifests: YAML of one or several documents, or JSON, which is a list or lists of resources.
public struct ManifestReader {
    /// The largest text that is read.
    private static let byteCountMax = 16 << 20
    /// The most resources of one text.
    private static let documentCountMax = 100_000

    private let file: String
    private var manifests: [Manifest] = []

    private init(file: String) {
        self.file = file
    }

    /// Reads a text.
    ///
    /// - Parameters:
    ///   - text: YAML or JSON.
    ///   - file: The name for messages.
    /// - Throws: ``ManifestReadError`` with the line at which the text makes no sense.
    public static func read(text: String, file: String = "-") throws -> [Manifest] {
        guard text.utf8.count <= byteCountMax else {
            throw ManifestReadError(
                file: file, "has \(text.utf8.count) bytes; at most \(byteCountMax) are read. Split the file")
        }
        var reader = ManifestReader(file: file)
        do {
            try reader.readYAML(text)
        } catch let error as YamlError {
            // JSON is YAML but for a few escapes.
            let isObject = text.first { !$0.isWhitespace }.map { "{[".contains($0) } ?? false
            guard isObject, let value = try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8)) else {
                throw reader.failure(error)
            }
            reader.manifests = []
            try reader.add(value, line: 1, lines: [:])
        }
        return reader.manifests
    }

    private mutating func readYAML(_ text: String) throws {
        let parser = try Parser(yaml: text)
        while let root = try parser.nextRoot() {
            var tree = YAMLTree(file: file, document: manifests.count + 1, byteCount: text.utf8.count)
            let value = try tree.value(of: root)
            // A document of comments alone, as before a first `---`.
            if value == .null { continue }
            try add(value, line: root.mark?.line ?? 1, lines: tree.lines)
        }
    }

    /// Takes a document's resources: itself, or what it lists.
    private mutating func add(_ value: JSONValue, line: Int, lines: [String: Int]) throws {
        let list = value.elements ?? (value["kind"]?.text?.hasSuffix("List") == true ? value["items"]?.elements : nil)
        guard let list else {
            guard manifests.count < ManifestReader.documentCountMax else {
                throw ManifestReadError(
                    file: file, "has more than \(ManifestReader.documentCountMax) resources. Split the file")
            }
            var manifest = Manifest(value, file: file, document: manifests.count + 1, line: line)
            manifest.lines = lines
            return manifests.append(manifest)
        }
        let prefix = value.elements == nil ? "items" : ""
        for (index, element) in list.enumerated() {
            let path = "\(prefix)[\(index)]"
            var inner: [String: Int] = [:]
            for (field, line) in lines where field.hasPrefix(path + ".") {
                inner[String(field.dropFirst(path.count + 1))] = line
            }
            try add(element, line: lines[path] ?? line, lines: inner)
        }
    }

    private func failure(_ error: YamlError) -> ManifestReadError {
        let document = manifests.count + 1
        func issue(_ line: Int, _ message: String) -> ManifestReadError {
            ManifestReadError([.init(file: file, document: document, line: line, message: message)])
        }
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            return issue(mark.line, "is no YAML: \(context.map { "\($0.text): " } ?? "")\(problem)")
        case .duplicatedKeysInMapping(let names, let context):
            return issue(context.mark.line, "says \(names.joined(separator: ", ")) twice; keep one")
        case .reader(let problem, _, _, _): return issue(0, "is no YAML: \(problem)")
        default: return issue(0, "can't be read as YAML: \(error)")
        }
    }
}

extension ManifestReader {
    private static let endings = [".yaml", ".yml", ".json"]

    /// Reads files, all manifests of folders in the order of their names, and with `-` the standard input.
    ///
    /// - Parameters:
    ///   - paths: Files, folders or `-`.
    ///   - standardInput: Gives what is piped in.
    public static func read(paths: [String], standardInput: () -> Data) throws -> [Manifest] {
        try paths.flatMap { path in
            if path == "-" { return try read(data: standardInput(), file: "-") }
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
                throw ManifestReadError(file: path, "there is no such file or folder")
            }
            return try isFolder.boolValue ? read(folder: path) : read(path: path)
        }
    }

    private static func read(folder: String) throws -> [Manifest] {
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
        let found = names.filter { name in !name.hasPrefix(".") && endings.contains { name.hasSuffix($0) } }
        guard !found.isEmpty else {
            let wanted = endings.joined(separator: ", ")
            throw ManifestReadError(file: folder, "holds no manifests: files that end in \(wanted)")
        }
        return try found.flatMap { try read(path: folder.hasSuffix("/") ? folder + $0 : "\(folder)/\($0)") }
    }

    private static func read(path: String) throws -> [Manifest] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ManifestReadError(file: path, "can't be read; look at its rights")
        }
        return try read(data: data, file: path)
    }

    private static func read(data: Data, file: String) throws -> [Manifest] {
        guard let text = String(validating: data, as: UTF8.self) else {
            throw ManifestReadError(file: file, "is no UTF-8 text")
        }
        return try read(text: text, file: file)
    }
}
