import GPUTestKit
import Testing
import Transport
import WireProtocol

@testable import WorkerCore

@Suite struct HostFunctionTests {
    @Test("an answer that nobody waits for is a fault, but not once the session ends")
    func lateAnswer() throws {
        let fixture = WorkerFixture()
        let queue = HostFunctionQueue()
        let connection = try fixture.connect()
        defer { connection.close() }
        var executor = EventsExecutor(hostFunctions: queue, connection: connection)
        let header = CommandHeader(id: HostFunctionDone.id, flags: 0, payloadByteCount: 8)
        let answer: [UInt8] = [7, 0, 0, 0, 0, 0, 0, 0]
        #expect(throws: LaneEnd.violation(.badValue, commandID: HostFunctionDone.id)) {
            try answer.withUnsafeBytes { try executor.execute(header, payload: $0, sequence: 1) }
        }
        queue.cancel()
        #expect(throws: LaneEnd.closed) {
            try answer.withUnsafeBytes { try executor.execute(header, payload: $0, sequence: 2) }
        }
    }
}
