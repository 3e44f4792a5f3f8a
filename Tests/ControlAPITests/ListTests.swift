import FleetModel
import FleetStore
import Foundation
import Testing

@testable import ControlAPI

@Suite("Lists")
struct ListTests {
    private func names(_ reply: Reply) -> [String] {
        reply.json["items"]?.elements?.compactMap { $0["metadata"]?["name"]?.text } ?? []
    }

    @Test("Pages show one revision, whatever is written meanwhile")
    func pages() async throws {
        try await APIFixture().run { api in
            for index in 0..<7 { _ = try await api.put("/api/v1/pools/p\(index)", [:]) }
            let first = try await api.get("/api/v1/pools?limit=3")
            #expect(names(first) == ["p0", "p1", "p2"])
            #expect(first.json["kind"] == "PoolList")
            _ = try await api.delete("/api/v1/pools/p4")
            _ = try await api.put("/api/v1/pools/p9", [:])
            let token = try #require(first.json["metadata"]?["continue"]?.text)
            let second = try await api.get("/api/v1/pools?limit=3&continue=\(token)")
            #expect(names(second) == ["p3", "p4", "p5"])
            #expect(second.json["metadata"]?["revision"] == first.json["metadata"]?["revision"])
            let next = try #require(second.json["metadata"]?["continue"]?.text)
            let third = try await api.get("/api/v1/pools?continue=\(next)")
            #expect(names(third) == ["p6"])
            #expect(third.json["metadata"]?["continue"] == nil)
        }
    }

    @Test("A continue that leads into another folder, or to nothing, is refused")
    func forgedContinue() async throws {
        let fixture = try await APIFixture()
        try await fixture.run { api in
            for text in ["5 /tokens/a", "5 /pools", "x /pools/a", "-1 /pools/a", "5 /pools/../tokens/a"] {
                let token = Data(text.utf8).base64EncodedString()
                    .replacingOccurrences(of: "/", with: "_").replacingOccurrences(of: "=", with: "")
                #expect(try await api.get("/api/v1/pools?continue=\(token)").status == 422, "\(text)")
            }
            for _ in 0..<3 { _ = try await api.put("/api/v1/pools/a", ["metadata": ["labels": ["x": "1"]]]) }
            let page = PageToken.text(StoreContinuation(revision: .zero, after: try StoreKey("/pools/a")))
            try await fixture.store.compact(through: Revision(rawValue: 3))
            #expect(try await api.get("/api/v1/pools?continue=\(page)").status == 410)
        }
    }

    @Test(
        "Labels choose",
        arguments: [
            ("a=1", ["x", "z"]), ("a!=1", ["w", "y"]), ("a", ["x", "y", "z"]), ("!a", ["w"]), ("a=1,b", ["z"]),
            ("a=1,b!=2", ["x"]), ("b=", []), ("roost/long.name_X=1", ["w"]),
        ])
    func labels(_ selector: String, _ expected: [String]) async throws {
        try await APIFixture().run { api in
            let all: [(String, JSONValue)] = [
                ("w", ["roost/long.name_X": "1"]), ("x", ["a": "1"]), ("y", ["a": "2"]), ("z", ["a": "1", "b": "2"]),
            ]
            for (name, labels) in all { _ = try await api.post("/api/v1/pools", manifest(name, labels: labels)) }
            let escaped = selector.replacingOccurrences(of: "!", with: "%21")
            #expect(names(try await api.get("/api/v1/pools?labels=\(escaped)")) == expected)
        }
    }

    @Test(
        "What is a selector is the same here and in the OpenAPI document",
        arguments: [
            ("a", true), ("!a", true), ("a=", true), ("a!=b c", true), ("a=b,!c", true), ("a=\u{338}b", true),
            (String(repeating: "k", count: 128), true), (String(repeating: "k", count: 129), false), ("", false),
            ("!", false), ("!a=b", false), ("!a!=b", false), ("a=b=c", false), ("a!b", false), ("a=!b", false),
            ("a,", false), (",a", false), ("a,\u{301}", false), ("a b", false), ("=a", false),
        ])
    func selectors(_ text: String, _ isRight: Bool) throws {
        let pattern = try Regex(LabelSelector.pattern).matchingSemantics(.unicodeScalar)
        #expect((LabelSelector(text) != nil) == isRight)
        #expect((try pattern.wholeMatch(in: text) != nil) == isRight)
    }

    @Test("A selector that fits little looks at a bounded part of the store for each answer")
    func boundedScan() async throws {
        let fixture = try await APIFixture()
        let plain = try ResourceDocument(Resource(Metadata(name: "p"), PoolSpec())).storedBytes()
        for start in stride(from: 0, to: 5600, by: 100) {
            let operations = try (start..<(start + 100)).map { index in
                StoreOperation.create(try StoreKey("/pools/p\(index + 10_000)"), value: plain)
            }
            _ = try await fixture.store.commit(StoreTransaction(operations))
        }
        try await fixture.run { api in
            let first = try await api.get("/api/v1/pools?labels=none")
            #expect(names(first).isEmpty)
            let token = try #require(first.json["metadata"]?["continue"]?.text)
            #expect(
                try await api.get("/api/v1/pools?labels=none&continue=\(token)").json["metadata"]?["continue"] == nil)
        }
    }

    @Test("The text that clients get is what was stored, with the revision", arguments: ResourceKind.allCases)
    func splicedText(_ kind: ResourceKind) throws {
        let manifest: JSONValue = [
            "apiVersion": "roost/v1", "kind": .string(kind.rawValue), "metadata": ["name": "x"],
            "spec": FullSpecs.spec(.resource(kind)),
        ]
        var plain = manifest
        plain["metadata"] = ["name": "x", "labels": ["a/b": "\"\\ü"]]
        let document = try ResourceDocument(manifest: plain)
        let text = StoredText(reference: document.reference, revision: 42, bytes: try document.storedBytes())
        let read = try JSONDecoder().decode(JSONValue.self, from: Data(try text.text()))
        #expect(read["metadata"]?["revision"] == 42)
        #expect(read == (try text.document().json))
        let other = StoredText(
            reference: document.reference, revision: 42, bytes: Array(try document.json.encoded(isPretty: true)))
        #expect(try JSONDecoder().decode(JSONValue.self, from: Data(try other.text())) == read)
    }
}
