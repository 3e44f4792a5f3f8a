import GPUBackend
import Primitives
import Synchronization
import Testing

@testable import SoftwareBackend

@Suite("Stream memory operations") struct StreamMemoryTests {
    private func wait(_ address: UInt64, _ value: UInt64, _ comparison: StreamMemoryOperation.Comparison = .equal)
        -> StreamMemoryOperation
    {
        .wait(address: address, value: value, byteCount: 4, comparison: comparison)
    }

    private func write(_ address: UInt64, _ value: UInt64) -> StreamMemoryOperation {
        .write(address: address, value: value, byteCount: 4)
    }

    @Test("a waiting stream holds no other stream back, and goes on when the value is there")
    func wait() throws {
        let machine = try Machine()
        let words = try machine.allocate(512)
        try machine.write([0, 0, 0, 0], to: words)
        let waiting = try machine.context.makeStream(flags: 1, priority: 0)
        let other = try machine.context.makeStream(flags: 1, priority: 0)
        try waiting.perform([wait(words, 7), write(words + 4, 1)])
        try other.perform([write(words + 8, 2)])
        try other.synchronize()
        #expect(try machine.read(4, from: words) == [0, 0, 2, 0])
        #expect(try !waiting.isIdle())
        #expect(try other.isIdle())
        try other.perform([write(words, 7)])
        try waiting.synchronize()
        #expect(try machine.read(4, from: words) == [7, 1, 2, 0])
    }

    @Test("an event of a waiting stream holds back who waits for it")
    func events() throws {
        let machine = try Machine()
        let words = try machine.allocate(512)
        try machine.write([0, 0, 0], to: words)
        let first = try machine.context.makeStream(flags: 1, priority: 0)
        let second = try machine.context.makeStream(flags: 1, priority: 0)
        let third = try machine.context.makeStream(flags: 1, priority: 0)
        let event = try machine.context.makeEvent(flags: 0)
        try first.perform([wait(words, 1), write(words + 4, 5)])
        try event.record(on: first)
        try second.wait(for: event)
        try second.copy(
            from: MemoryBox(address: words + 4, byteCount: 4), to: MemoryBox(address: words + 8, byteCount: 4))
        #expect(try !event.isComplete())
        #expect(try !second.isIdle())
        try third.perform([write(words, 1)])
        try second.synchronize()
        #expect(try event.isComplete())
        #expect(try machine.read(3, from: words) == [1, 5, 5])
    }

    @Test("the default stream is in order with the streams that did not opt out")
    func defaultStream() throws {
        let machine = try Machine()
        let words = try machine.allocate(512)
        try machine.write([0, 0, 0], to: words)
        let ordered = try machine.context.makeStream(flags: 0, priority: 0)
        let free = try machine.context.makeStream(flags: 1, priority: 0)
        try ordered.perform([wait(words, 1)])
        try machine.stream.perform([write(words + 4, 9)])
        let later = try machine.context.makeStream(flags: 0, priority: 0)
        try later.perform([write(words + 8, 9)])
        try free.perform([.barrier])
        try free.synchronize()
        #expect(try !machine.stream.isIdle())
        #expect(try !later.isIdle())
        try free.perform([write(words, 1)])
        try later.synchronize()
        #expect(try machine.read(3, from: words) == [1, 9, 9])
    }

    @Test("waiting for a context is waiting for its waiting streams")
    func context() throws {
        let machine = try Machine()
        let words = try machine.allocate(512)
        try machine.write([0, 0], to: words)
        let waiting = try machine.context.makeStream(flags: 1, priority: 0)
        let other = try machine.context.makeStream(flags: 1, priority: 0)
        try waiting.perform([wait(words, 3, .cyclicallyNotLess), write(words + 4, 1)])
        let thread = OSThread.start("test") {
            try? other.perform([.write(address: words, value: 2, byteCount: 4)])
            try? other.perform([.write(address: words, value: 4, byteCount: 4)])
        }
        try machine.context.synchronize()
        thread?.join()
        #expect(try machine.read(2, from: words) == [4, 1])
    }

