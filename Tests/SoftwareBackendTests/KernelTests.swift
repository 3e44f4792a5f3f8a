import GPUBackend
import GPUTestKit
import Primitives
import Synchronization
import Testing

@testable import SoftwareBackend

@Suite struct KernelTests {
    @Test("a kernel reads and writes device memory")
    func add() throws {
        let machine = try Machine()
        let module = try machine.module(TestKernels.add)
        #expect(module.kernelNames == [Array("add".utf8)])
        let add = try machine.function("add", of: module)
        #expect(add.parameters.map { $0.offset } == [0, 8, 16, 24])
        #expect(add.parameters.map { $0.byteCount } == [8, 8, 8, 4])
        let places = try (0..<3).map { _ in try machine.allocate(4000) }
        try machine.write((0..<1000).map { $0 }, to: places[0])
        try machine.write((0..<1000).map { $0 * 10 }, to: places[1])
        try machine.launch(add, grid: 8, block: 128, places + [1000])
        #expect(try machine.read(1000, from: places[2]) == (0..<1000).map { $0 * 11 })
    }

    @Test("a module's variable keeps its value between launches and has an address")
    func globals() throws {
        let machine = try Machine()
        let module = try machine.module(TestKernels.counter)
        let next = try machine.function("next", of: module)
        let target = try machine.allocate(4)
        try machine.launch(next, [target])
        try machine.launch(next, [target])
        #expect(try machine.read(1, from: target) == [43])
        let global = try #require(module.globals.first)
        #expect(global.name == Array("counter".utf8) && global.byteCount == 4)
        #expect(try machine.read(1, from: global.address) == [43])
    }

    @Test("output of printf reaches the host before a synchronization ends")
    func printf() throws {
        let machine = try Machine()
        let hello = try machine.function("hello", of: machine.module(TestKernels.hello))
        try machine.launch(hello, [42])
        try machine.context.synchronize()
        #expect(machine.host.printed.withLock { String(decoding: $0, as: UTF8.self) } == "value 42\n")
    }

    @Test("a bad address ends the context for good and says where it happened")
    func fault() throws {
        let machine = try Machine()
        let module = try machine.module(TestKernels.poke)
        let poke = try machine.function("poke", of: module)
        try machine.launch(poke, [arena.base + 4096])
        let error = #expect(throws: BackendError.self) { try machine.stream.synchronize() }
        #expect(error?.status == BackendStatus.illegalAddress)
        #expect(error?.message.contains("poke") == true)
        #expect(machine.context.takeDeferredError()?.status == BackendStatus.illegalAddress)
        #expect(machine.context.takeDeferredError()?.status == BackendStatus.illegalAddress)
        #expect(throws: BackendError.self) { try machine.launch(poke, [arena.base]) }
        let other = try machine.session.makeContext(flags: 0)
        #expect(other.fatalError == nil)
        try other.synchronize()
    }

    @Test("a kernel without end stops when its session is cancelled")
    func cancel() throws {
        let machine = try Machine()
        let spin = try machine.function("spin", of: machine.module(TestKernels.spin))
        try machine.launch(spin)
        #expect(try machine.stream.isIdle() == false)
        machine.session.cancel()
        let error = #expect(throws: BackendError.self) { try machine.stream.synchronize() }
        #expect(error?.status == BackendStatus.deinitialized || error?.status == BackendStatus.launchTimeout)
    }

    @Test("launches that the device can't do are refused at once")
    func refusals() throws {
        let machine = try Machine()
        let module = try machine.module(TestKernels.poke)
        let poke = try machine.function("poke", of: module)
        let target = try machine.allocate(4)
        func status(_ body: () throws -> Void) -> Int32? {
            do {
                try body()
                return nil
            } catch {
                return (error as? BackendError)?.status
            }
        }
        #expect(status { try machine.launch(poke, grid: 0, [target]) } == 1)
        #expect(status { try machine.launch(poke, block: 1025, [target]) } == 1)
        #expect(status { try machine.launch(poke, shared: 49_153, [target]) } == 1)
        #expect(status { try machine.launch(poke, []) } == 1)
        #expect(status { try machine.launch(poke, grid: 100_000, isCooperative: true, [target]) } == 720)
        #expect(status { try poke.setAttribute(8, value: 200 << 10) } == 1)
        #expect(status { try poke.setAttribute(8, value: 64 << 10) } == nil)
        #expect(status { try machine.launch(poke, shared: 64 << 10, [target]) } == nil)
        #expect(try machine.read(1, from: target) == [7])
    }

