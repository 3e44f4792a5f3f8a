import ClientRuntime
import Testing

@Suite struct LeaseTests {
    @Test("a lease asks for a slack of a 64th and returns what lies idle")
    func growsAndShrinks() {
        var lease = Lease(totalByteCount: 6400)
        let need = lease.shortfall(for: 1000)
        #expect(need?.minimum == 1000 && need?.wanted == 1100)
        lease.grow(by: 1100)
        lease.use(1000)
        #expect(lease.shortfall(for: 100) == nil)
        #expect(lease.shortfall(for: 101)?.minimum == 1)
        #expect(lease.release(50) == 0)
        #expect(lease.release(950) == 1000)
        #expect(lease.availableByteCount == 100 && lease.grantedByteCount == 100)
    }
}

@Suite struct MirrorTests {
    private func withMirror(_ byteCount: Int, _ body: (UnsafeMutableRawBufferPointer, Mirror) -> Void) {
        let host = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 16)
        defer { host.deallocate() }
        for index in host.indices { host[index] = 0 }
        guard let start = host.baseAddress,
            let mirror = Mirror(host: start, deviceAddress: 0x6000, byteCount: byteCount)
        else {
            Issue.record("no mirror")
            return
        }
        defer { mirror.dispose() }
        body(host, mirror)
    }

    @Test("only what the host changed is sent, and only once")
    func sendsChanges() {
        withMirror(10_000) { host, mirror in
            host[5000] = 1
            host[9999] = 2
            let first = mirror.nextChange(from: 0)
            #expect(first?.contains(5000) == true && (first?.count ?? 0) <= 64)
            let second = mirror.nextChange(from: first?.upperBound ?? 0)
            #expect(second?.contains(9999) == true)
            #expect(mirror.nextChange(from: 0) == nil)
        }
    }

    @Test("what the device wrote does not overwrite what the host wrote meanwhile")
    func mergesBothSides() {
        withMirror(8192) { host, mirror in
            var device = [UInt8](repeating: 0, count: 8192)
            device[1] = 7
            device[6000] = 8
            host[2] = 9
            device.withUnsafeBytes { bytes in bytes.baseAddress.map { mirror.merge($0) } }
            #expect(host[1] == 7 && host[2] == 9 && host[6000] == 8)
            let change = mirror.nextChange(from: 0)
            #expect(change?.contains(2) == true)
            #expect(mirror.nextChange(from: change?.upperBound ?? 0) == nil)
        }
    }
}

@Suite struct ContextStackTests {
    @Test("contexts are popped in the reverse order of their pushes")
    func pushesAndPops() throws {
        let thread = try #require(ThreadState.mine)
        let worker = UnsafeMutablePointer<WorkerState>.allocate(capacity: 1)
        defer { worker.deallocate() }
        let contexts = UnsafeMutablePointer<ContextState>.allocate(capacity: 20)
        defer { contexts.deallocate() }
        for index in 0..<20 {
            (contexts + index).initialize(to: ContextState(handle: UInt(index), device: 0, worker: worker))
        }
        // A test that had this thread before may have left some.
        while ContextStack.pop(from: thread) != nil {}
        for index in 0..<20 {
            ContextStack.push(contexts + index, on: thread)
            #expect(thread.pointee.current == contexts + index)
        }
        ContextStack.replace(with: contexts + 3, on: thread)
        #expect(ContextStack.pop(from: thread) == contexts + 3)
        for index in (0..<19).reversed() { #expect(ContextStack.pop(from: thread) == contexts + index) }
        #expect(thread.pointee.current == nil)
        ContextStack.replace(with: contexts, on: thread)
        ContextStack.replace(with: nil, on: thread)
        #expect(thread.pointee.current == nil)
    }
}
