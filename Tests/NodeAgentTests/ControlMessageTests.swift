import Foundation
import NodeModel
import Testing

@Suite("Control messages")
struct ControlMessageTests {
    private static let request = GPURequest(
        memory: .gibibytes(2), compute: .whole, count: 2, name: "n", transport: .tcp, program: "p")

    private static let requests: [ControlRequest] = [
        .describe, .report, .release, .shutDown(onlyIfIdle: true), .acquire(request),
    ]

    private static let replies: [ControlReply] = {
        let id = VirtualGPUID(rawValue: "vgpu-1")
        let daemon = DaemonDescription(version: "1", processID: 2, stateDirectory: "/s", startedAt: 3)
        let refusal: LeaseFailure =
            switch Allocator.place(request, on: []) {
            case .failure(let refusal): .noRoom(refusal)
            case .success: .shuttingDown
            }
        let member = GrantedLease.Member(
            id: id, uuid: "u", device: DeviceID(rawValue: "d"), kind: .software, endpoint: "tcp://127.0.0.1:1")
        return [
            .daemon(daemon), .granted(GrantedLease(members: [member], token: "t")), .refused(refusal),
            .refused(.badRequest(message: "m")), .refused(.workerFailed(id, .exited(status: 1))),
            .refused(.shuttingDown), .lost(id, .signaled(signal: 9)), .lost(id, .notStarted(reason: "r")),
            .lost(id, .startTimedOut(seconds: 30)), .report(report(daemon)), .shuttingDown(ending: []), .released,
            .busy(report(daemon).vgpus), .failure(message: "m"),
        ]
    }()

    private static func report(_ daemon: DaemonDescription) -> NodeReport {
        var random = SeededRandom(seed: 1)
        var state = NodeState(
            devices: SoftwareDevices.describe(count: 1, memory: .gibibytes(8), machineMemory: .gibibytes(64)))
        var request = request
        request.count = 1
        _ = state.handle(.requested(LeaseID(rawValue: 1), request, clientProcessID: 5), now: 10, random: &random)
        let measurement = VirtualGPUMeasurement(
            usedMemory: .mebibytes(3), utilizationPercent: 40, commandCount: 5, launchCount: 6,
            processes: [.init(processID: 7, name: "p", usedMemory: .mebibytes(3))])
        let measurements = Dictionary(uniqueKeysWithValues: state.vgpus.keys.map { ($0, measurement) })
        return NodeReport(state: state, measurements: measurements, daemon: daemon, time: 20)
    }

    @Test("A request survives its encoding", arguments: requests)
    func requestRoundTrip(_ request: ControlRequest) throws {
        let bytes = try JSONEncoder().encode(request)
        #expect(!bytes.contains(UInt8(ascii: "\n")), "a message is one line")
        #expect(try JSONDecoder().decode(ControlRequest.self, from: bytes) == request)
    }

    @Test("A reply survives its encoding", arguments: replies)
    func replyRoundTrip(_ reply: ControlReply) throws {
        let bytes = try JSONEncoder().encode(reply)
        #expect(!bytes.contains(UInt8(ascii: "\n")), "a message is one line")
        #expect(try JSONDecoder().decode(ControlReply.self, from: bytes) == reply)
    }

    @Test("A compute share out of range is no message")
    func badShare() {
        #expect(throws: DecodingError.self) { try JSONDecoder().decode(ComputeShare.self, from: Data("0".utf8)) }
        #expect(throws: DecodingError.self) { try JSONDecoder().decode(ComputeShare.self, from: Data("101".utf8)) }
    }

    @Test("Reported numbers carry their units in their names")
    func units() throws {
        let daemon = DaemonDescription(version: "1", processID: 2, stateDirectory: "/s", startedAt: 3)
        let text = String(decoding: try JSONEncoder().encode(ControlMessageTests.report(daemon)), as: UTF8.self)
        for key in ["memoryBytes", "usedMemoryBytes", "computePercent", "allocatedComputePercent", "ageSeconds"] {
            #expect(text.contains("\"\(key)\""), "\(key)")
        }
    }
}
