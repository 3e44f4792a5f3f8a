import CPosix
import Primitives
import Testing
import Transport
import WireProtocol

@Suite("Hostile peers", .timeLimit(.minutes(1)))
struct HostilePeerTests {
    @Test(
        "A reader refuses an index that is further ahead than the ring is long",
        arguments: [4097, 1 << 20, UInt64(Int64.max), .max])
    func tailTooFar(_ tail: UInt64) throws {
        let raw = try RawClient(.sharedMemory)
        try #require(raw.memory).setClientTail(tail)
        #expect(throws: TransportError.violation(.badValue)) { try raw.worker.read(1) }
    }

    @Test("A reader refuses an index that went back")
    func tailBack() throws {
        let raw = try RawClient(.sharedMemory)
        let memory = try #require(raw.memory)
        memory.fill(9)
        memory.setClientTail(100)
        #expect(try raw.worker.read(100) == [UInt8](repeating: 9, count: 100))
        memory.setClientTail(99)
        #expect(throws: TransportError.violation(.badValue)) { try raw.worker.read(1) }
    }

    @Test("A writer refuses an index of bytes that it never wrote", arguments: [4097, 1 << 63, UInt64.max])
    func headTooFar(_ head: UInt64) throws {
        let raw = try RawClient(.sharedMemory)
        let memory = try #require(raw.memory)
        memory.setClientHead(head)
        #expect(throws: TransportError.violation(.badValue)) {
            try raw.worker.write([UInt8](repeating: 1, count: 2 * RawClient.ringByteCount))
        }
    }

    @Test("Overwriting the worker's own indices does not move it")
    func ownIndices() throws {
        let raw = try RawClient(.sharedMemory)
        let memory = try #require(raw.memory)
        memory.setWorkerIndices(1 << 40)
        memory.fill(3)
        memory.setClientTail(4096)
        #expect(try raw.worker.read(4096) == [UInt8](repeating: 3, count: 4096))
        try raw.worker.write([1, 2, 3])
    }

    @Test("Random indices never do harm", arguments: 0..<4)
    func randomIndices(_ seed: Int) throws {
        var numbers = SplitMix64(seed: UInt64(seed))
        for _ in 0..<50 {
            let raw = try RawClient(.sharedMemory)
            let memory = try #require(raw.memory)
            raw.dropSocket()
            for _ in 0..<8 {
                let bits = numbers.next(below: 64)
                memory.setClientTail(numbers.next() >> bits)
                memory.setClientHead(numbers.next() >> bits)
                memory.setWorkerIndices(numbers.next())
                guard (try? raw.worker.read(Int(numbers.next(below: 64)))) != nil else { break }
                guard (try? raw.worker.write([1])) != nil else { break }
            }
        }
    }

    /// Sends bytes to a worker and closes; what the worker made of them.
    private func greet(with bytes: [UInt8]) throws -> Result<ReceivedHello, TransportError> {
        let (client, worker) = try Connection.pair()
        try client.write(bytes)
        client.close()
        do throws(TransportError) {
            return .success(try worker.readHello(timeoutMilliseconds: 1000))
        } catch {
            return .failure(error)
        }
    }

    @Test("A greeting that claims to be longer than allowed is refused before it is read")
    func tooLong() throws {
        var bytes: [UInt8] = []
        bytes.appendInteger(UInt32(Hello.byteCountMax + 1))
        #expect(throws: TransportError.violation(.oversized)) { try greet(with: bytes).get() }
        #expect(throws: TransportError.violation(.oversized)) { try greet(with: [255, 255, 255, 255]).get() }
    }

    @Test("A greeting with a wrong magic number is refused")
    func wrongMagic() throws {
        var bytes = RawClient.encoded(TestPlaces.hello())
        bytes[4] ^= 1
        #expect(throws: TransportError.violation(.badHeader)) { try greet(with: bytes).get() }
    }

    @Test("A greeting that is cut anywhere is refused")
    func truncated() throws {
        let whole = RawClient.encoded(TestPlaces.hello())
        #expect(try greet(with: whole).get().descriptionHash == 7)
        for count in 0..<whole.count {
            #expect(throws: TransportError.closed) { try greet(with: [UInt8](whole.prefix(count))).get() }
        }
    }

    @Test("A client that sends its greeting too slowly is given up on")
    func slow() throws {
        let (client, worker) = try Connection.pair()
        try client.write([57, 0, 0, 0, 1])
        #expect(throws: TransportError.timedOut) { try worker.readHello(timeoutMilliseconds: 20) }
    }

    @Test("A thousand random greetings do no harm")
    func random() throws {
        var numbers = SplitMix64(seed: 42)
        let model = RawClient.encoded(TestPlaces.hello())
        var refused = 0
        for round in 0..<1000 {
            var bytes = model
            if round % 2 == 0 {
                bytes = (0..<Int(numbers.next(below: 200))).map { _ in UInt8(truncatingIfNeeded: numbers.next()) }
            } else {
                for _ in 0...numbers.next(below: 4) {
                    bytes[Int(numbers.next(below: UInt64(bytes.count)))] = UInt8(truncatingIfNeeded: numbers.next())
                }
            }
            if case .failure = try greet(with: bytes) { refused += 1 }
        }
        #expect(refused > 500)
    }

    @Test("Random answers of a worker do the client no harm")
    func randomAnswers() throws {
        let listener = try Listener(try TestPlaces.endpoint(.sharedMemory))
        defer { listener.close() }
        let thread = try #require(
            OSThread.start("answers") {
                var numbers = SplitMix64(seed: 43)
                while let connection = try? listener.accept() {
                    var answer: [UInt8] = []
                    answer.appendInteger(UInt32(24 + numbers.next(below: 3)))
                    answer.appendInteger(numbers.next(below: 8) == 0 ? numbers.next() : Hello.magic)
                    answer.appendInteger(UInt32(1))
                    answer.appendInteger(UInt32(numbers.next(below: 7)))
                    answer.appendInteger(UInt32(truncatingIfNeeded: numbers.next() >> numbers.next(below: 64)))
                    answer.appendInteger(UInt32(numbers.next(below: 3)))
                    answer += [0x52, 0x52]
                    try? connection.write(answer)
                    connection.close()
                }
            })
        for _ in 0..<200 {
            _ = try? Connection.connect(to: listener.endpoint, hello: TestPlaces.hello(), timeoutMilliseconds: 500)
        }
        listener.close()
        thread.join()
    }
}
