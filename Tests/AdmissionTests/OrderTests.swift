import Admission
import Testing

@Suite("The order of the queue")
struct OrderTests {
    private func devices(_ count: Int64) -> ResourceVector { ResourceVector(milliDevices: count * 1000) }

    private func request(
        _ id: String, _ project: String, _ count: Int64 = 1, at arrival: Int64 = 0, priority: Int64 = 0
    ) -> PendingRequest {
        PendingRequest(id: id, project: project, priority: priority, arrival: arrival, requests: devices(count))
    }

    private func ids(_ state: inout AdmissionState, at now: Int64 = 100) -> [String] {
        state.order(at: now).entries.map(\.id)
    }

    @Test("Urgent ones go first, whatever their project uses")
    func priority() {
        var state = AdmissionState(projects: [Project("a"), Project("b")], capacity: devices(4))
        state.submit(request("run", "a", 4))
        state.place("run", at: 0)
        state.submit(request("calm", "b", at: 1))
        state.submit(request("urgent", "a", at: 2, priority: 10))
        #expect(ids(&state) == ["urgent", "calm"])
    }

    @Test("Who is below its guarantee goes before who is further below its fair share")
    func guaranteeFirst() {
        var sure = Project("sure")
        sure.guaranteed = devices(4)
        var state = AdmissionState(projects: [Project("free", weight: 9), sure], capacity: devices(10))
        state.submit(request("run", "sure", 3))
        state.place("run", at: 0)
        state.submit(request("free", "free", 6, at: 1))
        state.submit(request("first", "sure", at: 2))
        state.submit(request("second", "sure", at: 3))
        // The second would go beyond the guarantee of 4.
        #expect(ids(&state) == ["first", "free", "second"])
    }

    // Shares of 12 are 9 and 3. Saturations rise as each is placed: 0/9 and 0/3 tie, a is older; 1/9 is above 0/3, so
    // b; then 1/9, 2/9 and 3/9 are not above 1/3 (which ties with the older a's 3/9), so three more of a and one more.
    @Test("Projects take turns by their weights")
    func turns() {
        var state = AdmissionState(projects: [Project("a", weight: 3), Project("b")], capacity: devices(12))
        for number in 0..<12 { state.submit(request("a\(number)", "a", at: Int64(number))) }
        for number in 0..<12 { state.submit(request("b\(number)", "b", at: Int64(50 + number))) }
        let turns = ids(&state).map { String($0.prefix(1)) }.prefix(12).joined()
        #expect(turns == "abaaabaaabaa")
    }

    @Test("Whose share of any resource is used most waits longest: the dominant one counts")
    func dominant() {
        var state = AdmissionState(
            projects: [Project("cores"), Project("memory")],
            capacity: ResourceVector(milliDevices: 10_000, mebibytes: 10_000))
        // Of what both want, each has a fair half.
        var one = PendingRequest(id: "c0", project: "cores", arrival: 0, requests: .zero)
        one.requests = ResourceVector(milliDevices: 2000, mebibytes: 3000)
        var other = PendingRequest(id: "m0", project: "memory", arrival: 0, requests: .zero)
        other.requests = ResourceVector(milliDevices: 1000, mebibytes: 4000)
        for request in [one, other] {
            state.submit(request)
            state.place(request.id, at: 1)
        }
        for (id, project) in [("a1", "memory"), ("z1", "cores")] {
            var wish = PendingRequest(id: id, project: project, arrival: 2, requests: .zero)
            wish.requests = ResourceVector(milliDevices: 9000, mebibytes: 9000)
            state.submit(wish)
        }
        #expect(ids(&state) == ["z1", "a1"])
    }

    @Test("Below a project its own projects are compared, not those of others")
    func hierarchy() {
        var state = AdmissionState(
            projects: [
                Project("big", weight: 1), Project("small", weight: 1), Project("x", parent: "big"),
                Project("y", parent: "big"),
            ], capacity: devices(8))
        state.submit(request("run", "x", 3))
        state.place("run", at: 0)
        state.submit(request("x", "x", at: 1))
        state.submit(request("y", "y", at: 2))
        state.submit(request("own", "big", at: 3))
        for number in 0..<8 { state.submit(request("s\(number)", "small", at: Int64(10 + number))) }
        let order = ids(&state)
        // small has nothing and big 3 of its 4; inside big, y and big's own work have nothing.
        #expect(order.prefix(3) == ["s0", "s1", "s2"])
        #expect(order.filter { !$0.hasPrefix("s") } == ["y", "own", "x"])
    }

    @Test("The same state gives the same order, in whatever order it was told", arguments: 0..<20 as Range<UInt64>)
    func deterministic(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let projects = RandomFleet.projects(using: &random)
        var requests = (0..<60).map { RandomFleet.request("r\($0)", projects, at: Int64($0 / 7), using: &random) }
        let running = requests.prefix(10)
        requests.removeFirst(10)
        func order(_ requests: [PendingRequest]) -> [QueueEntry] {
            var state = AdmissionState(projects: projects, capacity: devices(9))
            for request in running { state.book(RunningWorkload(request, startedAt: 0), at: 0) }
            for request in requests { state.submit(request) }
            return state.order(at: 50).entries
        }
        let expected = order(requests)
        #expect(order(requests.shuffled(using: &random)) == expected)
        #expect(order(requests.reversed()) == expected)
        #expect(Set(expected.map(\.id)).count == 50)
    }

