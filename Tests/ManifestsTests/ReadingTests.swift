import FleetModel
import Foundation
import Testing

@testable import Manifests

@Suite("Reading manifests")
struct ReadingTests {
    private func issues(_ text: String) -> [String] {
        do {
            _ = try ManifestReader.read(text: text, file: "f.yaml").map { try $0.checked() }
            return []
        } catch {
            return (error as? ManifestReadError)?.issues.map(\.description) ?? ["\(error)"]
        }
    }

    @Test("Several documents of a text are read, and each knows where it begins")
    func documents() throws {
        let manifests = try ManifestReader.read(
            text: """
                # Notes.
                ---
                apiVersion: roost/v1
                kind: Pool
                metadata: {name: a}
                ---
                ---
                apiVersion: roost/v1
                kind: Node
                metadata:
                  name: b
                """)
        #expect(manifests.map { $0.value["kind"]?.text } == ["Pool", "Node"])
        #expect(manifests.map(\.line) == [3, 8])
        #expect(manifests.map(\.document) == [1, 2])
    }

    @Test(
        "Words without quotes are what YAML 1.2 says",
        arguments: [
            ("no", JSONValue.string("no")), ("on", "on"), ("y", "y"), ("true", true), ("False", false), ("~", .null),
            ("null", .null), ("12", 12), ("+12", 12), ("0x1f", 31), ("0o17", 15), ("1.5", .number(1.5)),
            ("1e3", .number(1000)), ("1_000", "1_000"), ("4GiB", "4GiB"), ("50%", "50%"), (".inf", ".inf"),
            ("2026-12-01", "2026-12-01"), ("\"12\"", "12"), ("!!str 12", "12"), ("99999999999999999999", .number(1e20)),
        ])
    func scalars(_ text: String, _ value: JSONValue) throws {
        let manifests = try ManifestReader.read(text: "value: \(text)")
        #expect(manifests.first?.value["value"] == value)
    }

    @Test("JSON is read too, with lists of resources and escapes that YAML lacks")
    func json() throws {
        let one = try ManifestReader.read(text: #"{"kind":"Pool","a":[1,2.5,true,null,"é\ud83d\ude00\/"]}"#)
        #expect(one.map(\.value) == [["kind": "Pool", "a": [1, .number(2.5), true, .null, "é😀/"]]])
        let list = try ManifestReader.read(text: #"{"kind":"PoolList","items":[{"kind":"Pool"},{"kind":"Node"}]}"#)
        #expect(list.map { $0.value["kind"]?.text } == ["Pool", "Node"])
        let array = try ManifestReader.read(text: #"[{"kind":"Pool"},{"kind":"Node"}]"#)
        #expect(array.count == 2)
    }

    @Test("Anchors and merges are followed; the object's own members win")
    func merges() throws {
        let manifests = try ManifestReader.read(
            text: """
                base: &base {x: 1, y: 2}
                own:
                  <<: *base
                  y: 3
                """)
        #expect(manifests.first?.value["own"] == ["x": 1, "y": 3])
    }

    @Test("A problem names file, line and field, where the field or what it would stand in is")
    func fieldLines() {
        let text = """
            apiVersion: roost/v1
            kind: Pool
            metadata:
              name: a
            ---
            apiVersion: roost/v1
            kind: Workload
            metadata:
              name: b
            spec:
              replicas: many
              program: {}
            """
        #expect(
            issues(text) == [
                "f.yaml:11 (document 2): spec.replicas: must be a whole number from 0 to 100000, not \"many\"",
                "f.yaml:12 (document 2): spec.program.command: is missing: The program and its arguments.",
            ])
    }

    @Test("A text that is no YAML says at which line")
    func noYAML() {
        #expect(issues("a: 1\nb: [1,\n").first?.hasPrefix("f.yaml:3: is no YAML:") == true)
        #expect(issues("a: 1\nb: 2\na: 3\n") == ["f.yaml:1: says a twice; keep one"])
        #expect(issues("a: *b\n").first?.contains("f.yaml:1") == true)
        #expect(issues("? [1]\n: 2\n") == ["f.yaml:1: has a key that is no text"])
    }

    @Test("A text that blows up by aliases is refused")
    func aliases() {
        var lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
        for level in 1...9 {
            let references = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            lines.append("a\(level): &a\(level) [\(references)]")
        }
        #expect(issues(lines.joined(separator: "\n")).first?.contains("too large") == true)
    }

    @Test("Nesting is bounded")
    func nesting() {
        let text = String(repeating: "[", count: 500) + String(repeating: "]", count: 500)
        #expect(issues(text).first?.contains("nested too deeply") == true)
    }

    @Test("Files, folders and the standard input are read; what is none says so")
    func files() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("manifests-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try Data("kind: B".utf8).write(to: folder.appendingPathComponent("b.yml"))
        try Data(#"{"kind": "A"}"#.utf8).write(to: folder.appendingPathComponent("a.json"))
        try Data("not: read".utf8).write(to: folder.appendingPathComponent("notes.txt"))
        let manifests = try ManifestReader.read(paths: [folder.path, "-"]) { Data("kind: C".utf8) }
        #expect(manifests.map { $0.value["kind"]?.text } == ["A", "B", "C"])
        #expect(manifests.last?.file == "-")
        #expect(throws: ManifestReadError(file: "/no/such", "there is no such file or folder")) {
            try ManifestReader.read(paths: ["/no/such"]) { Data() }
        }
        #expect(throws: ManifestReadError(file: "-", "is no UTF-8 text")) {
            try ManifestReader.read(paths: ["-"]) { Data([0xFF]) }
        }
    }
}
