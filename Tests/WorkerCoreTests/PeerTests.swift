import GPUTestKit
import Testing
import Transport
import WireProtocol
@testable import WorkerCore

private let base = DeviceArena.standard().base

@Suite struct PeerTests {
    private let megabyte: UInt64 = 1 << 20

    /// A session with memory, and the offer that another worker would get.
    private func sessionWithOffer(_ fixture: WorkerFixture) throws -> (TestLane, PeerOffer) {
        let lane = try fixture.laneWithContext()
        _ = try lane.call(MemoryGrant(device: 0, minimumByteCount: megabyte, wantedByteCount: megabyte))
        try lane.send(MemoryAllocate(address: base + 512, byteCount: 4096, kind: 0))
        let reply = try lane.call(PeerOfferQuery(ticketCount: 4))
        let offer = try reply.output.bytes.withUnsafeBytes { bytes in
            var reader = WireReader(bytes)
            return try PeerOffer(from: &reader)
        }
        return (lane, offer)
    }

    private func peer(of lane: TestLane, _ fixture: WorkerFixture, link: UInt32 = 7) throws -> TestLane {
        let peer = TestLane(connection: try fixture.connect(), session: lane.session, fixture: fixture)
        try peer.greet(role: .peer, index: link)
        return peer
    }

    private func greet(_ peer: TestLane, _ ticket: PeerTicket, byteCount: UInt64) throws {
        var bytes: [UInt8] = []
        bytes.appendInteger(ticket.high)
        bytes.appendInteger(ticket.low)
        bytes.appendInteger(byteCount)
        bytes.appendInteger(UInt64(0))
        try peer.write(bytes)
    }

    private func receive(_ ticket: PeerTicket, _ lane: TestLane, byteCount: UInt64, address: UInt64 = base + 512) throws
    {
        try lane.send(
            PeerReceive(
                link: 7, ticketHigh: ticket.high, ticketLow: ticket.low, address: address, pitch: byteCount,
                slicePitch: byteCount, width: byteCount, height: 1, depth: 1, stream: 0))
    }

    @Test("a ticket opens one transfer, whoever of the two ends comes first")
    func transfer() throws {
        let fixture = WorkerFixture()
        let (lane, offer) = try sessionWithOffer(fixture)
        #expect(Set(offer.tickets).count == 4)
        let peer = try peer(of: lane, fixture)
        for (number, ticket) in offer.tickets.enumerated() {
            if number % 2 == 0 { try receive(ticket, lane, byteCount: 16) }
            try greet(peer, ticket, byteCount: 16)
            if number % 2 == 1 { try receive(ticket, lane, byteCount: 16) }
            #expect(try peer.read(8) == [UInt8](repeating: 0, count: 8))
            try peer.write([UInt8](repeating: UInt8(number + 1), count: 16))
            #expect(try peer.read(8) == [UInt8](repeating: 0, count: 8))
            let copy = try lane.call(CopyDeviceToHost(address: base + 512, byteCount: 16, stream: 0))
            #expect(copy.bulk == [UInt8](repeating: UInt8(number + 1), count: 16))
        }
        try greet(peer, offer.tickets[0], byteCount: 16)
        #expect(peer.isClosedByWorker())
    }

    @Test("a ticket of one session opens nothing in another one")
    func tenants() throws {
        let fixture = WorkerFixture()
        let (_, offer) = try sessionWithOffer(fixture)
        let (other, _) = try sessionWithOffer(fixture)
        let peer = try peer(of: other, fixture)
        try greet(peer, offer.tickets[0], byteCount: 16)
        #expect(peer.isClosedByWorker())
        let stranger = TestLane(
            connection: try fixture.connect(), session: WorkerFixture.newSession(), fixture: fixture)
        #expect(throws: TestLaneError.self) { try stranger.greet(role: .peer) }
    }

    @Test("both ends must mean the same size, and the memory must be there; else nothing moves")
    func refusals() throws {
        let fixture = WorkerFixture()
        let (lane, offer) = try sessionWithOffer(fixture)
        let peer = try peer(of: lane, fixture)
        try receive(offer.tickets[0], lane, byteCount: 16)
        try greet(peer, offer.tickets[0], byteCount: 32)
        #expect(try peer.read(8) == [1, 0, 0, 0, 0, 0, 0, 0])
        #expect(try lane.call(StreamSynchronize(hStream: 0)).deferredStatus == 1)
        let second = try self.peer(of: lane, fixture)
        try receive(offer.tickets[1], lane, byteCount: 16, address: base + (1 << 30))
        try greet(second, offer.tickets[1], byteCount: 16)
        #expect(try second.read(8) != [UInt8](repeating: 0, count: 8))
        #expect(try lane.call(StreamSynchronize(hStream: 0)).deferredStatus != 0)
    }