    @Test("memory is freed after the work of a waiting stream, and its addresses live again only then")
    func release() throws {
        let machine = try Machine()
        let words = try machine.allocate(512)
        let freed = try machine.allocate(512)
        try machine.write([0], to: words)
        let waiting = try machine.context.makeStream(flags: 1, priority: 0)
        let other = try machine.context.makeStream(flags: 1, priority: 0)
        try waiting.perform([wait(words, 1), write(freed, 1)])
        machine.session.release(address: freed, for: machine.context)
        try other.perform([write(words, 1)])
        try machine.session.commit(address: freed, byteCount: 512, kind: .device, for: machine.context)
        try machine.context.synchronize()
        #expect(machine.context.takeDeferredError() == nil)
        #expect(try machine.read(1, from: freed) == [0])
    }

    @Test(
        "words compare as CUDA says",
        arguments: [
            (StreamMemoryOperation.Comparison.cyclicallyNotLess, 5, 5, true), (.cyclicallyNotLess, 4, 5, false),
            (.cyclicallyNotLess, 0, 0xFFFF_FFFF, true), (.cyclicallyNotLess, 0x8000_0000, 1, true),
            (.equal, 5, 5, true), (.equal, 5, 6, false), (.anyBit, 6, 4, true), (.anyBit, 6, 1, false),
            (.anyBitClear, 0xFFFF_FFF0, 0xF, false), (.anyBitClear, 0xFFFF_FFF0, 7, true),
        ] as [(StreamMemoryOperation.Comparison, UInt32, UInt64, Bool)])
    func comparison(
        _ comparison: StreamMemoryOperation.Comparison, _ word: UInt32, _ value: UInt64, _ holds: Bool
    ) throws {
        let machine = try Machine()
        let words = try machine.allocate(512)
        try machine.write([word], to: words)
        let waiting = try machine.context.makeStream(flags: 1, priority: 0)
        let other = try machine.context.makeStream(flags: 1, priority: 0)
        try waiting.perform([wait(words, value, comparison)])
        try other.perform([.barrier])
        try other.synchronize()
        #expect(try waiting.isIdle() == holds)
        machine.session.cancel()
    }

    @Test("words of 64 bits compare whole")
    func wide() throws {
        let machine = try Machine()
        let words = try machine.allocate(512)
        try machine.write([1, 0], to: words)
        let waiting = try machine.context.makeStream(flags: 1, priority: 0)
        try waiting.perform([.wait(address: words, value: 1 << 32, byteCount: 8, comparison: .cyclicallyNotLess)])
        let other = try machine.context.makeStream(flags: 1, priority: 0)
        try other.perform([.barrier])
        try other.synchronize()
        #expect(try !waiting.isIdle())
        try other.perform([.write(address: words, value: 1 << 32, byteCount: 8)])
        try waiting.synchronize()
        #expect(try machine.read(2, from: words) == [0, 1])
    }

    @Test("the end of a session ends a wait")
    func cancel() throws {
        let machine = try Machine()
        let words = try machine.allocate(512)
        try machine.write([0], to: words)
        let waiting = try machine.context.makeStream(flags: 1, priority: 0)
        try waiting.perform([wait(words, 1)])
        let session = machine.session
        let thread = OSThread.start("test") { session.cancel() }
        #expect(throws: BackendError.self) { try waiting.synchronize() }
        thread?.join()
    }

    @Test("a word outside live memory is the context's error")
    func gone() throws {
        let machine = try Machine()
        let waiting = try machine.context.makeStream(flags: 1, priority: 0)
        try waiting.perform([wait(arena.base + (1 << 30), 1)])
        #expect(throws: BackendError.self) { try waiting.synchronize() }
        #expect(machine.context.takeDeferredError()?.status == BackendStatus.illegalAddress)
    }
}
