import Admission
import Testing

@Suite("Taking back")
struct ReclaimTests {
    private func devices(_ count: Int64) -> ResourceVector { ResourceVector(milliDevices: count * 1000) }

    private func guaranteed(_ name: String, _ count: Int64, below parent: String? = nil) -> Project {
        var project = Project(name, parent: parent)
        project.guaranteed = devices(count)
        return project
    }

    /// Runs one-device jobs unless sizes are given, the first started at 0, the next at 1, …
    private func run(_ state: inout AdmissionState, _ project: String, _ sizes: [Int64], gang: String? = nil) {
        for (index, size) in sizes.enumerated() {
            var request = PendingRequest(
                id: "\(project)-\(gang ?? "job")-\(index)", project: project, arrival: 0, requests: devices(size))
            request.gang = gang
            state.submit(request)
            state.place(request.id, at: Int64(index))
        }
    }

    private func wait(_ state: inout AdmissionState, _ project: String, _ count: Int64, priority: Int64 = 0) -> String {
        let id = "\(project)-waits"
        state.submit(
            PendingRequest(id: id, project: project, priority: priority, arrival: 50, requests: devices(count)))
        return id
    }

    private func may(_ state: inout AdmissionState, _ gangs: [ReclaimCandidate], for id: String) -> Bool {
        state.mayReclaim(gangs, for: id, at: 100)
    }

    // Two of equal weight share 16: 8 each. a uses all 16. b may take 8, one at a time, and not a ninth.
    @Test("Who is below its fair share takes from who is above, and no more than that")
    func fairShare() {
        var state = AdmissionState(projects: [Project("a"), Project("b")], capacity: devices(16))
        run(&state, "a", Array(repeating: 1, count: 16))
        let id = wait(&state, "b", 8)
        let offer = state.reclaimOffer(for: id, at: 100)
        #expect(offer.candidates.count == 16)
        #expect(offer.candidates.allSatisfy { $0.right == .fairShare && $0.project == "a" })
        #expect(offer.candidates.first?.workloads == ["a-job-15"])
        #expect(may(&state, Array(offer.candidates.prefix(8)), for: id))
        #expect(!may(&state, Array(offer.candidates.prefix(9)), for: id))
        #expect(state.reclaimSet(from: offer, for: id, at: 100).count == 8)
        // With 9 asked for, b would itself be above its share.
        let more = wait(&state, "b", 9)
        #expect(state.reclaimOffer(for: more, at: 100).candidates.isEmpty)
    }

    // Shares of 16 are 8 and 8. a has one gang of 16: without it a has nothing, while b would have all of its share.
    @Test("A gang goes whole or not at all, and never leaves the giver worse off than the taker")
    func noInversion() {
        var state = AdmissionState(projects: [Project("a"), Project("b")], capacity: devices(16))
        run(&state, "a", [8, 8], gang: "train")
        let id = wait(&state, "b", 8)
        #expect(state.reclaimOffer(for: id, at: 100).candidates.isEmpty)
        // Two gangs of 8: one may go, with both workloads of it.
        state = AdmissionState(projects: [Project("a"), Project("b")], capacity: devices(16))
        run(&state, "a", [4, 4], gang: "one")
        run(&state, "a", [4, 4], gang: "two")
        let other = wait(&state, "b", 8)
        let offer = state.reclaimOffer(for: other, at: 100)
        #expect(offer.candidates.map(\.gang) == ["one", "two"])
        #expect(offer.candidates.first?.workloads == ["a-one-0", "a-one-1"])
        #expect(state.reclaimSet(from: offer, for: other, at: 100).map(\.gang) == ["one"])
        #expect(!may(&state, offer.candidates, for: other))
    }

    // b is guaranteed 4 of 16; a, of a far higher weight, has a fair share of 12 and one gang of 16. Taking the gang
    // back leaves a with nothing, which fairness would not allow. A guarantee does.
    @Test("A guarantee is kept even where only a whole gang can make room")
    func guarantee() {
        var state = AdmissionState(projects: [Project("a", weight: 100), guaranteed("b", 4)], capacity: devices(16))
        run(&state, "a", [8, 8], gang: "train")
        let id = wait(&state, "b", 4)
        let offer = state.reclaimOffer(for: id, at: 100)
        #expect(offer.candidates.map(\.right) == [.guarantee])
        #expect(state.reclaimSet(from: offer, for: id, at: 100).map(\.gang) == ["train"])
    }

    @Test("What a project is guaranteed is not taken from it")
    func guaranteedVictim() {
        var state = AdmissionState(projects: [guaranteed("a", 12), guaranteed("b", 4)], capacity: devices(16))
        run(&state, "a", Array(repeating: 2, count: 8))
        let id = wait(&state, "b", 4)
        let offer = state.reclaimOffer(for: id, at: 100)
        let chosen = state.reclaimSet(from: offer, for: id, at: 100)
        #expect(chosen.count == 2)
        #expect(!may(&state, Array(offer.candidates.prefix(3)), for: id))
    }