    @Test("a receiver does not wait for a sender that is gone, nor for an invented ticket")
    func lostSender() throws {
        let fixture = WorkerFixture()
        let (lane, offer) = try sessionWithOffer(fixture)
        try receive(offer.tickets[0], lane, byteCount: 16)
        #expect(try lane.call(StreamSynchronize(hStream: 0)).deferredStatus == 46)
        let peer = try peer(of: lane, fixture)
        try receive(offer.tickets[1], lane, byteCount: 16)
        peer.connection.close()
        #expect(try lane.call(StreamSynchronize(hStream: 0)).deferredStatus == 46)
        try receive(PeerTicket(high: 1, low: 2), lane, byteCount: 16)
        #expect(try lane.call(StreamSynchronize(hStream: 0)).deferredStatus == 1)
    }

    @Test("a session ends while a transfer waits")
    func cancelled() throws {
        let fixture = WorkerFixture()
        let (lane, offer) = try sessionWithOffer(fixture)
        let peer = try peer(of: lane, fixture)
        try receive(offer.tickets[0], lane, byteCount: 16)
        _ = try lane.call(Ping())
        lane.connection.close()
        #expect(peer.isClosedByWorker())
    }

    @Test("a worker that can't be reached is said to be so")
    func unreachable() throws {
        let fixture = WorkerFixture()
        let (lane, _) = try sessionWithOffer(fixture)
        var route = PeerRoute()
        route.endpoints = [Array("tcp://127.0.0.1:1".utf8), Array("nonsense".utf8)]
        var bytes: [UInt8] = []
        route.encode(into: &bytes)
        let status = try bytes.withUnsafeBytes { try lane.call(PeerLink(link: 0, route: $0)).status }
        #expect(status == 46)
        #expect(try Array("x".utf8).withUnsafeBytes { try lane.call(PeerLink(link: 0, route: $0)).status } == 1)
    }

    @Test("a worker is reached encrypted wherever it can be, and with shared memory on its own machine")
    func places() {
        let pin = String(repeating: "ab", count: 32)
        var route = PeerRoute()
        (route.nodeHigh, route.nodeLow) = (1, 2)
        func texts(_ endpoints: [String], node: (high: UInt64, low: UInt64)) -> [String] {
            route.endpoints = endpoints.map { Array($0.utf8) }
            return PeerPlaces(route, node: node).endpoints.map(\.description)
        }
        let both = ["tcp://10.0.0.1:1", "tls://10.0.0.1:2#\(pin)", "unix:///s"]
        #expect(texts(both, node: (3, 4)) == ["tls://10.0.0.1:2#\(pin)"])
        #expect(texts(both, node: (1, 2)) == ["shm:///s", "tls://10.0.0.1:2#\(pin)"])
        #expect(texts(["tcp://10.0.0.1:1"], node: (3, 4)) == ["tcp://10.0.0.1:1"])
        #expect(texts(["tls://127.0.0.1:2", "tls://0.0.0.0:3"], node: (3, 4)) == [])
        #expect(
            texts(["tls://127.0.0.1:2", "tls://0.0.0.0:3#\(pin)"], node: (1, 2))
                == ["tls://127.0.0.1:2", "tls://127.0.0.1:3#\(pin)"])
    }

    @Test("memory goes from one worker to another and is counted")
    func betweenWorkers() throws {
        let one = WorkerFixture()
        let other = WorkerFixture()
        let endpoint = try other.listen()
        let (receiver, offer) = try sessionWithOffer(other)
        let (sender, _) = try sessionWithOffer(one)
        var route = PeerRoute()
        route.session = receiver.session
        route.ownLink = 7
        (route.nodeHigh, route.nodeLow) = (offer.nodeHigh, offer.nodeLow)
        route.endpoints = [Array("\(endpoint)".utf8)]
        var bytes: [UInt8] = []
        route.encode(into: &bytes)
        #expect(try bytes.withUnsafeBytes { try sender.call(PeerLink(link: 3, route: $0)).status } == 0)
        try sender.send(
            CopyHostToDevice(bulkByteCount: 64, address: base + 512, stream: 0), bulk: [UInt8](repeating: 9, count: 64))
        // Two rows of four bytes with a gap become one run.
        try receive(offer.tickets[0], receiver, byteCount: 8)
        try sender.send(
            PeerSend(
                link: 3, ticketHigh: offer.tickets[0].high, ticketLow: offer.tickets[0].low, address: base + 512,
                pitch: 32, slicePitch: 64, width: 4, height: 2, depth: 1, stream: 0))
        #expect(try sender.call(StreamSynchronize(hStream: 0)).deferredStatus == 0)
        let copy = try receiver.call(CopyDeviceToHost(address: base + 512, byteCount: 8, stream: 0))
        #expect(copy.bulk == [UInt8](repeating: 9, count: 8))
        #expect(one.worker.status().peerByteCount == 8 && other.worker.status().peerByteCount == 0)
    }
}
