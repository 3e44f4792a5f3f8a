import ArgumentParser
import FleetModel
import Foundation
import Testing

@testable import CLICommands

@Suite("roost snapshot and roost simulate")
struct SimulateCommandTests {
    private static let pool: JSONValue = [
        "apiVersion": "roost/v1", "kind": "Pool", "metadata": ["name": "main"], "spec": ["default": true],
    ]

    private func withFolder(_ body: (String) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("roost-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await body(folder)
    }

    private func simulate(_ arguments: String..., streams: Streams) throws {
        try #require(try RoostCommand.parseAsRoot(["simulate"] + arguments) as? SimulateCommand)
            .perform(streams.console())
    }

    @Test("What snapshot writes simulate reads, with work that is added, as a table and as JSON")
    func roundTrip() async throws {
        try await withFolder { folder in
            let plane = FakeControlPlane()
            _ = try await plane.put(
                ResourceDocument(manifest: SimulateCommandTests.pool), revision: nil, isDryRun: false)
            let streams = Streams()
            let path = folder + "/fleet.json"
            try await #require(try RoostCommand.parseAsRoot(["snapshot", "-o", path]) as? SnapshotCommand)
                .perform(streams.session(plane))
            #expect(streams.notes == ["1 resources are in \(path)."])
            let added = folder + "/train.yaml"
            try """
            apiVersion: roost/v1
            kind: Workload
            metadata: {name: train}
            spec: {resources: {compute: 50%, memory: 1GiB}}
            """.write(toFile: added, atomically: true, encoding: .utf8)
            try simulate(path, "--add", added, streams: streams)
            let text = streams.lines.joined(separator: "\n")
            #expect(text.contains("replicas waiting") && text.contains("default/train"), "\(text)")
            #expect(text.contains("No node has joined"))
            let other = Streams()
            try simulate(path, "--add", added, "-o", "json", "--policy", "bestFit", streams: other)
            let json = try JSONDecoder().decode(JSONValue.self, from: Data(other.lines.joined(separator: "\n").utf8))
            #expect(json["policy"] == "bestFit" && json["after"]?["pending"] == 1)
        }
    }

    @Test("A file or an option that is wrong is named with its reason")
    func refusals() async throws {
        try await withFolder { folder in
            func message(_ text: String, _ options: String...) throws -> String {
                let path = folder + "/fleet.json"
                try text.write(toFile: path, atomically: true, encoding: .utf8)
                let command = try #require(
                    try RoostCommand.parseAsRoot(["simulate", path] + options) as? SimulateCommand)
                do {
                    try command.perform(Streams().console())
                    return ""
                } catch let error as CommandFailure {
                    return error.message
                }
            }
            let right = #"""
                {"apiVersion": "roost/v1", "kind": "FleetSnapshot", "takenAt": "2026-12-01T12:00:00Z", "items": []}
                """#
            let found = [
                try message("no json"), try message(#"{"kind": "Pool"}"#), try message(right),
                try message(right, "--policy", "rost"), try message(right, "--without-node", "x"),
            ]
            #expect(found[0].contains("is no JSON"))
            #expect(found[1].contains("fleet.json: kind: must be FleetSnapshot"))
            #expect(found[2].isEmpty)
            #expect(found[3].contains("did you mean roost?"))
            #expect(found[4].contains("the snapshot has no node x"))
        }
    }
}
