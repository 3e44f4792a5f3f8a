import FleetAgent
import FleetModel

/// A machine with an agent and with workers that take time to start and to end, and sometimes fail.
final class SimulatedNode {
    /// A worker's part of devices, from its start until nothing of it is left.
    struct Worker {
        var vgpu: Resource<VirtualGPUSpec>
        var isEnding = false
    }

    let name: String
    let deviceCount: Int
    let memory: Int64
    private let world: World
    private let planes: [Plane]
    private var core = AgentCore(epoch: 1)
    private var epoch: Int64 = 1
    private var life = 0
    private(set) var workers: [String: Worker] = [:]
    /// Until when nothing gets through.
    var cutOffUntil: Int64 = 0
    var onWorkers: () throws -> Void = {}
    var failurePercent: Int64 = 3

    init(_ name: String, deviceCount: Int, memory: Int64, _ world: World, _ planes: [Plane]) {
        self.name = name
        self.deviceCount = deviceCount
        self.memory = memory
        self.world = world
        self.planes = planes
    }

    func start() {
        beat(life)
    }

    /// The agent starts again; the workers of the one before ended with it.
    func restart() {
        life += 1
        epoch += 1
        workers = [:]
        core = AgentCore(epoch: epoch)
        beat(life)
    }

    private func later(_ milliseconds: Int64, _ action: @escaping () throws -> Void) {
        let planned = life
        world.after(milliseconds) { [self] in if life == planned { try action() } }
    }

    private func beat(_ planned: Int) {
        later(world.pick(700...1300)) { [self] in
            beat(planned)
            guard world.now >= cutOffUntil, let plane = world.choose(planes.filter(\.isAlive)) else { return }
            guard !world.happens(4) else { return }
            let reports = core.reports
            plane.heartbeat(node: name, request(reports)) { [self] answer in
                // The answer may be lost as well, or come late.
                guard !world.happens(4) else { return }
                later(world.happens(5) ? 2500 : world.pick(1...30)) { [self] in
                    guard world.now >= cutOffUntil else { return }
                    for action in core.take(answer, told: reports) { try perform(action) }
                }
            }
        }
    }

    private func request(_ reports: [VirtualGPUReport]) -> HeartbeatRequest {
        var facts = NodeFacts(address: name, version: "1")
        facts.milliProcessors = 64_000
        facts.memory = MemoryQuantity(mebibytes: 1 << 19)
        let devices = (0..<deviceCount).map {
            DeviceReport(id: "gpu-\($0)", vendor: "nvidia", model: "H200", memory: MemoryQuantity(mebibytes: memory))
        }
        var request = HeartbeatRequest(epoch: epoch, facts: facts, devices: devices, vgpus: reports)
        request.seen = core.seen
        return request
    }

    private func perform(_ action: AgentAction) throws {
        switch action {
        case .start(let vgpu, _):
            let uid = vgpu.metadata.uid ?? ""
            workers[uid] = Worker(vgpu: vgpu)
            try onWorkers()
            later(world.pick(20...600)) { [self] in
                guard let worker = workers[uid], !worker.isEnding else { return }
                if world.happens(failurePercent) { return try end(uid, "it crashed") }
                core.serves(uid, endpoints: ["tcp://\(name):1"], uuids: [uid], secret: "s")
                // Some end by themselves later on.
                guard world.happens(failurePercent) else { return }
                later(world.pick(1000...20_000)) { [self] in
                    if workers[uid]?.isEnding == false { try end(uid, "it crashed") }
                }
            }
        case .stop(let uid):
            guard workers[uid] != nil else { return core.ended(uid, exitStatus: nil, message: nil) }
            workers[uid]?.isEnding = true
            later(world.pick(20...400)) { [self] in try end(uid, nil) }
        }
    }

    private func end(_ uid: String, _ message: String?) throws {
        guard workers.removeValue(forKey: uid) != nil else { return }
        core.ended(uid, exitStatus: nil, message: message)
    }
}
