import Scheduling
import Testing

@Suite("Affinity")
struct AffinityTests {
    private static let hosts = (0..<4).map { Fleets.host("h\($0)", rack: "r\($0 / 2)") }

    private func labelled(_ id: String, app: String, _ terms: [AffinityTerm] = []) -> WorkloadRequest {
        var request = Fleets.request(id, milli: 100)
        request.labels = ["app": app]
        request.affinity = terms
        return request
    }

    private func place(_ request: WorkloadRequest, in scheduler: Scheduler) throws -> String? {
        guard let placement = try scheduler.placement(for: request) else { return nil }
        try scheduler.apply(.place(request, placement))
        return placement.homeHost
    }

    @Test("Replicas that want to be apart go to different hosts until there are none")
    func apart() throws {
        let scheduler = try Fleets.scheduler(AffinityTests.hosts)
        let term = AffinityTerm(.apart, workloads: LabelSelector(equal: ["app": "web"]), level: .host)
        var used: Set<String> = []
        for number in 0..<4 {
            used.insert(try #require(try place(labelled("w\(number)", app: "web", [term]), in: scheduler)))
        }
        #expect(used.count == 4)
        #expect(try place(labelled("w4", app: "web", [term]), in: scheduler) == nil)
        try scheduler.apply(.release(workload: "w1"))
        #expect(try place(labelled("w4", app: "web", [term]), in: scheduler) != nil)
    }

    @Test("Those in place repel newcomers that they want to be apart from")
    func symmetric() throws {
        let scheduler = try Fleets.scheduler([Fleets.host("h0"), Fleets.host("h1", rack: "r1")])
        let term = AffinityTerm(.apart, workloads: LabelSelector(equal: ["app": "noisy"]), level: .rack)
        let home = try #require(try place(labelled("quiet", app: "quiet", [term]), in: scheduler))
        let other = try #require(try place(labelled("noisy0", app: "noisy"), in: scheduler))
        #expect(home != other)
        try scheduler.apply(.cordonHost(name: other, isCordoned: true))
        #expect(try place(labelled("noisy1", app: "noisy"), in: scheduler) == nil)
        try scheduler.apply(.release(workload: "quiet"))
        #expect(try place(labelled("noisy1", app: "noisy"), in: scheduler) == home)
    }

    @Test("Nearness is to others, and the first of a kind may start it")
    func near() throws {
        let scheduler = try Fleets.scheduler(AffinityTests.hosts)
        let toData = AffinityTerm(.near, workloads: LabelSelector(equal: ["app": "data"]), level: .rack)
        #expect(try place(labelled("early", app: "train", [toData]), in: scheduler) == nil)
        var data = labelled("data", app: "data")
        data.nominatedHosts = ["h3"]
        #expect(try place(data, in: scheduler) == "h3")
        let home = try #require(try place(labelled("train", app: "train", [toData]), in: scheduler))
        #expect(["h2", "h3"].contains(home))
        let own = AffinityTerm(.near, workloads: LabelSelector(equal: ["app": "ring"]), level: .host)
        let first = try #require(try place(labelled("ring0", app: "ring", [own]), in: scheduler))
        #expect(try place(labelled("ring1", app: "ring", [own]), in: scheduler) == first)
    }

    @Test("A soft term is a wish that comes before packing")
    func soft() throws {
        let scheduler = try Fleets.scheduler(AffinityTests.hosts)
        var data = labelled("data", app: "data")
        data.nominatedHosts = ["h2"]
        #expect(try place(data, in: scheduler) == "h2")
        let away = AffinityTerm(.apart, workloads: LabelSelector(equal: ["app": "data"]), level: .rack, isHard: false)
        let home = try #require(try place(labelled("w0", app: "web", [away]), in: scheduler))
        #expect(["h0", "h1"].contains(home))
        for name in ["h0", "h1"] { try scheduler.apply(.cordonHost(name: name, isCordoned: true)) }
        #expect(try place(labelled("w1", app: "web", [away]), in: scheduler) != nil)
    }
}
