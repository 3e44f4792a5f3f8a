import Admission
import Testing

@Suite("Gangs, rests and reasons")
struct WaitingTests {
    private func request(_ id: String, at arrival: Int64 = 0) -> PendingRequest {
        PendingRequest(id: id, project: "a", arrival: arrival, requests: ResourceVector(milliDevices: 1000))
    }

    private func state() -> AdmissionState {
        AdmissionState(projects: [Project("a")], capacity: ResourceVector(milliDevices: 4000))
    }

    @Test("A gang waits for its members, and not for ever")
    func gang() {
        var state = state()
        var gang = request("gang")
        gang.readiness = GangReadiness(minimum: 4, present: 1, since: 1000, timeoutMilliseconds: 5000)
        state.submit(gang)
        state.submit(request("other", at: 10))
        let forming = state.order(at: 3500).entries
        #expect(forming.map(\.id) == ["other", "gang"])
        #expect(forming[1].standing == .forming(missing: 3, until: 6000))
        #expect(forming[1].explanation(at: 3500) == "3 of its gang are missing; they are waited for another 3 s.")
        #expect(!forming[1].isDemand)
        #expect(state.order(at: 6000).entries[1].standing == .timedOut(missing: 3))
        state.setPresent(4, of: "gang")
        #expect(state.order(at: 9000).entries.first?.id == "gang")
    }

    @Test("A gang without a timeout waits as long as it takes, and an absurd timeout is none")
    func patientGang() {
        let patient = GangReadiness(minimum: 2, present: 1, since: 0)
        #expect(patient.state(at: .max) == .forming(missing: 1, until: nil))
        let absurd = GangReadiness(minimum: 2, present: 1, since: 5, timeoutMilliseconds: .max)
        #expect(absurd.state(at: 100) == .forming(missing: 1, until: nil))
    }

    @Test("Rests double up to a bound, and jitter only shortens them")
    func rests() {
        let plain = Backoff(firstMilliseconds: 100, longestMilliseconds: 1000, jitterThousandths: 0)
        #expect((0...6).map { plain.rest(afterFailures: $0, random: 77) } == [0, 100, 200, 400, 800, 1000, 1000])
        #expect(plain.rest(afterFailures: .max, random: 0) == 1000)
        let jittered = Backoff(firstMilliseconds: 1000, longestMilliseconds: 1000, jitterThousandths: 200)
        let rests = (0..<1000).map { jittered.rest(afterFailures: 1, random: UInt64($0)) }
        #expect(rests.min() == 800)
        #expect(rests.max() == 1000)
        let endless = Backoff(firstMilliseconds: .max, longestMilliseconds: .max, jitterThousandths: 1000)
        #expect(endless.rest(afterFailures: 9, random: .max) >= 0)
    }

    @Test("Who rests lets others go first, comes back in time, or as soon as room is made")
    func resting() {
        var state = state()
        state.submit(request("old", at: 0))
        state.submit(request("new", at: 5))
        #expect(state.failed("old", at: 100, random: 0) == 1100)
        #expect(state.order(at: 100).entries.map(\.id) == ["new", "old"])
        #expect(Array(state.order(at: 100).ready).map(\.id) == ["new"])
        #expect(state.order(at: 1100).entries.map(\.id) == ["old", "new"])
        #expect(state.failed("old", at: 1100, random: 0) == 3100)
        let rest = state.order(at: 1100).entries[1]
        #expect(
            rest.explanation(at: 1100)
                == "No room was found for it 2 times; the next try is in 2 s, or as soon as room is made.")
        state.retryAll()
        #expect(state.order(at: 1101).entries.map(\.id) == ["old", "new"])
        #expect(state.failed("nobody", at: 0, random: 0) == nil)
    }

    @Test("Each place in the queue has its sentence")
    func sentences() {
        var state = state()
        for number in 0..<4 { state.submit(request("r\(number)", at: Int64(number))) }
        let sentences = state.order(at: 10).entries.map { $0.explanation(at: 10) }
        #expect(
            sentences == [
                "It is next.", "1 request goes first; project a uses 25 % of its fair share by then.",
                "2 requests go first; project a uses 50 % of its fair share by then.",
                "3 requests go first; project a uses 75 % of its fair share by then.",
            ])
    }

    @Test("Amounts read well")
    func amounts() {
        #expect(QuotaResource.compute.text(1500) == "1.5 devices of compute")
        #expect(QuotaResource.speed.text(12_345) == "12.345 TFLOPS")
        #expect(QuotaResource.memory.text(1536) == "1.5 GiB of memory")
        #expect(QuotaResource.memory.text(500) == "500 MiB of memory")
        #expect(QuotaResource.memory.text(3175) == "3.101 GiB of memory")
        #expect(QuotaResource.vgpus.text(1) == "1 vGPU")
        #expect(QuotaResource.workloads.text(0) == "0 workloads")
    }
}
