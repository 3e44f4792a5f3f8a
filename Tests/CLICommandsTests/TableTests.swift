import NodeModel
import Testing

@testable import CLICommands

@Suite("Tables")
struct TableTests {
    private struct Seeded: RandomNumberGenerator {
        var state: UInt64 = 1

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state
        }
    }

    /// A node with a vGPU that works, one that does not answer, and one that starts.
    private static let report: NodeReport = {
        var random = Seeded()
        var state = NodeState(
            devices: SoftwareDevices.describe(count: 2, memory: .gibibytes(8), machineMemory: .gibibytes(64)))
        var ids: [VirtualGPUID] = []
        let wanted: [(String, UInt64, Int)] = [("numba", 512, 30), ("cupy", 4096, 50), ("a.out", 7168, 20)]
        for (index, (name, mebibytes, percent)) in wanted.enumerated() {
            let request = GPURequest(
                memory: .mebibytes(mebibytes), compute: ComputeShare(percent: percent) ?? .whole, name: name,
                program: "python3")
            let lease = LeaseID(rawValue: UInt64(index) + 1)
            let actions = state.handle(
                .requested(lease, request, clientProcessID: 10), now: 1000 + Int64(index), random: &random)
            if case .spawn(let vgpu, _, _) = actions.first { ids.append(vgpu.id) }
        }
        for id in ids.prefix(2) {
            _ = state.handle(.workerReady(id, processID: 77, endpoints: []), now: 1003, random: &random)
        }
        let measurement = VirtualGPUMeasurement(
            usedMemory: .mebibytes(128), utilizationPercent: 42, commandCount: 9, launchCount: 1234,
            processes: [
                .init(processID: 4242, name: "python3", usedMemory: .mebibytes(100)),
                .init(processID: 4243, name: "python3", usedMemory: .mebibytes(28)),
            ])
        let daemon = DaemonDescription(version: "0.1.0", processID: 1, stateDirectory: "/s", startedAt: 900)
        let report = NodeReport(
            state: state, measurements: [ids[0]: measurement], daemon: daemon, time: 1070)
        return renamed(report)
    }()

    /// Drawn names would make the expected text depend on the generator.
    private static func renamed(_ report: NodeReport) -> NodeReport {
        var report = report
        for index in report.vgpus.indices { report.vgpus[index].id = VirtualGPUID(rawValue: "vgpu-000\(index)") }
        return report
    }

    @Test("ps shows who uses what")
    func vgpus() {
        #expect(
            NodeTables.vgpus(TableTests.report.vgpus).text == """
                ID         NAME   DEVICE      STATE                  VRAM  COMPUTE  UTIL  PIDS       PROGRAM    AGE
                vgpu-0000  numba  software-0  running   128 MiB / 512 MiB     30 %  42 %  4242,4243  python3  1m10s
                vgpu-0001  cupy   software-0  running           - / 4 GiB     50 %     -  -          python3   1m9s
                vgpu-0002  a.out  software-1  starting          - / 7 GiB     20 %     -  -          python3   1m8s
                """)
    }

    @Test("devices shows what is taken")
    func devices() {
        #expect(
            NodeTables.devices(TableTests.report.devices).text == """
                DEVICE      NAME                 VRAM  ALLOCATED     USED  COMPUTE ALLOCATED  VGPUS
                software-0  Roost Software GPU  8 GiB    4.5 GiB  128 MiB               80 %      2
                software-1  Roost Software GPU  8 GiB      7 GiB      0 B               20 %      1
                """)
    }

    @Test("top shows bars")
    func top() {
        #expect(
            TopView(TableTests.report).text == """
                Roost 0.1.0  up 2m50s  2 devices  3 vGPUs

                DEVICE      VRAM ALLOCATED                COMPUTE ALLOCATED  USED
                software-0  [######----] 4.5 GiB / 8 GiB  [########--] 80 %  128 MiB
                software-1  [#########-] 7 GiB / 8 GiB    [##--------] 20 %  0 B

                VGPU       NAME   UTIL               VRAM                            COMPUTE  \
                LAUNCHES  PIDS       STATE       AGE
                vgpu-0000  numba  [####------] 42 %  [###-------] 128 MiB / 512 MiB     30 %  \
                    1234  4242,4243  running   1m10s
                vgpu-0001  cupy   -                  [----------] - / 4 GiB             50 %  \
                       -  -          running    1m9s
                vgpu-0002  a.out  -                  [----------] - / 7 GiB             20 %  \
                       -  -          starting   1m8s
                """)
    }

    @Test(
        "A bar shows at least one place for anything above nothing",
        arguments: [(0, 0), (1, 1), (49, 1), (51, 1), (500, 5), (1000, 10), (5000, 10)] as [(UInt64, Int)])
    func bars(_ part: UInt64, _ filled: Int) {
        #expect(TopView.bar(part, of: 1000).filter { $0 == "#" }.count == filled)
        #expect(TopView.bar(part, of: 1000).count == 12)
        #expect(TopView.bar(1, of: 0).count == 12)
    }

    @Test(
        "An age has its two largest units",
        arguments: [
            (0, "0s"), (59, "59s"), (60, "1m0s"), (3599, "59m59s"), (3600, "1h0m"), (86_399, "23h59m"),
            (90_000, "1d1h"),
        ] as [(Int64, String)])
    func ages(_ seconds: Int64, _ text: String) {
        #expect(NodeTables.age(seconds) == text)
    }

    @Test("Characters that would move the cursor are replaced")
    func controlCharacters() {
        let table = Table(columns: [.words("A"), .numbers("B")], rows: [["x\u{1B}[2J\u{9B}é", "1"], ["y"]])
        #expect(table.text == "A        B\nx?[2J?é  1\ny")
    }

    @Test("An empty list is its titles")
    func empty() {
        #expect(NodeTables.vgpus([]).text == "ID  NAME  DEVICE  STATE  VRAM  COMPUTE  UTIL  PIDS  PROGRAM  AGE")
    }
}
