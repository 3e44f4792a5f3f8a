import ArgumentParser
import FleetClient
import FleetModel
import Foundation
import Testing

@testable import CLICommands

@Suite("Commands that show the pool")
struct ViewCommandTests {
    private func fleet() async throws -> FakeControlPlane {
        let plane = FakeControlPlane()
        var train = WorkloadSpec()
        train.replicas = 2
        train.resources = DeviceRequest(
            devices: 2, compute: Bounds(.percent(50)),
            memory: Bounds(request: MemoryQuantity(mebibytes: 4096), limit: MemoryQuantity(mebibytes: 8192)))
        var status = WorkloadStatus()
        status.waiting = "no device has 8GiB free"
        status.waitingSince = Timestamp(milliseconds: 940_000)
        status.conditions = [
            Condition(
                "Scheduled", .no, reason: "NoRoom", message: "No device has room.",
                since: Timestamp(milliseconds: 940_000))
        ]
        var metadata = Metadata(name: "train", project: "default", labels: ["team": "a"])
        metadata.createdAt = Timestamp(milliseconds: 900_000)
        _ = try await plane.put(
            ResourceDocument(Resource(metadata, train, status: status)), revision: nil, isDryRun: false)
        var serving = WorkloadStatus()
        serving.phase = .running
        serving.ready = 1
        _ = try await plane.put(
            ResourceDocument(Resource(Metadata(name: "serve", project: "other"), WorkloadSpec(), status: serving)),
            revision: nil, isDryRun: false)
        var event = EventSpec(
            about: ResourceReference(kind: .workload, name: "train"), level: .warning, reason: "NoRoom",
            message: "No device has room.", at: Timestamp(milliseconds: 990_000))
        event.count = 3
        _ = try await plane.put(
            ResourceDocument(Resource(Metadata(name: "e1", project: "default"), event)), revision: nil, isDryRun: false)
        return plane
    }

    private func get(_ plane: FakeControlPlane, _ arguments: String...) async throws -> Streams {
        let streams = Streams()
        let command = try #require(try RoostCommand.parseAsRoot(["get"] + arguments) as? GetCommand)
        try await command.perform(streams.session(plane))
        return streams
    }

