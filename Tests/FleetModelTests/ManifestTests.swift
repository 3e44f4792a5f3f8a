import FleetModel
import Foundation
import Testing

@Suite("Manifests")
struct ManifestTests {
    /// A manifest of the least that its kind needs.
    private func manifest(_ kind: ResourceKind, spec: JSONValue, name: JSONValue = "x") -> JSONValue {
        ["apiVersion": "roost/v1", "kind": .string(kind.rawValue), "metadata": ["name": name], "spec": spec]
    }

    private func problems(_ manifest: JSONValue) -> [String] {
        do {
            _ = try ResourceDocument(manifest: manifest)
            return []
        } catch {
            return (error as? ManifestError)?.problems.map(\.description) ?? ["\(error)"]
        }
    }

    @Test("A workload's manifest becomes a resource with its values")
    func workload() throws {
        let document = try ResourceDocument(
            manifest: manifest(
                .workload,
                spec: [
                    "replicas": 3,
                    "resources": ["compute": "30%", "memory": ["request": "4GiB", "limit": "8GiB"]],
                    "gang": ["timeout": "5m"], "program": ["command": ["python", "train.py"]],
                ]))
        let workload = try document.resource(WorkloadSpec.self)
        #expect(document.reference.key == "/workloads/default/x")
        #expect(workload.spec.replicas == 3)
        #expect(workload.spec.resources?.compute == Bounds(.percent(30)))
        #expect(workload.spec.resources?.memory?.limit == MemoryQuantity(mebibytes: 8192))
        #expect(workload.spec.gang?.timeout == .minutes(5))
        #expect(workload.status.phase == .pending)
    }

    @Test("What the store holds is what was written, with the store's revision")
    func stored() throws {
        let document = try ResourceDocument(manifest: manifest(.pool, spec: ["default": true]))
        let read = try ResourceDocument(stored: document.storedBytes(), revision: 17)
        #expect(read.metadata.revision == 17)
        #expect(try read.resource(PoolSpec.self).spec == document.resource(PoolSpec.self).spec)
        #expect(try read.storedBytes() == document.storedBytes())
    }

