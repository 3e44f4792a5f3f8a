import GPUBackend
import Synchronization
import Testing

@testable import SoftwareBackend

/// Reading memory beside what the engine does.
@Suite("Peeking")
struct PeekTests {
    private func peek(_ machine: Machine, _ address: UInt64, _ count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        let stream = try machine.context.makeStream(flags: 1, priority: 0)
        try stream.peek(MemoryBox(address: address, byteCount: UInt64(count))) { piece in
            bytes.append(contentsOf: piece)
            return true
        }
        return bytes
    }

    @Test("Bytes can be read while the engine waits for a host function", .timeLimit(.minutes(1)))
    func duringHostFunction() async throws {
        let host = Host(isOpen: false)
        let machine = try Machine(host: host)
        let address = try machine.allocate(4096)
        try machine.write([7, 8, 9], to: address)
        try machine.stream.hostFunction(token: 1)
        while host.tokens.withLock({ $0.isEmpty }) { await Task.yield() }
        #expect(try peek(machine, address + 4, 4) == [8, 0, 0, 0])
        host.open()
        try machine.stream.synchronize()
    }

    @Test("Bytes can be read while a lane receives a copy's bytes", .timeLimit(.minutes(1)))
    func duringCopy() throws {
        let machine = try Machine()
        let address = try machine.allocate(4096)
        let other = try machine.allocate(4096)
        try machine.write([5], to: address)
        var seen: [UInt8] = []
        try machine.stream.copyToDevice(MemoryBox(address: other, byteCount: 4096)) { buffer in
            seen = (try? peek(machine, address, 1)) ?? []
            return false
        }
        #expect(seen == [5])
    }

    @Test("What is not live can't be read")
    func outside() throws {
        let machine = try Machine()
        let address = try machine.allocate(512)
        #expect(throws: BackendError.self) { try peek(machine, address, 1024) }
        #expect(throws: BackendError.self) { try peek(machine, 64, 8) }
    }
}
