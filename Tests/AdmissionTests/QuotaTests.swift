import Admission
import Testing

@Suite("Quotas")
struct QuotaTests {
    private func devices(_ count: Int64) -> ResourceVector { ResourceVector(milliDevices: count * 1000, vgpus: count) }

    private func request(_ id: String, _ project: String, _ amount: ResourceVector, at arrival: Int64 = 0)
        -> PendingRequest
    {
        PendingRequest(id: id, project: project, arrival: arrival, requests: amount)
    }

    private func capped(_ name: String, below parent: String? = nil, devices count: Int64) -> Project {
        var project = Project(name, parent: parent)
        project.requestCap.milliDevices = count * 1000
        return project
    }

    @Test("Arithmetic stops at its ends instead of overflowing")
    func saturation() {
        let most = ResourceVector.unlimited
        #expect(most + ResourceVector(repeating: 1) == most)
        #expect(most - ResourceVector(repeating: 1) == most)
        #expect(devices(1) - devices(3) == .zero)
        #expect(devices(3).times(.max).milliDevices == .max)
        #expect(ResourceVector(repeating: -5).clamped == .zero)
        #expect(most.clamped == .largestRequest)
    }

    @Test("A request counts along the whole path, and the refusal names the project, the resource and the amount")
    func path() throws {
        var state = AdmissionState(
            projects: [
                capped("lab", devices: 8), capped("vision", below: "lab", devices: 6), Project("text", parent: "lab"),
            ],
            capacity: devices(100))
        state.submit(request("a", "vision", devices(5)))
        state.place("a", at: 1)
        #expect(state.refusal(of: request("b", "text", devices(3))) == nil)
        let upper = try #require(state.refusal(of: request("b", "text", devices(4))))
        #expect(upper.project == "lab")
        #expect(upper.rule == .requests(.compute))
        #expect((upper.asked, upper.used, upper.allowed) == (4000, 5000, 8000))
        #expect(upper.shortfall == 1000)
        #expect(!upper.isPermanent)
        #expect(
            upper.message
                == "The quota of project lab allows requests of 8 devices of compute; 5 devices in use, and this one "
                + "asks for 4 devices, 1 device too much. It can go when workloads of lab give 1 device back, or when "
                + "the quota's requests are raised by as much.")
        let both = state.refusals(of: request("b", "vision", devices(4)))
        #expect(both.map(\.project) == ["vision", "lab"])
        state.release("a", at: 2)
        #expect(state.refusal(of: request("b", "text", devices(4))) == nil)
    }

    @Test("Limits have a cap of their own")
    func limits() throws {
        var project = Project("lab")
        project.limitCap.mebibytes = 1000
        let state = AdmissionState(projects: [project], capacity: devices(100))
        var wish = request("a", "lab", ResourceVector(mebibytes: 400))
        wish.limits.mebibytes = 1200
        let refusal = try #require(state.refusal(of: wish))
        #expect(refusal.rule == .limits(.memory))
        #expect(refusal.shortfall == 200)
        #expect(refusal.isPermanent)
    }

    @Test("Bounds for a single workload hold for all below, for requests and limits")
    func bounds() throws {
        var lab = Project("lab")
        lab.bounds.devices = 4
        lab.bounds.mebibytes = 2048
        let state = AdmissionState(projects: [lab, Project("vision", parent: "lab")], capacity: devices(100))
        let wide = WorkloadShape(devices: 5, request: DeviceShare(milliDevices: 500))
        let deep = WorkloadShape(request: DeviceShare(mebibytes: 1024), limit: DeviceShare(mebibytes: 4096))
        let broken = [wide, deep].compactMap {
            state.refusal(of: PendingRequest(id: "a", project: "vision", arrival: 0, shape: $0))
        }
        #expect(broken.map(\.rule) == [.bound(.devices), .bound(.memory)])
        #expect(broken.map(\.shortfall) == [1, 2048])
        #expect(broken.allSatisfy { $0.project == "lab" && $0.isPermanent })
    }

    @Test("The nearest project's defaults complete a wish; a speed replaces a default share")
    func defaults() {
        var lab = Project("lab")
        lab.defaults.devices = 2
        lab.defaults.memoryRequest = 512
        lab.defaults.compute = (DeviceShare(milliDevices: 100), DeviceShare(milliDevices: 200))
        var vision = Project("vision", parent: "lab")
        vision.defaults.memoryRequest = 1024
        let state = AdmissionState(projects: [lab, vision], capacity: devices(100))
        let plain = state.shape(of: WorkloadWish(), replicas: 3, in: "vision")
        #expect(plain.devices == 2)
        #expect(plain.request == DeviceShare(milliDevices: 100, mebibytes: 1024))
        #expect(plain.limit == DeviceShare(milliDevices: 200, mebibytes: 1024))
        #expect(plain.requests() == ResourceVector(milliDevices: 600, mebibytes: 6144, vgpus: 6, workloads: 1))
        var fast = WorkloadWish()
        fast.compute = (DeviceShare(milliTeraflops: 9000), DeviceShare(milliTeraflops: 9000))
        #expect(state.shape(of: fast, replicas: 1, in: "vision").request.milliDevices == 0)
        #expect(state.shape(of: WorkloadWish(), replicas: 1, in: "nowhere").request.milliDevices == 1000)
    }

    @Test("What a quota keeps out is no demand for nodes; what found no room is")
    func demand() {
        var state = AdmissionState(projects: [capped("lab", devices: 3), Project("free")], capacity: devices(1))
        for number in 0..<5 { state.submit(request("lab\(number)", "lab", devices(1), at: Int64(number))) }
        state.submit(request("free", "free", devices(2), at: 9))
        state.submit(request("huge", "lab", devices(4), at: 10))
        state.submit(request("lost", "nowhere", devices(1), at: 11))
        state.failed("free", at: 20, random: 0)
        let order = state.order(at: 21)
        #expect(order.demand.milliDevices == 5000)
        let standings = Dictionary(uniqueKeysWithValues: order.entries.map { ($0.id, $0) })
        #expect(standings["lab2"]?.standing == .ready)
        #expect(standings["lab3"]?.isDemand == false)
        #expect(standings["free"]?.standing == .resting(until: 1020, failures: 1))
        #expect(standings["huge"]?.isDemand == false)
        #expect(standings["lost"]?.explanation(at: 21).hasPrefix("There is no project nowhere") == true)
        #expect(order.entries.map(\.position) == Array(1...8))
        // A raised quota lets all of them in again.
        state.setProjects([Project("lab"), Project("free"), Project("nowhere")], at: 30)
        #expect(state.order(at: 2000).demand.milliDevices == 12_000)
    }

    @Test("What can't be taken back is held to the guarantee where the policy says so")
    func keptWithinGuarantee() throws {
        var policy = AdmissionPolicy()
        policy.keepsWithinGuarantee = true
        var lab = Project("lab")
        lab.guaranteed.milliDevices = 2000
        var state = AdmissionState(projects: [lab, Project("free")], capacity: devices(10), policy: policy)
        var wish = request("a", "lab", devices(2))
        wish.isPreemptible = false
        #expect(state.refusal(of: wish) == nil)
        state.submit(wish)
        state.place("a", at: 1)
        wish.id = "b"
        #expect(state.refusal(of: wish)?.rule == .guarantee(.compute))
        wish.project = "free"
        #expect(state.refusal(of: wish)?.isPermanent == true)
        wish.isPreemptible = true
        #expect(state.refusal(of: wish) == nil)
    }

    @Test("A tree that is not in order says what is wrong, and keeps the rest")
    func problems() {
        var parent = Project("lab")
        parent.guaranteed.vgpus = 3
        var child = Project("vision", parent: "lab")
        child.guaranteed.vgpus = 5
        let state = AdmissionState(
            projects: [
                parent, child, Project("lab"), Project("a", parent: "b"), Project("b", parent: "a"),
                Project("c", parent: "gone"), Project("", parent: nil),
            ], capacity: devices(1))
        #expect(
            Set(state.problems) == [
                .duplicate("lab"), .cycle("a"), .cycle("b"), .unknownParent(project: "c", parent: "gone"),
                .overcommitted(project: "lab", resource: .vgpus, stated: 3, below: 5),
            ])
        #expect(state.refusal(of: request("x", "a", devices(1)))?.rule == .unknownProject)
        #expect(state.refusal(of: request("x", "vision", devices(1))) == nil)
    }

    @Test("A project's standing has what it uses, borrows and should have, and an alert in time")
    func standing() {
        var lab = capped("lab", devices: 10)
        lab.guaranteed = devices(4)
        lab.alertThousandths = 800
        var state = AdmissionState(projects: [lab, Project("free")], capacity: devices(12))
        state.submit(request("a", "lab", devices(7)))
        state.place("a", at: 1)
        state.submit(request("b", "free", devices(20), at: 2))
        var standing = state.standing(of: "lab", at: 3)
        #expect(standing?.borrowed == devices(3))
        // 4 are guaranteed; of the other 8 it could get half, and wants 3.
        #expect(standing?.fairShare.milliDevices == 7000)
        #expect(standing?.saturation == 1)
        #expect(standing?.alerts == [])
        state.submit(request("c", "lab", devices(1)))
        state.place("c", at: 4)
        standing = state.standing(of: "lab", at: 5)
        #expect(standing?.alerts == [.compute])
        #expect(state.standing(of: "nowhere", at: 5) == nil)
    }

    @Test(
        "Nothing that the order calls ready breaks a cap on its path, whatever happens",
        arguments: 0..<60 as Range<UInt64>)
    func neverExceeded(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let projects = RandomFleet.projects(using: &random)
        var state = AdmissionState(projects: projects, capacity: devices(40))
        var names: [String] = []
        for step in 0..<120 {
            let now = Int64(step) * 1000
            state.submit(RandomFleet.request("r\(step)", projects, at: now, using: &random))
            let ready = Array(state.order(at: now, limit: 3).ready)
            // All that are ready in one look may be placed together.
            for entry in ready where Bool.random(using: &random) {
                state.place(entry.id, at: now)
                names.append(entry.id)
            }
            for project in projects {
                let standing = state.standing(of: project.name, at: now)
                #expect(standing?.requests.fits(in: project.requestCap) == true, "\(project.name) at \(step)")
                #expect(standing?.limits.fits(in: project.limitCap) == true, "\(project.name) at \(step)")
            }
            if Int.random(in: 0..<3, using: &random) == 0, let name = names.randomElement(using: &random) {
                state.release(name, at: now)
            }
        }
        for name in names { state.release(name, at: 200_000) }
        #expect(state.used == .zero)
    }

    @Test("Fair shares of siblings never add up to more than there is", arguments: 0..<60 as Range<UInt64>)
    func sharesWithinCapacity(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let projects = RandomFleet.projects(using: &random)
        var state = AdmissionState(projects: projects, capacity: devices(9))
        for number in 0..<40 { state.submit(RandomFleet.request("r\(number)", projects, at: 0, using: &random)) }
        var shares: [String?: ResourceVector] = [nil: devices(9)]
        for project in projects { shares[project.name] = state.standing(of: project.name, at: 1)?.fairShare }
        for parent in shares.keys {
            let below = projects.filter { $0.parent == parent }.compactMap { shares[$0.name] }
            let sum = below.reduce(ResourceVector.zero, +)
            let most = try #require(shares[parent])
            #expect(sum.milliDevices <= most.milliDevices && sum.vgpus <= most.vgpus)
        }
        // With that much asked for, nothing is left over at the top.
        let wanted = projects.filter { $0.parent == nil }.compactMap { state.standing(of: $0.name, at: 1)?.demand }
            .reduce(ResourceVector.zero, +)
        let given = projects.filter { $0.parent == nil }.compactMap { shares[$0.name] }.reduce(ResourceVector.zero, +)
        #expect(given.milliDevices == min(wanted.milliDevices, 9000))
    }
}

