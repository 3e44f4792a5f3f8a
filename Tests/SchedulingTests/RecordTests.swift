import Foundation
import Scheduling
import Testing

@Suite("Records and replay")
struct RecordTests {
    private static func history(_ count: Int, seed: UInt64) throws -> (FleetRecord, Scheduler) {
        var dice = Dice(seed: seed)
        let scheduler = Scheduler()
        var record = FleetRecord(hosts: (0..<15).map { Fleets.randomHost("h\($0)", &dice) })
        for host in record.hosts { try scheduler.apply(.addHost(host)) }
        for number in 0..<count {
            let request = Fleets.randomRequest("w\(number)", &dice)
            record.history.append(.arrive(request))
            scheduler.observe(request)
            if let placement = try scheduler.placement(for: request) {
                record.history.append(.place(request, placement))
            } else if scheduler.isPlaced("w\(number - 7)") {
                record.history.append(.release(workload: "w\(number - 7)"))
            } else {
                continue
            }
            if let last = record.history.last { try scheduler.apply(last) }
        }
        return (record, scheduler)
    }

    @Test("A record survives being written as JSON, and gives the same fleet back")
    func json() throws {
        let (_, scheduler) = try RecordTests.history(60, seed: 3)
        let data = try JSONEncoder().encode(scheduler.record)
        let record = try JSONDecoder().decode(FleetRecord.self, from: data)
        #expect(record == scheduler.record)
        let restored = try Scheduler(restoring: record)
        #expect(restored.record == scheduler.record)
        DifferentialTests.checkBooks(of: restored)
    }

    @Test("A replay with the same policy ends in the same fleet")
    func replay() throws {
        let (record, scheduler) = try RecordTests.history(80, seed: 4)
        let again = try Scheduler(restoring: record)
        _ = try again.replay(record.history)
        #expect(again.record == scheduler.record)
    }

    @Test("A replay with another policy places by that policy")
    func otherPolicy() throws {
        let (record, scheduler) = try RecordTests.history(80, seed: 5)
        var settings = SchedulerSettings()
        settings.policy = .random
        let other = try Scheduler(restoring: record, settings: settings)
        _ = try other.replay(record.history)
        DifferentialTests.checkBooks(of: other)
        #expect(other.record != scheduler.record)
    }

    @Test("Resource vectors add, subtract and compare resource by resource")
    func vectors() {
        let one = ResourceVector(cpuMilli: 1, memoryMiB: 2, deviceCount: 3, computeMilli: 4, vramMiB: 5)
        #expect(one + one == one * 2)
        #expect(one - one == .zero)
        #expect(one.fits(in: one))
        #expect(!(one + ResourceVector(vramMiB: 1)).fits(in: one))
        let fewDevices = ResourceVector(cpuMilli: 100, memoryMiB: 100, deviceCount: 2, computeMilli: 9, vramMiB: 9)
        #expect(!one.fits(in: fewDevices))
    }
}
