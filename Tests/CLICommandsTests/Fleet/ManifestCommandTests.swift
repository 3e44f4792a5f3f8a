import ArgumentParser
import FleetClient
import FleetModel
import Foundation
import Manifests
import Testing

@testable import CLICommands

@Suite("Commands on manifests")
struct ManifestCommandTests {
    private static let two = """
        apiVersion: roost/v1
        kind: Pool
        metadata: {name: main}
        ---
        apiVersion: roost/v1
        kind: Workload
        metadata: {name: train}
        spec: {replicas: 2}
        """

    private func command<Command: ParsableCommand>(_ type: Command.Type, _ arguments: String...) throws -> Command {
        try #require(try RoostCommand.parseAsRoot(arguments) as? Command)
    }

    private func apply(_ text: String, _ plane: FakeControlPlane, _ more: String...) async throws -> Streams {
        let streams = Streams()
        let command = try #require(try RoostCommand.parseAsRoot(["apply", "-f", "-"] + more) as? ApplyCommand)
        try await command.perform(streams.session(plane, input: text))
        return streams
    }

    @Test("apply says what was created, configured and unchanged")
    func verdicts() async throws {
        let plane = FakeControlPlane()
        let first = try await apply(ManifestCommandTests.two, plane)
        #expect(first.lines == ["pool/main created", "workload/train created"])
        let second = try await apply(ManifestCommandTests.two.replacing("replicas: 2", with: "replicas: 3"), plane)
        #expect(second.lines == ["pool/main unchanged", "workload/train configured"])
    }

    @Test("apply --dry-run asks and keeps nothing")
    func dryRun() async throws {
        let plane = FakeControlPlane()
        let streams = try await apply(ManifestCommandTests.two, plane, "--dry-run")
        #expect(streams.lines == ["pool/main created (dry run)", "workload/train created (dry run)"])
        #expect(plane.requests == ["put pool/main dry", "put workload/train dry"])
        #expect(try await plane.list(.pool, project: nil, labels: nil).items.isEmpty)
    }