    @Test("get shows a table of the project's, or of all projects'")
    func tables() async throws {
        let plane = try await fleet()
        #expect(
            try await get(plane, "workloads").lines == [
                """
                NAME   PHASE    READY  POOL  QOS  DEVICES  COMPUTE      MEMORY  QUEUE  WAITS    AGE
                train  Pending    0/2  -     -          2      50%  4GiB..8GiB      -   1m0s  1m40s
                """
            ])
        #expect(
            try await get(plane, "wl", "-A").lines == [
                """
                PROJECT  NAME   PHASE    READY  POOL  QOS  DEVICES  COMPUTE      MEMORY  QUEUE  WAITS    AGE
                default  train  Pending    0/2  -     -          2      50%  4GiB..8GiB      -   1m0s  1m40s
                other    serve  Running    1/1  -     -          1        -           -      -      -      -
                """
            ])
        let wide = try await get(plane, "workload/train", "-o", "wide").lines
        #expect(wide.first?.contains("no device has 8GiB free") == true)
        #expect(try await get(plane, "pools").notes == ["There are no pools."])
    }

    @Test("get writes names, YAML and JSON")
    func formats() async throws {
        let plane = try await fleet()
        #expect(try await get(plane, "workloads", "-o", "name").lines == ["workload/train"])
        let yaml = try await get(plane, "workload", "train", "-o", "yaml").lines
        #expect(yaml.first?.hasPrefix("apiVersion: roost/v1\nkind: Workload\nmetadata:\n  name: train\n") == true)
        let one = try await get(plane, "workload", "train", "-o", "json").lines
        let value = try JSONDecoder().decode(JSONValue.self, from: Data(one.joined().utf8))
        #expect(value["spec"]?["replicas"] == 2)
        let list = try await get(plane, "workloads", "-o", "json").lines
        let items = try JSONDecoder().decode(JSONValue.self, from: Data(list.joined().utf8))
        #expect(items["kind"] == "WorkloadList" && items["items"]?.elements?.count == 1)
    }

    @Test("Each kind has a table")
    func everyKind() {
        for kind in ResourceKind.allCases {
            let table = ResourceListing(kind: kind, isWide: true, now: Timestamp(milliseconds: 0)).table([])
            #expect(table.columns.count > 4, "\(kind)")
        }
    }

    @Test("A watch writes changes that fit, and begins again where it fell behind")
    func watch() async throws {
        let plane = try await fleet()
        let item = try #require(try await plane.get(ResourceReference(kind: .workload, name: "train")))
        let other = try ResourceDocument(Resource(Metadata(name: "x", project: "default"), WorkloadSpec()))
        plane.willChange([])
        plane.willChange([.put(other), .put(item), .progress(9), .deleted(item.reference, revision: 10)])
        let streams = try await get(plane, "workloads", "-l", "team=a", "-o", "name", "--watch")
        #expect(streams.lines == ["workload/train", "workload/train", "workload/train deleted"])
        #expect(plane.requests.filter { $0.hasPrefix("watch") }.count == 2)
        #expect(plane.requests.filter { $0.hasPrefix("list workloads default team=a") }.count == 2)
    }

    @Test("What is not there says how to find what is")
    func missing() async throws {
        let plane = try await fleet()
        let error = await #expect(throws: CommandFailure.self) { _ = try await get(plane, "workload", "tran") }
        #expect(
            error?.message
                == "There is no workload/tran in project default. `roost get workloads -p default` lists those that "
                + "there are.")
    }

    @Test("describe shows head, spec, status, conditions and events")
    func describe() async throws {
        let streams = Streams()
        let command = try #require(try RoostCommand.parseAsRoot(["describe", "wl/train"]) as? DescribeCommand)
        try await command.perform(streams.session(try await fleet()))
        #expect(
            streams.lines == [
                """
                Workload train
                  Project: default
                  Labels: team=a
                  Created: 1970-01-01T00:15:00Z (1m40s ago)

                Spec:
                  replicas: 2
                  resources:
                    devices: 2
                    compute: 50%
                    memory:
                      request: 4GiB
                      limit: 8GiB

                Status:
                  phase: Pending
                  placed: 0
                  ready: 0
                  waiting: no device has 8GiB free
                  waitingSince: "1970-01-01T00:15:40Z"

                Conditions:
                  TYPE       STATUS  REASON  SINCE  MESSAGE
                  Scheduled  False   NoRoom   1m0s  No device has room.

                Events:
                  LAST  LEVEL    ABOUT           REASON  COUNT  MESSAGE
                   10s  Warning  workload/train  NoRoom      3  No device has room.
                """
            ])
        #expect(streams.notes == ["It waits: `roost why train` says what for."])
    }

    @Test("why gives the verdict, the reasons, the nearest fit and what would help")
    func why() async throws {
        var answer = Explanation(
            workload: ResourceReference(kind: .workload, name: "train"), phase: .pending,
            verdict: "No device has 80GiB.")
        answer.queuePosition = 3
        answer.reasons = [.init(reason: "vram", message: "too little memory", devices: 8)]
        var missing = ResourceAmounts()
        missing.memory = MemoryQuantity(mebibytes: 40 * 1024)
        answer.nearest = .init(node: "gpu-7", device: "gpu-0", missing: missing)
        answer.remedies = ["Ask for at most 40GiB."]
        let streams = Streams()
        let command = try #require(try RoostCommand.parseAsRoot(["why", "train"]) as? WhyCommand)
        try await command.perform(streams.session(FakeControlPlane(why: answer)))
        #expect(
            streams.lines == [
                """
                train is Pending. No device has 80GiB.
                It stands at place 3 of the queue.

                Passed over:
                DEVICES  REASON  MEANING
                      8  vram    too little memory

                Nearest fit: gpu-0 of gpu-7 lacks 40GiB of memory.

                What would help:
                - Ask for at most 40GiB.
                """
            ])
    }

    @Test("cordon, drain and uncordon change a node's wishes")
    func nodes() async throws {
        let plane = FakeControlPlane()
        let reference = ResourceReference(kind: .node, name: "n")
        _ = try await plane.put(
            ResourceDocument(Resource(Metadata(name: "n"), NodeSpec())), revision: nil, isDryRun: false)
        func spec() async throws -> NodeSpec? { try await plane.get(reference)?.resource(NodeSpec.self).spec }
        let streams = Streams()
        let session = streams.session(plane)
        try await #require(try RoostCommand.parseAsRoot(["cordon", "n"]) as? CordonCommand).perform(session)
        #expect(try await spec()?.unschedulable == true)
        try await #require(try RoostCommand.parseAsRoot(["drain", "n"]) as? DrainCommand).perform(session)
        #expect(try await spec()?.drain == true)
        try await #require(try RoostCommand.parseAsRoot(["uncordon", "n"]) as? UncordonCommand).perform(session)
        #expect(try await spec() == NodeSpec())
        #expect(streams.lines == ["node/n cordoned", "node/n drains", "node/n uncordoned"])
        await #expect(throws: CommandFailure.missing(ResourceReference(kind: .node, name: "m"))) {
            try await #require(try RoostCommand.parseAsRoot(["cordon", "m"]) as? CordonCommand).perform(session)
        }
    }
}
