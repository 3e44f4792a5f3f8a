import GPUBackend
import GPUTestKit
import Primitives
import Synchronization
import Testing

// One at a time: a fault spoils more than its own context where a driver is shared.
@Suite("What every backend keeps", .serialized)
struct ContractTests {
    @Test("a kernel reads and writes device memory", arguments: Kind.allCases)
    func add(_ kind: Kind) throws {
        let machine = try Machine(kind)
        let module = try machine.module(TestKernels.add)
        #expect(module.kernelNames == [Array("add".utf8)])
        let add = try machine.function("add", of: module)
        #expect(add.parameters.map { $0.offset } == [0, 8, 16, 24])
        #expect(add.parameters.map { $0.byteCount } == [8, 8, 8, 4])
        #expect(add.attributes[0] == 1024)
        let places = try (0..<3).map { _ in try machine.allocate(4000) }
        try machine.write((0..<1000).map { $0 }, to: places[0])
        try machine.write((0..<1000).map { $0 * 10 }, to: places[1])
        try machine.launch(add, grid: 8, block: 128, isCooperative: true, places + [1000])
        #expect(try machine.read(1000, from: places[2]) == (0..<1000).map { $0 * 11 })
    }

    @Test("copies longer than any piece of staging memory arrive whole", arguments: Kind.allCases)
    func longCopies(_ kind: Kind) throws {
        let machine = try Machine(kind)
        let count = (21 << 20) / 4 + 3
        let place = try machine.allocate(UInt64(count * 4))
        let values = (0..<count).map { UInt32(truncatingIfNeeded: $0 &* 2_654_435_761) }
        try machine.write(values, to: place)
        #expect(try machine.read(count, from: place) == values)
    }

