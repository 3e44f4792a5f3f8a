import FleetModel
import Testing

@testable import ControlPlane

@Suite("Replays of recorded fleets")
struct ReplayTests {
    /// Three nodes of two devices, a project with little quota, and work of several sizes.
    private func fleet() -> Fleet {
        let fleet = Fleet()
        fleet.addPool()
        fleet.put(Resource(Metadata(name: "small"), ProjectSpec()))
        for name in ["a", "b", "c"] { fleet.addNode(name, devices: 2) }
        fleet.run(seconds: 2)
        return fleet
    }

    private func submit(_ fleet: Fleet) {
        for (index, compute) in ["40%", "70%", "20%", "100%", "50%", "30%"].enumerated() {
            fleet.workload("w\(index)", replicas: index == 2 ? 3 : 1, compute: compute, memory: "8GiB")
        }
    }

    private func recorded(_ fleet: Fleet) throws -> RecordedFleet {
        let recorded = try RecordedFleet(
            Array(fleet.stored.values), revision: fleet.revision, version: "1", at: fleet.environment.now())
        // As the file has it.
        return try RecordedFleet(json: recorded.json)
    }

    private func places(_ fleet: Fleet) -> [String] {
        fleet.view.vgpus.values.map { vgpu in
            "\(vgpu.spec.workload).\(vgpu.spec.replica) \(vgpu.spec.node) \(vgpu.spec.devices.joined(separator: ","))"
        }.sorted()
    }

    private func places(_ moves: [ReplayReport.Move]) -> [String] {
        moves.flatMap { move in
            move.after.map { place in
                "\(move.workload.name).\(move.replica) \(place.replacing("/", with: " "))"
            }
        }.sorted()
    }

    @Test("What waits goes where the control plane puts it, and what is placed stays")
    func same() throws {
        let fleet = fleet()
        submit(fleet)
        let before = try recorded(fleet)
        fleet.run(seconds: 5)
        let report = try FleetReplay(before).run()
        let isNew = report.moves.allSatisfy { $0.before.isEmpty }
        #expect(isNew)
        #expect(places(report.moves) == places(fleet))
        #expect(report.before.placed == 0 && report.after.placed == 8 && report.after.pending == 0)
        let again = try FleetReplay(recorded(fleet)).run()
        #expect(again.moves.isEmpty && again.pending.isEmpty)
        #expect(again.before == again.after)
        #expect(again.after.allocatedCompute == report.after.allocatedCompute)
        #expect(abs(again.after.allocatedCompute - 350.0 / 6) < 0.001)
    }

    @Test("Additions are placed as the control plane places them")
    func additions() throws {
        let fleet = fleet()
        let before = try recorded(fleet)
        var options = FleetReplay.Options()
        for (index, compute) in ["40%", "70%", "20%", "100%", "60%", "10%", "50%"].enumerated() {
            let name = "w\(9 - index)"
            fleet.workload(name, replicas: index == 2 ? 3 : 1, compute: compute, memory: "8GiB")
            options.additions += fleet.stored.values.filter { $0.reference.name == name && $0.kind == .workload }
            fleet.run(seconds: 2)
        }
        let report = try FleetReplay(before, options).run()
        #expect(places(report.moves) == places(fleet))
    }

    @Test("The same file gives the same answer each time")
    func determinism() throws {
        let fleet = fleet()
        submit(fleet)
        fleet.run(seconds: 5)
        var options = FleetReplay.Options()
        options.isFromScratch = true
        options.policy = "random"
        let base = try recorded(fleet)
        let first = try FleetReplay(base, options).run()
        for _ in 0..<5 {
            let again = try FleetReplay(base, options).run()
            #expect(again == first)
        }
    }