    @Test("Nothing is sent where one manifest is wrong, and the message names file and line")
    func wrongManifest() async throws {
        let plane = FakeControlPlane()
        let wrong = ManifestCommandTests.two.replacing("replicas: 2", with: "replicas: x")
        let error = await #expect(throws: ManifestReadError.self) { _ = try await apply(wrong, plane) }
        #expect(plane.requests.isEmpty)
        let exit = CommandExit(try #require(error))
        #expect(exit.status == 1)
        #expect(exit.text == "-:8 (document 2): spec.replicas: must be a whole number from 0 to 100000, not \"x\"")
    }

    @Test("apply goes on after a refusal and fails at the end")
    func refusal() async throws {
        let plane = FakeControlPlane()
        plane.refuseOnce(FleetClientError(status: 403, title: "Forbidden", detail: "You need the role poolAdmin."))
        let streams = Streams()
        let command = try command(ApplyCommand.self, "apply", "-f", "-")
        let error = await #expect(throws: CommandFailure.self) {
            try await command.perform(streams.session(plane, input: ManifestCommandTests.two))
        }
        #expect(error?.message == "1 of 2 resources were refused.")
        #expect(streams.lines == ["workload/train created"])
        #expect(
            streams.notes == ["roost: Pool main: You need the role poolAdmin. `roost whoami` shows what you may do."])
    }

    @Test("A manifest with a revision is only taken while it is still that")
    func revision() async throws {
        let plane = FakeControlPlane()
        _ = try await apply(
            ManifestCommandTests.two.replacing("{name: train}", with: "{name: train, revision: 7}"), plane)
        #expect(plane.requests == ["put pool/main", "put workload/train if 7"])
    }

    @Test("delete takes names or manifests, and says what was not there")
    func delete() async throws {
        let plane = FakeControlPlane()
        _ = try await apply(ManifestCommandTests.two, plane)
        let streams = Streams()
        try await command(DeleteCommand.self, "delete", "wl", "train").perform(streams.session(plane))
        #expect(streams.lines == ["workload/train deleted"])
        let error = await #expect(throws: CommandFailure.self) {
            try await command(DeleteCommand.self, "delete", "workload/train").perform(streams.session(plane))
        }
        #expect(error?.message.hasPrefix("There is no workload/train in project default.") == true)
        let last = Streams()
        try await command(DeleteCommand.self, "delete", "-f", "-", "--ignore-missing")
            .perform(last.session(plane, input: ManifestCommandTests.two))
        #expect(last.lines == ["pool/main deleted"])
        #expect(last.notes == ["workload/train was not there"])
    }

    @Test("diff shows lines around what changes, and fails where something does")
    func diff() async throws {
        let plane = FakeControlPlane()
        _ = try await apply(ManifestCommandTests.two, plane)
        let same = Streams()
        try await command(DiffCommand.self, "diff", "-f", "-").perform(
            same.session(plane, input: ManifestCommandTests.two))
        #expect(same.lines.isEmpty)
        let streams = Streams()
        let changed = ManifestCommandTests.two.replacing("replicas: 2", with: "replicas: 3, qos: high")
        await #expect(throws: DiffCommand.differs) {
            try await command(DiffCommand.self, "diff", "-f", "-").perform(streams.session(plane, input: changed))
        }
        #expect(
            streams.lines == [
                "--- now/workload/train", "+++ then/workload/train", "@@ -4 +4 @@", "   name: train",
                "   project: default", " spec:", "-  replicas: 2", "+  replicas: 3", "+  qos: high",
            ])
    }

    @Test("diff shows what is new, even where the control plane can't take it yet")
    func diffOfNew() async throws {
        let plane = FakeControlPlane()
        plane.refuseOnce(FleetClientError(status: 422, title: "Invalid", detail: "There is no Project p."))
        let streams = Streams()
        let text = "{apiVersion: roost/v1, kind: Quota, metadata: {name: q}, spec: {project: p}}"
        await #expect(throws: DiffCommand.differs) {
            try await command(DiffCommand.self, "diff", "-f", "-").perform(streams.session(plane, input: text))
        }
        #expect(streams.lines.first == "--- nothing" && streams.lines.last == "+  project: p")
        #expect(streams.notes == ["roost: Quota q: There is no Project p."])
    }

    @Test("plan shows places, cost and who waits")
    func plan() async throws {
        let train = ResourceReference(kind: .workload, name: "train")
        var placed = Plan.PlannedReplica(workload: train, replica: 0)
        placed.node = "gpu-7"
        placed.devices = ["gpu-0"]
        placed.message = "It would take the place of old."
        var waiting = Plan.PlannedReplica(workload: train, replica: 1)
        waiting.message = "no device has 80GiB"
        var answer = Plan()
        answer.placements = [placed, waiting]
        answer.pricePerHour = 1.5
        answer.currency = "USD"
        let streams = Streams()
        try await command(PlanCommand.self, "plan", "-f", "-").perform(
            streams.session(FakeControlPlane(plan: answer), input: ManifestCommandTests.two))
        #expect(
            streams.lines == [
                """
                WORKLOAD  REPLICA  NODE   DEVICES  NOTES
                train           0  gpu-7  gpu-0    It would take the place of old.
                train           1  waits  -        no device has 80GiB
                """, "Costs 1.50 USD an hour.",
            ])
        #expect(
            streams.notes == ["Plans the workloads alone, with the pool as it is.", "1 of 2 replicas would wait."])
    }

    @Test("edit opens again with the problems until the text is right")
    func edit() async throws {
        let plane = FakeControlPlane()
        _ = try await apply(ManifestCommandTests.two, plane)
        let streams = Streams()
        var seen: [String] = []
        try await command(EditCommand.self, "edit", "workload/train").perform(streams.session(plane)) { text in
            seen.append(text)
            let replicas = seen.count == 1 ? "replicas: many" : "replicas: 5"
            return text.replacing("replicas: 2", with: replicas).replacing("replicas: many", with: replicas)
        }
        #expect(seen.count == 2)
        #expect(seen.last?.hasPrefix("#: This was not taken:\n#:   line 7: spec.replicas: must be") == true)
        #expect(seen.last?.contains("replicas: many") == true)
        #expect(streams.lines == ["workload/train configured"])
        let stored = try await plane.get(ResourceReference(kind: .workload, name: "train"))
        #expect(try stored?.resource(WorkloadSpec.self).spec.replicas == 5)
        #expect(plane.requests.last == "put workload/train if 2")
    }

    @Test("edit changes nothing where nothing was changed, and keeps a rename out")
    func editNothing() async throws {
        let plane = FakeControlPlane()
        _ = try await apply(ManifestCommandTests.two, plane)
        let streams = Streams()
        let edit = try command(EditCommand.self, "edit", "pool", "main")
        try await edit.perform(streams.session(plane)) { $0 }
        #expect(streams.notes == ["Nothing changed."])
        var count = 0
        await #expect(throws: ExitCode(1)) {
            try await edit.perform(streams.session(plane)) { text in
                count += 1
                return text.replacing("name: main", with: "name: other")
            }
        }
        #expect(count == 2)
        #expect(streams.notes.contains { $0.contains("stay Pool main") })
    }

    @Test("convert writes manifests and warns")
    func convert() throws {
        let streams = Streams()
        let text = """
            kind: Pod
            metadata:
              name: p
              labels: {tensor-fusion.ai/enabled: "true"}
              annotations: {tensor-fusion.ai/vram-limit: 4Gi, tensor-fusion.ai/autoscale: "true"}
            """
        try command(ConvertCommand.self, "convert", "-f", "-").perform(streams.console(input: text))
        #expect(streams.lines.joined().contains("memory: 4GiB"))
        #expect(streams.notes.count == 1)
        #expect(throws: CommandFailure.self) {
            try command(ConvertCommand.self, "convert", "-f", "-", "--strict").perform(streams.console(input: text))
        }
    }
}