    @Test("copies go on where a context's copies were under way when it ended", arguments: Kind.allCases)
    func copiesOutliveContexts(_ kind: Kind) throws {
        let machine = try Machine(kind)
        let count = (9 << 20) / 4
        let places = try (0..<3).map { _ in try machine.allocate(UInt64(count * 4)) }
        let values = (0..<count).map { UInt32(truncatingIfNeeded: $0 &* 2_654_435_761) }
        // More bytes than there is staging memory, and what a context has lent is only taken back when it is needed.
        for place in places {
            let other = try machine.session.makeContext(flags: 0)
            try machine.write(values, to: MemoryBox(address: place, byteCount: UInt64(count * 4)), in: other)
            other.destroy()
        }
        for place in places { #expect(try machine.read(count, from: place) == values) }
    }

    /// Writes a box full of one byte and looks whether just that comes back.
    private static func hasOwnBytes(_ byte: UInt8, _ stream: any BackendStream, _ box: MemoryBox) -> Bool {
        try? stream.copyToDevice(box) { buffer in
            buffer.initializeMemory(as: UInt8.self, repeating: byte)
            return true
        }
        var byteCount: UInt64 = 0
        try? stream.copyFromDevice(box) { piece in
            if piece.allSatisfy({ $0 == byte }) { byteCount += UInt64(piece.count) }
            return true
        }
        return byteCount == box.width
    }

    @Test("several streams copy at once, and each gets its own bytes", arguments: Kind.allCases)
    func copiesAtOnce(_ kind: Kind) throws {
        let machine = try Machine(kind)
        let count = 5 << 20
        let streams = try (0..<4).map { _ in try machine.context.makeStream(flags: 1, priority: 0) }
        let places = try (0..<4).map { _ in try machine.allocate(UInt64(count)) }
        let rightCount = Atomic(0)
        let threads = (0..<4).compactMap { index in
            let (stream, box) = (streams[index], MemoryBox(address: places[index], byteCount: UInt64(count)))
            return OSThread.start("test") {
                for round in 0..<3 as Range<UInt8> {
                    let isRight = ContractTests.hasOwnBytes(UInt8(index) + 16 * round, stream, box)
                    if isRight { rightCount.add(1, ordering: .relaxed) }
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(rightCount.load(ordering: .relaxed) == 12)
    }

    @Test("boxes keep their rows and slices apart", arguments: Kind.allCases)
    func boxes(_ kind: Kind) throws {
        let machine = try Machine(kind)
        let place = try machine.allocate(64 << 10)
        try machine.stream.fill(MemoryBox(address: place, byteCount: 64 << 10), elementByteCount: 4, value: 9)
        let box = MemoryBox(address: place + 16, pitch: 256, slicePitch: 4096, width: 8, height: 3, depth: 2)
        try machine.write((1...12).map { $0 }, to: box)
        #expect(try machine.read(box) == (1...12).map { $0 })
        #expect(try machine.read(3, from: place + 12) == [9, 1, 2])
        #expect(try machine.read(2, from: place + 16 + 256) == [3, 4])
        #expect(try machine.read(2, from: place + 16 + 4096) == [7, 8])
        let dense = MemoryBox(address: place + 32768, pitch: 8, slicePitch: 24, width: 8, height: 3, depth: 2)
        try machine.stream.copy(from: box, to: dense)
        #expect(try machine.read(12, from: place + 32768) == (1...12).map { $0 })
        let row = MemoryBox(address: place + 16, pitch: 256, slicePitch: 0, width: 8, height: 2, depth: 1)
        try machine.stream.fill(row, elementByteCount: 2, value: 0x0102)
        #expect(try machine.read(box) == [0x1020102, 0x1020102, 0x1020102, 0x1020102] + (5...12).map { $0 })
    }

    @Test("a module's variable keeps its value between launches and has an address", arguments: Kind.allCases)
    func globals(_ kind: Kind) throws {
        let machine = try Machine(kind)
        let module = try machine.module(TestKernels.counter)
        let next = try machine.function("next", of: module)
        let target = try machine.allocate(4)
        try machine.launch(next, [target])
        try machine.launch(next, [target])
        #expect(try machine.read(1, from: target) == [43])
        let global = try #require(module.globals.first { $0.name == Array("counter".utf8) })
        #expect(global.byteCount == 4)
        #expect(try machine.read(1, from: global.address) == [43])
    }

    @Test("memory that was released serves again, alone and in numbers", arguments: Kind.allCases)
    func reuse(_ kind: Kind) throws {
        let machine = try Machine(kind)
        let base = machine.session.arena.base
        for round in 0..<40 as Range<UInt32> {
            let places = (0..<20).map { base + 4096 + $0 * 700_416 }
            for place in places {
                try machine.session.commit(address: place, byteCount: 600_000, kind: .device, for: machine.context)
                try machine.stream.fill(
                    MemoryBox(address: place, byteCount: 600_000), elementByteCount: 4, value: round)
            }
            #expect(try machine.read(1, from: places[19] + 599_996) == [round])
            for place in places { machine.session.release(address: place, for: machine.context) }
        }
        #expect(machine.context.takeDeferredError() == nil)
    }

    @Test("ranges outside of live memory are refused", arguments: Kind.allCases)
    func badRanges(_ kind: Kind) throws {
        let machine = try Machine(kind)
        let (session, context) = (machine.session, machine.context)
        let place = try machine.allocate(8192)
        let arena = session.arena
        func commit(_ address: UInt64, _ byteCount: UInt64) -> Int32? {
            status {
                try session.commit(address: address, byteCount: byteCount, kind: .device, for: context)
                try context.synchronize()
                if let error = context.takeDeferredError() { throw error }
            }
        }
        #expect(commit(arena.base + arena.byteCount, 512) == BackendStatus.invalidValue)
        #expect(commit(arena.base + arena.byteCount - 512, 1024) == BackendStatus.invalidValue)
        #expect(commit(arena.base, 0) == BackendStatus.invalidValue)
        #expect(commit(place + 512, 512) == BackendStatus.invalidValue)
        #expect(status { _ = try machine.read(1, from: place + (64 << 20)) } == BackendStatus.invalidValue)
        #expect(status { _ = try machine.read(8192, from: place) } == BackendStatus.invalidValue)
        let overlapping = MemoryBox(address: place, pitch: 1, slicePitch: 0, width: 2, height: 2, depth: 1)
        #expect(status { _ = try machine.read(overlapping) } == BackendStatus.invalidValue)
        #expect(context.fatalError == nil)
    }

    @Test("streams wait for events of other streams and for host functions", arguments: Kind.allCases)
    func order(_ kind: Kind) throws {
        let host = Host(isOpen: false)
        let machine = try Machine(kind, host: host)
        let target = try machine.allocate(512)
        let first = try machine.context.makeStream(flags: 1, priority: 0)
        let second = try machine.context.makeStream(flags: 1, priority: 0)
        let (before, after) = (try machine.context.makeEvent(flags: 0), try machine.context.makeEvent(flags: 0))
        try before.record(on: first)
        try first.hostFunction(token: 5)
        try after.record(on: first)
        try second.wait(for: after)
        try second.fill(MemoryBox(address: target, byteCount: 512), elementByteCount: 1, value: 3)
        #expect(try after.isComplete() == false)
        #expect(try second.isIdle() == false)
        #expect(status { _ = try before.milliseconds(until: after) } == BackendStatus.notReady)
        host.open()
        try second.synchronize()
        #expect(try after.isComplete() && second.isIdle())
        #expect(try before.milliseconds(until: after) >= 0)
        #expect(host.tokens.withLock { $0 } == [5])
        #expect(try machine.read(1, from: target) == [0x0303_0303])
        first.destroy()
        second.destroy()
        try machine.context.synchronize()
    }

    @Test("a bad address ends the context for good, and another one works", arguments: Kind.allCases)
    func fault(_ kind: Kind) throws {
        let machine = try Machine(kind)
        let poke = try machine.function("poke", of: machine.module(TestKernels.poke))
        try machine.launch(poke, [machine.session.arena.base + machine.session.arena.byteCount - 4])
        #expect(status { try machine.stream.synchronize() } == BackendStatus.illegalAddress)
        #expect(machine.context.takeDeferredError()?.status == BackendStatus.illegalAddress)
        #expect(machine.context.takeDeferredError()?.status == BackendStatus.illegalAddress)
        #expect(status { try machine.launch(poke, [machine.session.arena.base]) } == BackendStatus.illegalAddress)
        let other = try machine.session.makeContext(flags: 0)
        #expect(other.fatalError == nil)
        try other.synchronize()
    }

    @Test("a session that is cancelled takes no more work", arguments: Kind.allCases)
    func cancel(_ kind: Kind) throws {
        let machine = try Machine(kind)
        let spin = try machine.function("spin", of: machine.module(TestKernels.spin))
        try machine.stream.synchronize()
        machine.session.cancel()
        #expect(status { try machine.launch(spin) } == BackendStatus.deinitialized)
    }

    @Test("images that are no PTX, wrong PTX and unknown kernels have errors of their own", arguments: Kind.allCases)
    func badImages(_ kind: Kind) throws {
        let machine = try Machine(kind)
        #expect(status { _ = try machine.module("hello") } == BackendStatus.invalidImage)
        let bad = TestKernels.poke.replacing("st.global.u32 [%rd1]", with: "st.global.u32 [%rd9]")
        #expect(status { _ = try machine.module(bad) } == BackendStatus.invalidPTX)
        let module = try machine.module(TestKernels.poke)
        #expect(status { _ = try machine.function("nobody", of: module) } == BackendStatus.notFound)
        #expect(status { try machine.launch(try machine.function("poke", of: module), block: 1025, [0]) } == 1)
    }
}