    @Test("A problem names the field, the value and what would be right")
    func messages() {
        #expect(
            problems(manifest(.workload, spec: ["replica": 3]))
                == ["spec.replica: is not a field; did you mean replicas?"])
        #expect(
            problems(manifest(.workload, spec: ["replicas": -1]))
                == ["spec.replicas: must be a whole number from 0 to 100000, not -1"])
        #expect(
            problems(manifest(.workload, spec: ["resources": ["memory": "much"]]))
                == ["spec.resources.memory: must be memory, such as 512MiB or 4GiB, not \"much\""])
        #expect(
            problems(manifest(.workload, spec: ["resources": ["memory": ["request": "8GiB", "limit": "4GiB"]]]))
                == ["spec.resources.memory.limit: 4GiB is below the request, 8GiB"])
        #expect(
            problems(manifest(.workload, spec: ["resources": ["compute": ["request": "10%", "limit": "3TFLOPS"]]]))
                == ["spec.resources.compute: request and limit must both be shares or both be TFLOPS"])
        #expect(
            problems(manifest(.pool, spec: ["oversell": ["compute": "50%"]]))
                == ["spec.oversell.compute: is at least 100%, not 50%; use a quota to hold back"])
        #expect(
            problems(["kind": "Workloat"]).first?.hasPrefix("kind: \"Workloat\" is no kind; did you mean Workload?")
                == true)
    }

    @Test("All problems are listed at once, in the order of the fields")
    func severalProblems() {
        let found = problems(
            [
                "apiVersion": "roost/v2", "kind": "Pool", "metadata": ["name": "Bad Name", "project": "a"],
                "spec": ["remote": "no"],
            ])
        #expect(found.count == 4)
        #expect(
            found.map { $0.prefix { $0 != ":" } } == ["apiVersion", "metadata.name", "spec.remote", "metadata.project"])
    }

    @Test("Every kind's fields are those that its Swift type writes", arguments: ResourceKind.allCases)
    func schemasMatchTypes(_ kind: ResourceKind) throws {
        let sample = FullSample.spec(kind)
        let document = try ResourceDocument(manifest: manifest(kind, spec: sample))
        let written = try #require(document.json["spec"])
        #expect(Set(FullSample.paths(written)) == Set(FullSample.paths(kind.type.fields)), "\(kind)")
    }

    @Test("A key of the store names one resource", arguments: ResourceKind.allCases)
    func keys(_ kind: ResourceKind) {
        let reference = ResourceReference(kind: kind, project: "team", name: "a.b-1")
        #expect(ResourceReference(key: reference.key) == reference)
        #expect(ResourceReference(key: reference.key + "/more") == nil)
        #expect(ResourceReference(key: "/\(kind.plural)") == nil)
    }

    @Test("A patch merges as RFC 7386 says")
    func mergePatch() {
        let before: JSONValue = ["a": ["b": "c", "d": 1], "e": [1, 2]]
        let after = before.merging(["a": ["b": .null, "f": true], "e": [3]])
        #expect(after == ["a": ["d": 1, "f": true], "e": [3]])
    }

    @Test("Kinds are found by every name that people type")
    func kindNames() {
        #expect(ResourceKind(named: "workload") == .workload)
        #expect(ResourceKind(named: "WL") == .workload)
        #expect(ResourceKind(named: "vgpus") == .virtualGPU)
        #expect(ResourceKind(named: "pods") == nil)
        let names = ResourceKind.allCases.flatMap { [$0.plural] + $0.shortNames }
        #expect(Set(names).count == names.count)
    }
}

/// A value for every field of a kind, made from its schema.
enum FullSample {
    static func spec(_ kind: ResourceKind) -> JSONValue {
        var spec = object(kind.type.fields)
        // Values that must fit to each other.
        if kind == .workload { spec["isolation"] = "shared" }
        return spec
    }

    private static func object(_ fields: [FieldSchema]) -> JSONValue {
        .object(Dictionary(uniqueKeysWithValues: fields.map { ($0.name, value($0.type, named: $0.name)) }))
    }

    private static func value(_ type: FieldType, named name: String) -> JSONValue {
        switch type {
        case .text, .name: "x"
        case .word(let words): .string(words[0])
        case .integer(let range): .integer(max(range.lowerBound, 1))
        case .number(let range): .number(max(range.lowerBound, 0.5))
        case .boolean: true
        case .memory: "1GiB"
        case .compute: name == "speed" ? "5TFLOPS" : "10%"
        case .percent: "100%"
        case .span: "5m"
        case .moment: "2026-12-01T12:00:00Z"
        case .labels: ["a": "b"]
        case .map(let element): ["A": value(element, named: name)]
        case .bounds(let element): value(element, named: name)
        case .list(let element, _): [value(element, named: name)]
        case .object(let fields): object(fields)
        }
    }

    /// The paths of all fields, without what users name themselves.
    static func paths(_ fields: [FieldSchema], under prefix: String = "") -> [String] {
        fields.flatMap { field -> [String] in
            let path = prefix + field.name
            if case .map = field.type { return [path] }
            return [path] + (field.type.fields.map { paths($0, under: path + ".") } ?? [])
        }
    }

    static func paths(_ value: JSONValue, under prefix: String = "") -> [String] {
        guard let members = value.members else {
            return value.elements?.first.map { paths($0, under: prefix) } ?? []
        }
        return members.flatMap { name, member -> [String] in
            let path = prefix + name
            let isUsers = ["labels", "nodeLabels", "nodeSelector", "near", "apart", "environment"].contains(name)
            return [path] + (isUsers ? [] : paths(member, under: path + "."))
        }
    }
}
