import Admission

/// A fleet of teams with ten projects each, where as much runs as waits.
struct AdmissionBench {
    private let projects: [Project]
    private let requests: [PendingRequest]
    private var state: AdmissionState
    private var now: Int64 = 1_000_000_000

    init(teams: Int, requests count: Int) {
        var projects: [Project] = []
        for team in 0..<teams {
            var project = Project("team\(team)", weight: Double(1 + team % 3))
            project.guaranteed.milliDevices = 10_000
            projects.append(project)
            for part in 0..<10 {
                var project = Project("team\(team)-\(part)", parent: "team\(team)")
                project.requestCap.milliDevices = 100_000_000
                projects.append(project)
            }
        }
        var policy = AdmissionPolicy()
        policy.division.usageInfluence = 1
        policy.memory = UsageMemory(halfLifeMilliseconds: 86_400_000, windowMilliseconds: 604_800_000)
        var mixed: UInt64 = 1
        requests = (0..<count).map { number in
            mixed = mixed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let (team, part) = (Int(mixed >> 33) % teams, Int(mixed >> 20) % 10)
            return PendingRequest(
                id: "request\(number)", project: "team\(team)-\(part)", priority: Int64(mixed >> 45) % 3,
                arrival: 999_000_000 + Int64(number),
                requests: ResourceVector(
                    milliDevices: 250 + Int64(mixed >> 40) % 4 * 250, milliTeraflops: 40_000, mebibytes: 8192, vgpus: 1,
                    workloads: 1))
        }
        self.projects = projects
        let devices = Int64(count) / 2
        let capacity = ResourceVector(
            milliDevices: devices * 1000, milliTeraflops: devices * 80_000, mebibytes: devices * 81_920, vgpus: .max,
            workloads: .max)
        state = AdmissionState(projects: projects, capacity: capacity, policy: policy)
    }

    mutating func run(_ name: String) {
        measure("\(name).submit", perItem: requests.count) { bench in
            for request in bench.requests { bench.state.submit(request) }
        }
        measure("\(name).order-all-100k.cold") { bench in _ = bench.state.order(at: bench.now) }
        measureMedian("\(name).order-all-100k") { bench in
            bench.touch()
            _ = bench.state.order(at: bench.now)
        }
        measureMedian("\(name).order-first-64") { bench in
            bench.touch()
            _ = bench.state.order(at: bench.now, limit: 64)
        }
        measureMedian("\(name).fair-shares") { bench in
            bench.touch()
            _ = bench.state.standing(of: "team0", at: bench.now)
        }
        for request in requests {
            var running = request
            running.id = "running-" + request.id
            state.book(RunningWorkload(running, startedAt: now), at: now)
        }
        measure("\(name).book-and-release", perItem: 20_000) { bench in
            for request in bench.requests.prefix(20_000) {
                var other = request
                other.id = "other-" + request.id
                bench.state.book(RunningWorkload(other, startedAt: bench.now), at: bench.now)
                bench.state.release(other.id, at: bench.now)
            }
        }
        measureReclaim("\(name).reclaim-offer-100k-running")
    }

    /// One team alone asks, below its guarantee, where others have everything.
    private mutating func measureReclaim(_ name: String) {
        var reclaimer = Project("late", weight: 5)
        reclaimer.guaranteed.milliDevices = 50_000
        state.setProjects(projects + [reclaimer], at: now)
        state.submit(
            PendingRequest(
                id: "late", project: "late", priority: 9, arrival: now, requests: ResourceVector(milliDevices: 8000)))
        var count = 0
        measureMedian(name) { bench in
            bench.touch()
            count = bench.state.reclaimOffer(for: "late", at: bench.now).candidates.count
        }
        print("\(name).candidates \(count) gangs")
        measureMedian("\(name)-best-64") { bench in
            bench.touch()
            _ = bench.state.reclaimOffer(for: "late", at: bench.now, limit: 64)
        }
    }

    /// Something changes, and time goes on, so that nothing that was computed holds any more.
    private mutating func touch() {
        now += 1000
        state.withdraw("request7")
        state.submit(requests[7])
    }

    private mutating func measure(_ name: String, perItem count: Int = 0, _ work: (inout AdmissionBench) -> Void) {
        let nanoseconds = AdmissionBench.time { work(&self) }
        if count > 0 {
            print("\(name) \(nanoseconds / Int64(count)) ns")
        } else {
            print("\(name) \(AdmissionBench.milliseconds(nanoseconds)) ms")
        }
    }

    private mutating func measureMedian(_ name: String, _ work: (inout AdmissionBench) -> Void) {
        let times = (0..<15).map { _ in AdmissionBench.time { work(&self) } }.sorted()
        print("\(name) \(AdmissionBench.milliseconds(times[times.count / 2])) ms")
    }

    private static func time(_ work: () -> Void) -> Int64 {
        let parts = ContinuousClock().measure(work).components
        return parts.seconds * 1_000_000_000 + parts.attoseconds / 1_000_000_000
    }

    private static func milliseconds(_ nanoseconds: Int64) -> Double { Double(nanoseconds / 1000) / 1000 }
}
