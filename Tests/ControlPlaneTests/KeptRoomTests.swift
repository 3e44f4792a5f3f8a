import Admission
import FleetModel
import Testing

@testable import ControlPlane

@Suite("Room that is kept for a large request that has waited long")
struct KeptRoomTests {
    /// Two nodes with two devices each, all taken by small workloads, of which more wait; and one that needs both
    /// devices of one node, which came last but for the small ones that are not placed.
    private func crowded(span: TimeSpan?) -> Fleet {
        var settings = FleetCore.Settings()
        settings.placement.admission.patienceMilliseconds = 5000
        settings.placement.roomKeepingSpan = span
        let fleet = Fleet(settings: settings)
        fleet.addPool()
        fleet.addNode("a", devices: 2)
        fleet.addNode("b", devices: 2)
        fleet.run(seconds: 2)
        for number in 0..<4 { fleet.workload("small-\(number)") }
        fleet.run(seconds: 2)
        fleet.workload("large") { $0.resources?.devices = 2 }
        for number in 4..<12 { fleet.workload("small-\(number)") }
        fleet.run(seconds: 7)
        return fleet
    }

    private func end(_ fleet: Fleet, _ name: String) {
        fleet.delete(ResourceReference(kind: .workload, name: name))
        fleet.run(seconds: 5)
    }

    private func smallOn(_ fleet: Fleet, node: String) -> [String] {
        fleet.view.vgpus.values.filter { $0.spec.node == node && $0.spec.workload != "large" }
            .map(\.spec.workload).sorted()
    }

    @Test("What becomes free on one node is kept until the large request fits, and then given to it")
    func kept() throws {
        let fleet = crowded(span: .minutes(30))
        #expect(fleet.vgpus("large").isEmpty)
        let first = try #require(smallOn(fleet, node: "a").first)
        end(fleet, first)
        #expect(smallOn(fleet, node: "a").count == 1, "nobody may take what is kept")
        #expect(fleet.status("large")?.waiting?.contains("1 of 2 devices so far") == true)
        #expect(fleet.eventReasons(.normal).contains("RoomKept"))

        // The other node's room is not needed, so the next small one gets it.
        end(fleet, try #require(smallOn(fleet, node: "b").first))
        #expect(smallOn(fleet, node: "b").count == 2)
        end(fleet, try #require(smallOn(fleet, node: "a").first))
        #expect(fleet.status("large")?.ready == 1)
        #expect(fleet.vgpus("large").map(\.spec.node) == ["a"])
    }

    @Test("Without it, small requests take whatever becomes free")
    func starved() throws {
        let fleet = crowded(span: nil)
        for _ in 0..<2 { end(fleet, try #require(smallOn(fleet, node: "a").first)) }
        #expect(fleet.vgpus("large").isEmpty)
        #expect(smallOn(fleet, node: "a").count == 2)
    }

    @Test("Room that was kept for too long goes to others, and a request that was withdrawn keeps none")
    func bounded() throws {
        let fleet = crowded(span: .seconds(10))
        end(fleet, try #require(smallOn(fleet, node: "a").first))
        #expect(smallOn(fleet, node: "a").count == 1)
        fleet.run(seconds: 12)
        #expect(smallOn(fleet, node: "a").count == 2)

        let other = crowded(span: .minutes(30))
        end(other, try #require(smallOn(other, node: "a").first))
        #expect(smallOn(other, node: "a").count == 1)
        end(other, "large")
        #expect(smallOn(other, node: "a").count == 2)
    }

    @Test("More urgent work goes before the one for which room is kept")
    func urgent() throws {
        let fleet = crowded(span: .minutes(30))
        end(fleet, try #require(smallOn(fleet, node: "a").first))
        fleet.workload("urgent") {
            $0.priority = 1_000_000
            $0.preemptible = false
        }
        fleet.run(seconds: 5)
        #expect(fleet.status("urgent")?.ready == 1)
        #expect(fleet.eventReasons(.warning).contains("Preempted") == false)
    }
}