/// Trees and requests for tests that look at many.
enum RandomFleet {
    static func projects(using random: inout SeededGenerator) -> [Project] {
        var projects: [Project] = []
        for number in 0..<8 {
            let parent = number < 3 ? nil : projects[Int.random(in: 0..<number, using: &random)].name
            var project = Project("p\(number)", parent: parent)
            project.weight = Double(Int.random(in: 0...3, using: &random))
            project.guaranteed.milliDevices = Int64.random(in: 0...4, using: &random) * 1000
            if Bool.random(using: &random) {
                project.requestCap.milliDevices = Int64.random(in: 2...12, using: &random) * 1000
            }
            if Bool.random(using: &random) { project.limitCap.vgpus = Int64.random(in: 2...12, using: &random) }
            projects.append(project)
        }
        return projects
    }

    static func request(
        _ id: String, _ projects: [Project], at now: Int64, using random: inout SeededGenerator
    ) -> PendingRequest {
        let count = Int64.random(in: 1...4, using: &random)
        return PendingRequest(
            id: id, project: projects.randomElement(using: &random)?.name ?? "",
            priority: [0, 0, 5].randomElement(using: &random) ?? 0,
            arrival: now, requests: ResourceVector(milliDevices: count * 700, vgpus: count, workloads: 1))
    }
}
