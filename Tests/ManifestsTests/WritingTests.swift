import FleetModel
import Testing

@testable import Manifests

@Suite("Writing manifests")
struct WritingTests {
    private static let workload: JSONValue = [
        "status": ["phase": "Pending"],
        "spec": [
            "qos": "high", "replicas": 2,
            "resources": ["memory": ["limit": "8GiB", "request": "4GiB"], "compute": "50%"],
        ],
        "metadata": ["labels": ["b": "no", "a": "1"], "project": "p", "name": "train"],
        "kind": "Workload", "apiVersion": "roost/v1",
    ]

    @Test("YAML has the order in which people think, and quotes where text would be read as something else")
    func yaml() throws {
        #expect(
            try ManifestWriter.yaml([WritingTests.workload]) == """
                apiVersion: roost/v1
                kind: Workload
                metadata:
                  name: train
                  project: p
                  labels:
                    a: "1"
                    b: "no"
                spec:
                  replicas: 2
                  resources:
                    compute: 50%
                    memory:
                      request: 4GiB
                      limit: 8GiB
                  qos: high
                status:
                  phase: Pending

                """)
    }

    @Test("JSON has the same order")
    func json() {
        let text = ManifestWriter.json([
            "metadata": ["name": "a", "labels": [:]], "kind": "Pool", "spec": ["x": [1, "é/"]],
        ])
        #expect(
            text == """
                {
                  "kind": "Pool",
                  "metadata": {
                    "name": "a",
                    "labels": {}
                  },
                  "spec": {
                    "x": [
                      1,
                      "é/"
                    ]
                  }
                }
                """)
    }

    @Test("Whatever is written is read as the same")
    func roundTrip() throws {
        let texts = [
            "", " ", "a b", "yes", "No", "~", "null", "1", "1e3", "0x1", "1_000", "2026-12-01", "12:30:00", "a: b",
            "a #b",
            "#", "- a", "*a", "&a", "!a", "%", "@", "`", "'", "\"", "\\", "a\nb", "a\nb\n", "\ta", "a ", "é😀",
            "\u{7F}",
            "-", "=", "<<", "[a]", "{a}", "a,b", "?", "a:", ":a", "/usr/bin", "50%", "4GiB", "-x", "--port", ".5",
            "\u{1}",
            "line one\n  indented\n\nlast",
        ]
        let value: JSONValue = [
            "kind": "Workload",
            "spec": [
                "texts": .list(texts.map(JSONValue.string)),
                "keys": .object(Dictionary(texts.map { ($0, JSONValue.boolean(true)) }) { one, _ in one }),
                "numbers": [1, -5, .number(0.1), .number(1e300), .integer(.max)], "nothing": .null, "empty": [:],
                "none": [],
            ],
        ]
        let yaml = try ManifestWriter.yaml([value, ["kind": "Pool"]])
        let read = try ManifestReader.read(text: yaml).map(\.value)
        #expect(read == [value, ["kind": "Pool"]])
        #expect(try ManifestReader.read(text: ManifestWriter.json(value)).map(\.value) == [value])
    }
}