    @Test("A short look has the same start as a long one", arguments: 0..<20 as Range<UInt64>)
    func prefix(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let projects = RandomFleet.projects(using: &random)
        var state = AdmissionState(projects: projects, capacity: devices(9))
        for number in 0..<50 { state.submit(RandomFleet.request("r\(number)", projects, at: 1, using: &random)) }
        let all = state.order(at: 5)
        let some = state.order(at: 5, limit: 4)
        #expect(all.isComplete)
        #expect(Array(some.ready) == Array(all.ready.prefix(4)))
    }

    @Test("What is withdrawn, resubmitted or placed is in the queue once or not at all")
    func churn() {
        var state = AdmissionState(projects: [Project("a")], capacity: devices(4))
        for number in 0..<6 { state.submit(request("r\(number)", "a", at: Int64(number))) }
        state.withdraw("r1")
        state.place("r2", at: 5)
        state.submit(request("r3", "a", at: 99))
        state.submit(request("new", "a", at: 50))
        #expect(ids(&state) == ["r0", "r4", "r5", "new", "r3"])
        state.submit(request("again", "a", at: 60))
        #expect(ids(&state) == ["r0", "r4", "r5", "new", "again", "r3"])
        #expect(state.waitingCount == 6)
        #expect(state.withdraw("r1") == nil)
    }

    // b has no weight and all devices are wanted by a: its fair share is nothing, and a never ends.
    @Test("Once in a while the oldest of each project goes first, but only the oldest")
    func oldestFirst() {
        var policy = AdmissionPolicy()
        policy.patienceMilliseconds = 1000
        var state = AdmissionState(
            projects: [Project("a"), Project("b", weight: 0)], capacity: devices(2), policy: policy)
        for number in 0..<3 { state.submit(request("a\(number)", "a", at: Int64(500 + number), priority: 1)) }
        for number in 0..<3 { state.submit(request("b\(number)", "b", at: Int64(number))) }
        #expect(ids(&state, at: 999) == ["a0", "a1", "a2", "b0", "b1", "b2"])
        #expect(ids(&state, at: 1000) == ["b0", "a0", "a1", "a2", "b1", "b2"])
        state.place("b0", at: 1200)
        #expect(ids(&state, at: 1400) == ["a0", "a1", "a2", "b1", "b2"])
        #expect(ids(&state, at: 2200) == ["b1", "a0", "a1", "a2", "b2"])
        // More urgent than an overdue one is still first.
        state.submit(request("now", "a", at: 2300, priority: 10_001))
        #expect(ids(&state, at: 2300).prefix(3) == ["now", "b1", "a0"])
        #expect(state.order(at: 2300).entries.first { $0.id == "b1" }?.isOverdue == true)
    }

    @Test("Who has waited too long is not passed by younger ones at the quota")
    func overdue() throws {
        var policy = AdmissionPolicy()
        policy.patienceMilliseconds = 1000
        var project = Project("a")
        project.requestCap = devices(4)
        var state = AdmissionState(projects: [project], capacity: devices(9), policy: policy)
        state.submit(request("run", "a", 2))
        state.place("run", at: 0)
        state.submit(request("large", "a", 4, at: 0))
        state.submit(request("small", "a", 1, at: 900, priority: 5))
        #expect(Array(state.order(at: 999).ready).map(\.id) == ["small"])
        let late = state.order(at: 1000)
        #expect(Array(late.ready).isEmpty)
        #expect(late.entries.last?.standing == .behind("large", project: "a"))
        state.release("run", at: 1001)
        #expect(Array(state.order(at: 1001).ready).map(\.id) == ["large"])
        #expect(late.entries[1].explanation(at: 1000).hasPrefix("large has waited longer for the quota of project a"))
    }

    /// A small fleet where work always waits: each step some ends, and what is ready and fits is placed.
    @Test("Nobody who may be admitted waits for ever", arguments: 0..<6 as Range<UInt64>)
    func noStarvation(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var policy = AdmissionPolicy()
        policy.patienceMilliseconds = 60_000
        let projects = RandomFleet.projects(using: &random)
        let capacity = ResourceVector(milliDevices: 6000, vgpus: 20, workloads: .max)
        var state = AdmissionState(projects: projects, capacity: capacity, policy: policy)
        var ends: [(time: Int64, id: String)] = []
        var never: Set<String> = []
        for step in 0..<1500 {
            let now = Int64(step) * 1000
            if step < 900 {
                let request = RandomFleet.request("r\(step)", projects, at: now, using: &random)
                if state.submit(request) != nil { never.insert(request.id) }
            }
            for end in ends where end.time <= now { state.release(end.id, at: now) }
            ends.removeAll { $0.time <= now }
            for entry in state.order(at: now, limit: 4).ready {
                guard (state.used + entry.requests).fits(in: capacity) else { break }
                state.place(entry.id, at: now)
                ends.append((now + Int64.random(in: 1...3, using: &random) * 1000, entry.id))
            }
            guard step % 50 == 0 else { continue }
            for entry in state.order(at: now).entries where !never.contains(entry.id) {
                let age = now - (state.request(entry.id)?.arrival ?? now)
                #expect(age < 600_000, "\(entry.id) waits at step \(step): \(entry.explanation(at: now))")
            }
        }
        #expect(state.waitingCount == never.count)
    }
}