    @Test("Protected, kept and more urgent work stays, and the offer says so")
    func exclusions() {
        var state = AdmissionState(projects: [Project("a"), Project("b")], capacity: devices(4))
        for (id, change) in [
            ("kept", { $0.isPreemptible = false }), ("young", { $0.protectionMilliseconds = 1000 }),
            ("urgent", { $0.priority = 7 }), ("plain", { _ in }),
        ] as [(String, (inout PendingRequest) -> Void)] {
            var request = PendingRequest(id: id, project: "a", arrival: 0, requests: devices(1))
            change(&request)
            state.submit(request)
            state.place(id, at: 0)
        }
        let id = wait(&state, "b", 2)
        var offer = state.reclaimOffer(for: id, at: 999)
        #expect(offer.candidates.map(\.gang) == ["plain"])
        #expect((offer.keptCount, offer.protectedCount, offer.urgentCount) == (1, 1, 1))
        #expect(offer.protectedUntil == 1000)
        offer = state.reclaimOffer(for: id, at: 1000)
        #expect(Set(offer.candidates.map(\.gang)) == ["plain", "young"])
    }

    // lab and club share 8: 4 each. Inside lab, vision has 6 and text nothing; vision's and text's shares are 2 and 2.
    @Test("Projects are compared where their ways part, and a neighbour does not pay")
    func hierarchy() {
        var state = AdmissionState(
            projects: [
                Project("lab"), Project("club"), Project("vision", parent: "lab"), Project("text", parent: "lab"),
            ], capacity: devices(8))
        run(&state, "vision", Array(repeating: 1, count: 6))
        run(&state, "text", [1])
        run(&state, "club", [1])
        let inside = wait(&state, "text", 1)
        let outside = wait(&state, "club", 3)
        let byNeighbour = state.reclaimOffer(for: inside, at: 100)
        #expect(Set(byNeighbour.candidates.map(\.project)) == ["vision"])
        let byClub = state.reclaimOffer(for: outside, at: 100)
        #expect(Set(byClub.candidates.map(\.project)) == ["vision"])
        #expect(state.reclaimSet(from: byClub, for: outside, at: 100).count == 3)
    }

    @Test("A quota of its own is no reason to take from others")
    func ownQuota() {
        var capped = Project("b")
        capped.requestCap = devices(1)
        var state = AdmissionState(projects: [Project("a"), capped], capacity: devices(4))
        run(&state, "a", [1, 1, 1, 1])
        run(&state, "b", [1])
        let id = wait(&state, "b", 1)
        #expect(state.reclaimOffer(for: id, at: 100).candidates.isEmpty)
    }

    // Of 100 MiB b should have 40, which leaves a 60; a has 80. Without a's small job both are at their shares. But a
    // is guaranteed more devices than it has, and would take that job's place back at once.
    @Test("By a fair share of one resource nothing is taken of which another is guaranteed", arguments: [0, 4])
    func guaranteedOfAnother(_ count: Int64) {
        var state = AdmissionState(
            projects: [guaranteed("a", count), Project("b")],
            capacity: ResourceVector(milliDevices: 8000, mebibytes: 100))
        func request(_ id: String, _ project: String, _ mebibytes: Int64) -> PendingRequest {
            PendingRequest(
                id: id, project: project, arrival: 0,
                requests: ResourceVector(milliDevices: 1000, mebibytes: mebibytes))
        }
        for job in [request("small", "a", 20), request("large", "a", 60)] {
            state.submit(job)
            state.place(job.id, at: 0)
        }
        state.submit(request("late", "b", 40))
        let offer = state.reclaimOffer(for: "late", at: 100)
        #expect(offer.candidates.map(\.gang) == (count == 0 ? ["small"] : []))
    }

    /// Both take back whatever they may, in turns. It must come to rest.
    @Test("Taking back comes to an end", arguments: 0..<40 as Range<UInt64>)
    func endsSomeTime(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var projects = RandomFleet.projects(using: &random)
        for index in projects.indices {
            (projects[index].requestCap, projects[index].limitCap) = (.unlimited, .unlimited)
        }
        let capacity = devices(12)
        var state = AdmissionState(projects: projects, capacity: capacity)
        for number in 0..<40 {
            let project = projects.randomElement(using: &random)?.name ?? ""
            let request = PendingRequest(
                id: "r\(number)", project: project, arrival: Int64(number),
                requests: devices(Int64.random(in: 1...3, using: &random)))
            state.submit(request)
            if (state.used + request.requests).fits(in: capacity) { state.place(request.id, at: 0) }
        }
        var rounds = 0
        while let (id, victims) = firstReclaim(&state, capacity), rounds < 500 {
            rounds += 1
            for victim in victims.flatMap(\.workloads) {
                guard let workload = state.release(victim, at: 100) else { continue }
                state.submit(
                    PendingRequest(
                        id: victim, project: workload.project, arrival: Int64(1000 + rounds),
                        requests: workload.requests))
            }
            state.place(id, at: 100)
            #expect(state.used.fits(in: capacity))
        }
        #expect(rounds < 200)
    }

    private func firstReclaim(
        _ state: inout AdmissionState, _ capacity: ResourceVector
    ) -> (String, [ReclaimCandidate])? {
        for entry in state.order(at: 100).entries {
            let offer = state.reclaimOffer(for: entry.id, at: 100)
            let victims = state.reclaimSet(from: offer, for: entry.id, at: 100)
            let freed = victims.reduce(ResourceVector.zero) { $0 + $1.requests }
            if !victims.isEmpty, (state.used - freed + entry.requests).fits(in: capacity) { return (entry.id, victims) }
        }
        return nil
    }
}
