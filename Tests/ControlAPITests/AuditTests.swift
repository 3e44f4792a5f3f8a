import FleetModel
import Foundation
import Testing

@testable import ControlAPI

@Suite("The audit log")
struct AuditTests {
    private func record(_ object: String) -> AuditRecord {
        AuditRecord(
            subject: "u", operation: "createPool", object: object, decision: .done, status: 201, request: "r")
    }

    private func lines(_ folder: ScratchFolder) throws -> [String] {
        try String(contentsOfFile: folder.path + "/audit.jsonl", encoding: .utf8).split(separator: "\n").map(String.init)
    }

    @Test("Every write and every denied request is recorded, with who, what and the hashes of before and after")
    func records() async throws {
        let fixture = try await APIFixture()
        let viewer = try await fixture.token("v", Grant(.viewer))
        try await fixture.run { api in
            _ = try await api.put("/api/v1/pools/a", [:])
            _ = try await api.put("/api/v1/pools/a", ["spec": ["remote": true]])
            _ = try await api.with(viewer).delete("/api/v1/pools/a")
            _ = try await api.with(nil).get("/api/v1/pools")
            _ = try await api.put("/api/v1/pools/a", ["spec": ["remote": 1]])
            _ = try await api.delete("/api/v1/pools/a")
            _ = try await api.get("/api/v1/pools")
            _ = try await api.post("/api/v1/pools?dryRun=true", manifest("b"))
            let page = try await api.get("/api/v1/audit").json
            let items = try #require(page["items"]?.elements)
            #expect(
                items.map { "\($0["subject"]?.text ?? "") \($0["operation"]?.text ?? "") \($0["decision"]?.text ?? "")" }
                    == [
                        "root replacePool done", "root replacePool done", "v deletePool denied",
                        "unknown listPools denied", "root replacePool failed", "root deletePool done",
                    ])
            #expect(items[0]["before"] == nil)
            #expect(items[0]["after"] == items[1]["before"])
            #expect(items[1]["after"] == items[5]["before"])
            #expect(items[5]["after"] == nil)
            #expect(page["head"]?["sequence"] == 6)
            let rest = try await api.get("/api/v1/audit?after=4&limit=1").json["items"]?.elements
            #expect(rest?.compactMap { $0["sequence"] } == [5])
        }
        #expect(try AuditLog.verify(folder: fixture.folder.path) == fixture.audit.head)
    }

    @Test("A record that was changed, taken out or moved breaks the chain", arguments: ["change", "remove", "swap"])
    func tampering(_ how: String) throws {
        let folder = try ScratchFolder()
        let clock = StandingClock()
        do {
            let log = try AuditLog(folder: folder.path, surroundings: clock.surroundings)
            for index in 0..<5 { try log.append(record("/\(index)")) }
        }
        var lines = try lines(folder)
        switch how {
        case "change": lines[2] = lines[2].replacingOccurrences(of: "/2", with: "/9")
        case "remove": lines.remove(at: 2)
        default: lines.swapAt(1, 2)
        }
        try (lines.joined(separator: "\n") + "\n").write(
            toFile: folder.path + "/audit.jsonl", atomically: true, encoding: .utf8)
        #expect(throws: ServerError.self) { try AuditLog.verify(folder: folder.path) }
        #expect(throws: ServerError.self) {
            try AuditLog(folder: folder.path, surroundings: clock.surroundings)
        }
    }

    @Test("The chain goes on over restarts, full files and a line that a crash cut off")
    func goesOn() throws {
        let folder = try ScratchFolder()
        let clock = StandingClock()
        for round in 0..<4 {
            let log = try AuditLog(folder: folder.path, surroundings: clock.surroundings, byteCountMax: 1500)
            #expect(log.head.sequence == Int64(round * 10))
            for index in 0..<10 { try log.append(record("/\(index)")) }
        }
        let handle = try #require(FileHandle(forWritingAtPath: folder.path + "/audit.jsonl"))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data(#"{"at":"2026-"#.utf8))
        try handle.close()
        let log = try AuditLog(folder: folder.path, surroundings: clock.surroundings, byteCountMax: 1500)
        try log.append(record("/last"))
        #expect(try AuditLog.verify(folder: folder.path).sequence == 41)
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(files.count > 5)
        #expect(try log.records(after: 0, limit: 1000).map(\.sequence) == Array(1...41))
        #expect(try log.records(after: 38, limit: 2).map(\.sequence) == [39, 40])
        let mode = try FileManager.default.attributesOfItem(atPath: folder.path + "/audit.jsonl")[.posixPermissions]
        #expect(mode as? Int == 0o600)
    }
}
