import CPosix
import Primitives
import Testing
import Transport

@Suite("Streams", .timeLimit(.minutes(1)))
struct StreamTests {
    /// Bytes whose order shows: each tells its place in a 64 KiB pattern without a short period.
    private static func pattern(_ count: Int, seed: UInt64) -> [UInt8] {
        var numbers = SplitMix64(seed: seed)
        let block = (0..<8191).map { _ in UInt8(truncatingIfNeeded: numbers.next()) }
        return (0..<count).map { block[$0 % 8191] ^ UInt8(truncatingIfNeeded: $0 >> 16) }
    }

    @Test("Bytes of many writes and reads of odd sizes come in order", arguments: StreamKind.allCases)
    func order(_ kind: StreamKind) throws {
        let ends = try ConnectedEnds(kind, ringByteCount: 4096)
        let sent = StreamTests.pattern(3 << 20, seed: 1)
        let thread = try #require(
            OSThread.start("writer") {
                var numbers = SplitMix64(seed: 2)
                var done = 0
                while done < sent.count {
                    let first = min(sent.count - done, Int(numbers.next(below: 9000)))
                    let second = min(sent.count - done - first, Int(numbers.next(below: 40)))
                    sent.withUnsafeBytes { bytes in
                        let split = done + first
                        try? ends.client.write(
                            UnsafeRawBufferPointer(rebasing: bytes[done..<split]),
                            UnsafeRawBufferPointer(rebasing: bytes[split..<(split + second)]))
                    }
                    done += first + second
                }
            })
        var received: [UInt8] = []
        var numbers = SplitMix64(seed: 3)
        while received.count < sent.count {
            let count = min(sent.count - received.count, 1 + Int(numbers.next(below: 20000)))
            received += try ends.worker.read(count)
        }
        thread.join()
        #expect(received == sent)
    }

    @Test("64 MiB arrive whole, with an answer of 64 MiB at the same time", arguments: StreamKind.allCases)
    func large(_ kind: StreamKind) throws {
        let ends = try ConnectedEnds(kind)
        let byteCount = 64 << 20
        let sent = StreamTests.pattern(1 << 20, seed: 4)
        let echo = try #require(
            OSThread.start("echo") {
                for _ in 0..<(byteCount >> 20) {
                    guard let block = try? ends.worker.read(1 << 20) else { return }
                    guard (try? ends.worker.write(block)) != nil else { return }
                }
            })
        let writer = try #require(
            OSThread.start("writer") {
                for _ in 0..<(byteCount >> 20) { try? ends.client.write(sent) }
            })
        for _ in 0..<(byteCount >> 20) { #expect(try ends.client.read(1 << 20) == sent) }
        writer.join()
        echo.join()
    }

    @Test("Closing one's own end wakes a blocked reader", arguments: StreamKind.allCases)
    func closeWhileReading(_ kind: StreamKind) throws {
        let ends = try ConnectedEnds(kind)
        let outcome = Box<TransportError?>(nil)
        let reader = try #require(
            OSThread.start("reader") {
                do throws(TransportError) {
                    _ = try ends.client.read(1)
                } catch {
                    outcome.value = error
                }
            })
        ends.client.close()
        reader.join()
        #expect(outcome.value == .closed)
        #expect(ends.client.isClosed)
        #expect(throws: TransportError.closed) { try ends.client.write([1]) }
        #expect(throws: TransportError.closed) { try ends.worker.read(1) }
    }

    @Test("Closing wakes a writer whose peer does not read", arguments: StreamKind.allCases)
    func closeWhileWriting(_ kind: StreamKind) throws {
        let ends = try ConnectedEnds(kind, ringByteCount: 4096)
        let outcome = Box<TransportError?>(nil)
        let writer = try #require(
            OSThread.start("writer") {
                let block = [UInt8](repeating: 1, count: 1 << 20)
                do throws(TransportError) {
                    while true { try ends.client.write(block) }
                } catch {
                    outcome.value = error
                }
            })
        _ = try ends.worker.read(1)
        ends.client.close()
        writer.join()
        #expect(outcome.value == .closed)
    }

    @Test("What was written before the end was closed can still be read", arguments: StreamKind.allCases)
    func drain(_ kind: StreamKind) throws {
        let ends = try ConnectedEnds(kind)
        try ends.client.write([1, 2, 3])
        ends.client.close()
        #expect(try ends.worker.read(3) == [1, 2, 3])
        #expect(throws: TransportError.closed) { try ends.worker.read(1) }
    }

    @Test(
        "A parked reader notices the death of its peer's process within a second",
        arguments: [StreamKind.unix, .tcp, .sharedMemory])
    func death(_ kind: StreamKind) throws {
        let raw = try RawClient(kind)
        let outcome = Box<(TransportError?, UInt64)>((nil, 0))
        let reader = try #require(
            OSThread.start("reader") {
                do throws(TransportError) {
                    _ = try raw.worker.read(1)
                } catch {
                    outcome.value = (error, posix_monotonic_nanoseconds())
                }
            })
        // The kernel closes a dead process's sockets and says nothing in shared memory: neither does this.
        let start = posix_monotonic_nanoseconds()
        raw.dropSocket()
        reader.join()
        #expect(outcome.value.0 == .closed)
        #expect(outcome.value.1 - start < 1_000_000_000)
    }

    @Test("A forked child that lets go does not end its parent's stream", arguments: [StreamKind.unix, .sharedMemory])
    func abandon(_ kind: StreamKind) throws {
        let ends = try ConnectedEnds(kind)
        ends.client.abandonAfterFork()
        ends.client.close()
        #expect(throws: Never.self) { try ends.worker.write([1]) }
        #expect(throws: TransportError.closed) { try ends.client.read(1) }
    }

    @Test("Both ends know that they are on one machine, and who the peer is")
    func identity() throws {
        let local = try ConnectedEnds(.unix)
        #expect(local.worker.isLocal)
        #expect(local.worker.peerIdentity?.processID == posix_process_id())
        #expect(local.worker.peer == "process \(posix_process_id())")
        let remote = try ConnectedEnds(.tcp)
        #expect(!remote.client.isLocal)
        #expect(remote.client.peerIdentity == nil)
        #expect(remote.client.peer.hasPrefix("127.0.0.1:"))
    }
}
