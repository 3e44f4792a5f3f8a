import GPUBackend
import GPUTestKit
import Synchronization
import Testing

extension ContractTests {
    private func fill(_ address: UInt64, _ value: UInt32, on stream: any BackendStream) throws {
        try stream.fill(MemoryBox(address: address, byteCount: 4), elementByteCount: 4, value: value)
    }

    @Test("a conditional node repeats its body as long as a kernel says so, in each run anew", arguments: Kind.allCases)
    func conditionalLoop(_ kind: Kind) throws {
        let machine = try Machine(kind)
        let count = try machine.function("count", of: machine.module(TestKernels.count))
        // The client takes memory for the value; its address is the handle that it gives to kernels.
        let (value, counter, after) = (try machine.allocate(4), try machine.allocate(4), try machine.allocate(4))
        try fill(counter, 0, on: machine.stream)
        let recorder = try machine.context.makeGraphRecorder()
        try recorder.declare([ConditionalValue(address: value, defaultValue: 1)])
        try recorder.beginNode(after: [])
        try fill(after, 5, on: recorder.stream)
        try recorder.beginNode(after: [0])
        let bodies = try recorder.addConditional(ConditionalNode(address: value, kind: .loop), bodyCount: 1)
        try bodies[0].beginNode(after: [])
        try machine.launch(count, [value, counter, 7], on: bodies[0].stream)
        try recorder.beginNode(after: [1])
        try recorder.stream.copy(
            from: MemoryBox(address: counter, byteCount: 4), to: MemoryBox(address: after, byteCount: 4))
        let graph = try recorder.finish(replacing: nil)
        try graph.launch(on: machine.stream)
        #expect(try machine.read(1, from: after) == [7])
        // The value is 1 again, so that the body runs once.
        try graph.launch(on: machine.stream)
        #expect(try machine.read(1, from: after) == [8])
        graph.destroy()
        #expect(machine.context.takeDeferredError() == nil)
    }

    @Test("conditional nodes choose between bodies, also within each other", arguments: Kind.allCases)
    func conditionalChoices(_ kind: Kind) throws {
        let machine = try Machine(kind)
        let (outer, inner, target) = (try machine.allocate(4), try machine.allocate(4), try machine.allocate(4))
        for (choice, selection, wanted): (UInt32, UInt32, UInt32) in [(1, 2, 102), (0, 1, 55), (1, 9, 7)] {
            try fill(target, 7, on: machine.stream)
            let recorder = try machine.context.makeGraphRecorder()
            try recorder.declare([
                ConditionalValue(address: outer, defaultValue: choice),
                ConditionalValue(address: inner, defaultValue: selection),
            ])
            try recorder.beginNode(after: [])
            let branches = try recorder.addConditional(ConditionalNode(address: outer, kind: .choice), bodyCount: 2)
            try branches[0].beginNode(after: [])
            let cases = try branches[0].addConditional(ConditionalNode(address: inner, kind: .selection), bodyCount: 3)
            for (index, body) in cases.enumerated() {
                try body.beginNode(after: [])
                try fill(target, 100 + UInt32(index), on: body.stream)
            }
            try branches[1].beginNode(after: [])
            try fill(target, 55, on: branches[1].stream)
            let graph = try recorder.finish(replacing: nil)
            try graph.launch(on: machine.stream)
            #expect(try machine.read(1, from: target) == [wanted])
            graph.destroy()
        }
    }

    @Test("a graph with a conditional that is abandoned, or replaced, leaves nothing behind", arguments: Kind.allCases)
    func replacedConditionals(_ kind: Kind) throws {
        let machine = try Machine(kind)
        let count = try machine.function("count", of: machine.module(TestKernels.count))
        let (value, counter) = (try machine.allocate(4), try machine.allocate(4))
        var old: (any BackendGraph)?
        for limit: UInt64 in [3, 5, 4] {
            try fill(counter, 0, on: machine.stream)
            let recorder = try machine.context.makeGraphRecorder()
            try recorder.declare([ConditionalValue(address: value, defaultValue: 1)])
            try recorder.beginNode(after: [])
            let bodies = try recorder.addConditional(ConditionalNode(address: value, kind: .loop), bodyCount: 1)
            try bodies[0].beginNode(after: [])
            try machine.launch(count, [value, counter, limit], on: bodies[0].stream)
            if limit == 5 { continue }
            let graph = try recorder.finish(replacing: old)
            try graph.launch(on: machine.stream)
            #expect(try machine.read(1, from: counter) == [UInt32(limit)])
            old = graph
        }
        old?.destroy()
        #expect(machine.context.takeDeferredError() == nil)
    }

    @Test("host functions of a graph run in each launch, also of launches before a change", arguments: Kind.allCases)
    func graphHostFunctions(_ kind: Kind) throws {
        let host = Host(isOpen: false)
        let machine = try Machine(kind, host: host)
        let target = try machine.allocate(4)
        var graph: (any BackendGraph)?
        for token: UInt64 in 1...3 {
            let recorder = try machine.context.makeGraphRecorder()
            try recorder.beginNode(after: [])
            try recorder.stream.hostFunction(token: token)
            try recorder.beginNode(after: [0])
            try fill(target, UInt32(token), on: recorder.stream)
            let made = try recorder.finish(replacing: graph)
            for _ in 0..<2 { try made.launch(on: machine.stream) }
            graph = made
        }
        host.open()
        #expect(try machine.read(1, from: target) == [3])
        #expect(host.tokens.withLock { $0 } == [1, 1, 2, 2, 3, 3])
        graph?.destroy()
    }

    @Test("a download waits for nobody, and a host function not for downloads behind it", arguments: Kind.allCases)
    func downloads(_ kind: Kind) throws {
        let host = Host(isOpen: false)
        let machine = try Machine(kind, host: host)
        let target = try machine.allocate(1 << 20)
        var buffers: [DownloadBuffer] = []
        for round: UInt32 in 0..<50 {
            try machine.stream.fill(
                MemoryBox(address: target, byteCount: 1 << 20), elementByteCount: 4, value: round)
            try machine.stream.hostFunction(token: UInt64(round))
            let buffer = try #require(DownloadBuffer(byteCount: 4096))
            try machine.stream.download(MemoryBox(address: target + 4096, byteCount: 4096), into: buffer)
            buffers.append(buffer)
        }
        for buffer in buffers { buffer.poll() }
        #expect(buffers.allSatisfy { !$0.isFinished })
        host.open()
        try machine.stream.synchronize()
        for (round, buffer) in buffers.enumerated() {
            buffer.poll()
            #expect(buffer.isFilled && buffer.bytes.loadUnaligned(fromByteOffset: 4092, as: UInt32.self) == round)
        }
        #expect(host.tokens.withLock { $0.count } == 50)
    }
}
