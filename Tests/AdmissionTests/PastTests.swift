import Admission
import Testing

@Suite("The past")
struct PastTests {
    private static let hour: Int64 = 3_600_000

    private func devices(_ count: Int64) -> ResourceVector { ResourceVector(milliDevices: count * 1000) }

    private func policy(halfLife: Int64?, window: Int64? = nil, influence: Double = 1) -> AdmissionPolicy {
        var policy = AdmissionPolicy()
        policy.division.usageInfluence = influence
        policy.memory = UsageMemory(halfLifeMilliseconds: halfLife, windowMilliseconds: window)
        policy.patienceMilliseconds = nil
        return policy
    }

    // KAI's documentation: with a half-life of one hour a use one hour ago counts half.
    @Test(
        "A use counts half after each half-life",
        arguments: [(0, 1), (1, 0.5), (2, 0.25), (10, 0.0009765625), (2000, 0)] as [(Int64, Double)])
    func decay(_ hours: Int64, _ factor: Double) {
        let memory = UsageMemory(halfLifeMilliseconds: PastTests.hour)
        #expect(memory.decay(ageMilliseconds: hours * PastTests.hour) == factor)
    }

    @Test("Between half-lives the decay is the square root, and never rises")
    func smoothDecay() {
        let memory = UsageMemory(halfLifeMilliseconds: 1000)
        #expect(abs(memory.decay(ageMilliseconds: 500) - 0.707_106_781_186_547_5) < 1e-15)
        let values = (0...4000).map { memory.decay(ageMilliseconds: Int64($0)) }
        #expect(zip(values, values.dropFirst()).allSatisfy { $0 > $1 })
    }

    // KAI's documentation: 24 GPU-hours of ten GPUs over ten hours are 0.24, be it 8 GPUs for 3 hours or 12 for 2.
    // With k = 1 and equal weights, P is 0.5 + 0.5 − 0.24 = 0.76 against 0.5 + 0.5 = 1: 43.18 % of what is left over.
    @Test("Use is measured against the capacity of its time", arguments: [(8, 3), (12, 2)] as [(Int64, Int64)])
    func normalized(_ count: Int64, _ hours: Int64) throws {
        var state = AdmissionState(
            projects: [Project("a"), Project("b")], capacity: devices(10),
            policy: policy(halfLife: nil, window: 320 * PastTests.hour))
        // The capacity's time begins with the first look.
        _ = state.order(at: 0)
        state.submit(PendingRequest(id: "a", project: "a", arrival: 0, requests: devices(count)))
        state.place("a", at: 0)
        state.release("a", at: hours * PastTests.hour)
        for name in ["a", "b"] {
            state.submit(PendingRequest(id: "more \(name)", project: name, arrival: 0, requests: devices(10)))
        }
        let standing = state.standing(of: "a", at: 10 * PastTests.hour)
        let share = try #require(standing?.fairShare.milliDevices)
        #expect(abs(Double(share) - 10_000 * 0.76 / 1.76) <= 1)
    }

    @Test("What is older than the window is forgotten")
    func window() throws {
        var state = AdmissionState(
            projects: [Project("a"), Project("b")], capacity: devices(10),
            policy: policy(halfLife: nil, window: 32 * PastTests.hour))
        _ = state.order(at: 0)
        state.submit(PendingRequest(id: "a", project: "a", arrival: 0, requests: devices(10)))
        state.place("a", at: 0)
        state.release("a", at: PastTests.hour)
        for name in ["a", "b"] {
            state.submit(PendingRequest(id: "more \(name)", project: name, arrival: 0, requests: devices(10)))
        }
        let soon = state.standing(of: "a", at: 20 * PastTests.hour)
        let late = state.standing(of: "a", at: 40 * PastTests.hour)
        #expect(try #require(soon).fairShare.milliDevices < 4900)
        #expect(late?.fairShare.milliDevices == 5000)
    }

    /// KAI's first story of fairness over time: two projects that each always want all devices for an hour at a time.
    /// Without a memory the older name always wins. With one they take turns, and their hours follow their weights.
    @Test("Two who each want everything share the hours by their weights", arguments: [1.0, 3.0])
    func takingTurns(_ weight: Double) {
        var state = AdmissionState(
            projects: [Project("a", weight: weight), Project("b")], capacity: devices(16),
            policy: policy(halfLife: 12 * PastTests.hour, window: 168 * PastTests.hour))
        var hours = ["a": 0, "b": 0]
        for step in 0..<400 {
            let now = Int64(step) * PastTests.hour
            for name in ["a", "b"] where state.request(name) == nil {
                state.submit(PendingRequest(id: name, project: name, arrival: 0, requests: devices(16)))
            }
            guard let next = state.order(at: now, limit: 1).ready.first(where: { _ in true }) else { continue }
            state.place(next.id, at: now)
            state.release(next.id, at: now + PastTests.hour)
            // The first days set the scales in motion.
            if step >= 100 { hours[next.project, default: 0] += 1 }
        }
        let part = Double(hours["a"] ?? 0) / 300
        #expect(abs(part - weight / (weight + 1)) < 0.03, "\(hours)")
    }

    /// Small jobs of both, all the time: one began ten hours earlier and had everything. It falls behind until the
    /// other has caught up, and then both have their parts.
    @Test("Who came later catches up, and then parts follow the weights")
    func catchingUp() {
        var state = AdmissionState(
            projects: [Project("a"), Project("b", weight: 2)], capacity: devices(12),
            policy: policy(halfLife: 6 * PastTests.hour))
        var ends: [(time: Int64, id: String)] = []
        var waiting = [0, 0]
        var early = [0, 0]
        var late = [0, 0]
        for step in 0..<(4 * 24 * 12) {
            let now = Int64(step) * PastTests.hour / 12
            for end in ends where end.time <= now { state.release(end.id, at: now) }
            ends.removeAll { $0.time <= now }
            for (index, name) in ["a", "b"].enumerated() where index == 0 || step >= 120 {
                for job in waiting[index]..<12 {
                    state.submit(
                        PendingRequest(
                            id: "\(name)\(step).\(job)", project: name, arrival: now, requests: devices(1)))
                }
                waiting[index] = 12
            }
            for entry in state.order(at: now, limit: 12).ready {
                guard (state.used + entry.requests).fits(in: devices(12)) else { break }
                state.place(entry.id, at: now)
                waiting[entry.project == "a" ? 0 : 1] -= 1
                ends.append((now + PastTests.hour, entry.id))
            }
            for id in ends.map(\.id) {
                let index = id.hasPrefix("a") ? 0 : 1
                if (144..<216).contains(step) { early[index] += 1 }
                if step >= 600 { late[index] += 1 }
            }
        }
        let before = Double(early[0]) / Double(early[0] + early[1])
        let after = Double(late[0]) / Double(late[0] + late[1])
        #expect(before < 0.3, "\(early)")
        #expect(abs(after - 1.0 / 3) < 0.03, "\(late)")
    }
}