    @Test("Another policy puts work elsewhere where it must")
    func policies() throws {
        let fleet = fleet()
        for index in 0..<4 { fleet.workload("w\(index)", compute: "25%", memory: "8GiB") }
        fleet.run(seconds: 5)
        // Packed, they share a device; spread at random they do not all.
        #expect(Set(fleet.view.vgpus.values.map { $0.spec.node + $0.spec.devices[0] }).count == 1)
        var options = FleetReplay.Options()
        options.isFromScratch = true
        let base = try recorded(fleet)
        let usual = try FleetReplay(base, options).run()
        #expect(
            usual.moves.count(where: { $0.before != $0.after }) <= 4 && usual.nodes.count { $0.after.vgpus > 0 } == 1)
        options.policy = "random"
        let random = try FleetReplay(base, options).run()
        #expect(random.policy == "random")
        #expect(!random.moves.isEmpty)
        #expect(Set(random.moves.flatMap(\.after)).count > 1)
    }

    @Test("Without a node its work goes elsewhere, or waits with a reason")
    func withoutNodes() throws {
        let fleet = fleet()
        for index in 0..<6 { fleet.workload("w\(index)", compute: "100%", memory: "8GiB") }
        fleet.run(seconds: 5)
        var options = FleetReplay.Options()
        options.missingNodes = ["b"]
        let report = try FleetReplay(recorded(fleet), options).run()
        #expect(report.before.placed == 6 && report.after.placed == 4 && report.after.pending == 2)
        #expect(report.before.devices == 6 && report.after.devices == 4)
        #expect(report.pending.count == 2)
        #expect(report.pending.allSatisfy { $0.reason.contains("fits") }, "\(report.pending)")
        #expect(report.nodes.map(\.name) == ["a", "b", "c"])
        #expect(report.nodes[1].before.vgpus == 2 && report.nodes[1].after.vgpus == 0)
        #expect(report.moves.count == 2 && report.moves.allSatisfy { $0.after.isEmpty })
    }

    @Test("Nothing secret is in a file")
    func secrets() throws {
        let fleet = fleet()
        fleet.workload("w", compute: "10%", memory: "1GiB") { spec in
            var program = WorkloadSpec.Program(command: ["train", "--key=hidden"])
            program.environment = ["PASSWORD": "hidden"]
            program.directory = "/hidden"
            spec.program = program
        }
        var annotated = Resource(Metadata(name: "p"), ProjectSpec())
        annotated.metadata.annotations = ["note": "hidden"]
        fleet.put(annotated)
        fleet.run(seconds: 3)
        #expect(fleet.view.vgpus.values.contains { $0.status.endpoints != nil })
        let text = String(decoding: try recorded(fleet).json.encoded(), as: UTF8.self)
        #expect(!text.contains("hidden") && !text.contains("tcp://"))
        #expect(text.contains("left-out"))
    }

    @Test("A file that is wrong is refused with each field and its reason")
    func badFiles() throws {
        func problems(_ change: (inout JSONValue) -> Void) throws -> [String] {
            var json = try recorded(fleet()).json
            change(&json)
            do {
                _ = try RecordedFleet(json: json)
                return []
            } catch {
                return error.problems.map(\.description)
            }
        }
        let none = try problems { _ in }
        #expect(none.isEmpty)
        let all = try problems { $0 = ["kind": "Pool"] }
        #expect(all.map { $0.prefix(5) } == ["kind:", "apiVe", "taken", "items"])
        let pool: JSONValue = [
            "apiVersion": "roost/v1", "kind": "Pool", "metadata": ["name": "p"],
            "spec": ["oversell": ["compute": "x"]],
        ]
        let event: JSONValue = [
            "apiVersion": "roost/v1", "kind": "AlertRule", "metadata": ["name": "p"],
            "spec": ["metric": "m", "comparison": "above", "threshold": 1, "severity": "info", "message": "m"],
        ]
        let found = try problems { $0["items"] = [pool, event, "text"] }
        #expect(found.count == 3, "\(found)")
        #expect(found[0].hasPrefix("items[0].spec.oversell.compute"))
        #expect(found[1].hasPrefix("items[1].kind"))
        var options = FleetReplay.Options()
        options.policy = "bestfit"
        options.missingNodes = ["x"]
        let base = try recorded(fleet())
        do {
            _ = try FleetReplay(base, options)
            Issue.record("it was taken")
        } catch {
            let lines = error.problems.map(\.description)
            #expect(lines.count == 2)
            #expect(lines[0].contains("did you mean bestFit?") && lines[1].contains("no node x"))
        }
    }
}