    @Test("images that are no PTX, wrong PTX and unknown kernels have errors of their own")
    func badImages() throws {
        let machine = try Machine()
        func status(_ body: () throws -> Void) -> Int32? {
            do {
                try body()
                return nil
            } catch {
                return (error as? BackendError)?.status
            }
        }
        #expect(status { _ = try machine.module("hello") } == BackendStatus.invalidImage)
        #expect(status { _ = try machine.module(".version 7.0\n.target sm_80\n.address_size 64\n.visible") } == 218)
        let bad = TestKernels.poke.replacing("st.global.u32 [%rd1]", with: "st.global.u32 [%rd9]")
        #expect(status { _ = try machine.module(bad) } == 218)
        let unknown = try machine.module(TestKernels.poke.replacing("ret;", with: "rot;"))
        #expect(unknown.log.contains("rot"))
        #expect(status { _ = try machine.function("poke", of: unknown) } == BackendStatus.notSupported)
        let module = try machine.module(TestKernels.poke)
        #expect(status { _ = try machine.function("nobody", of: module) } == BackendStatus.notFound)
        let log = try Array(TestKernels.poke.utf8).withUnsafeBytes { try machine.context.checkLink(image: $0) }
        #expect(log == "")
    }
}

@Suite struct StreamTests {
    @Test("work behind a host function waits for it, and memory is freed after the work that uses it")
    func order() throws {
        let host = Host(isOpen: false)
        let machine = try Machine(host: host)
        let target = try machine.allocate(512)
        try machine.stream.hostFunction(token: 5)
        let stream = try machine.context.makeStream(flags: 1, priority: 0)
        try stream.fill(MemoryBox(address: target, byteCount: 512), elementByteCount: 1, value: 3)
        let event = try machine.context.makeEvent(flags: 0)
        try event.record(on: stream)
        #expect(try event.isComplete() == false)
        machine.session.release(address: target, for: machine.context)
        try machine.session.commit(address: target, byteCount: 1024, kind: .device, for: machine.context)
        #expect(try stream.isIdle() == false)
        host.open()
        try event.synchronize()
        try machine.context.synchronize()
        #expect(machine.context.takeDeferredError() == nil)
        #expect(try machine.read(2, from: target) == [0, 0])
        #expect(host.tokens.withLock { $0 } == [5])
    }

    @Test("many threads submit and wait without losing work")
    func threads() throws {
        let machine = try Machine()
        let add = try machine.function("next", of: machine.module(TestKernels.counter))
        let target = try machine.allocate(4)
        let context = machine.context
        let done = Atomic(0)
        let threads = (0..<4).compactMap { _ in
            OSThread.start("test") {
                guard let stream = try? context.makeStream(flags: 1, priority: 0) else { return }
                for round in 0..<100 {
                    let shape = LaunchShape(grid: (1, 1, 1), block: (1, 1, 1), sharedByteCount: 0, isCooperative: false)
                    let isLaunched = [target].withUnsafeBytes {
                        (try? stream.launch(add, shape, parameters: $0)) != nil
                    }
                    if isLaunched { done.add(1, ordering: .relaxed) }
                    if round % 7 == 0 { try? stream.synchronize() }
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(done.load(ordering: .relaxed) == 400)
        #expect(try machine.read(1, from: target) == [441])
    }

    @Test("boxes whose rows overlap or leave the address space are refused")
    func boxes() throws {
        let machine = try Machine()
        let target = try machine.allocate(4096)
        let bad = [
            MemoryBox(address: target, pitch: 1, slicePitch: 0, width: 2, height: 2, depth: 1),
            MemoryBox(address: target, pitch: .max, slicePitch: .max, width: 1, height: 3, depth: 3),
            MemoryBox(address: .max, byteCount: 2),
        ]
        for box in bad {
            #expect(throws: BackendError.self) { try machine.stream.copyFromDevice(box) { _ in true } }
            #expect(throws: BackendError.self) { try machine.stream.copyToDevice(box) { _ in true } }
            #expect(throws: BackendError.self) { try machine.stream.copy(from: box, to: box) }
        }
    }
}
