import FleetModel
import FleetStore

/// One run of a whole fleet: control planes, agents, store and clients under one clock, with delays, lost messages,
/// crashes, pauses and networks that are cut, all of it decided by the seed.
public struct Simulation: Sendable {
    /// Decides everything that is left to chance.
    public var seed: UInt64
    /// How long things fail, and how long they then have to come to rest, in seconds of simulated time.
    public var chaosSeconds: Int64 = 60
    public var restSeconds: Int64 = 150

    /// Told of each object that is written, or deleted (without a value), with the milliseconds since the beginning.
    public var onWrite: (@Sendable (_ time: Int64, _ key: String, _ value: [UInt8]?) -> Void)?

    /// Describes a run.
    public init(seed: UInt64) {
        self.seed = seed
    }

    /// What a run did.
    public struct Outcome: Sendable, Hashable {
        /// Simulated time, in seconds.
        public var seconds: Int64
        /// Transactions, and those that were refused.
        public var commitCount: Int
        public var refusalCount: Int
        /// What clients did.
        public var operationCount: Int
        /// A digest of all changes of the store in their order: the same for each run of a seed.
        public var digest: UInt64
    }

    /// Runs it.
    ///
    /// - Throws: ``SimulationFailure`` when something was that must never be.
    public func run() throws -> Outcome {
        let world = World(seed: seed)
        defer { world.end() }
        let planes = ["a", "b"].map { Plane($0, world) }
        let nodes = (0..<Int(world.pick(2...4))).map {
            SimulatedNode(
                "n\($0)", deviceCount: Int(world.pick(1...4)), memory: world.pick(1...3) * 40_960, world, planes)
        }
        let clients = Clients(world, nodes, planes)
        var invariants = Invariants(world)
        var digest: UInt64 = 0xcbf2_9ce4_8422_2325
        world.onChange = { change in
            for event in change.events {
                for byte in event.key.text.utf8 { digest = (digest ^ UInt64(byte)) &* 0x100_0000_01b3 }
                guard case .put(let entry) = event else { continue }
                for byte in entry.value { digest = (digest ^ UInt64(byte)) &* 0x100_0000_01b3 }
            }
            if let onWrite { for event in change.events { onWrite(world.now, event.key.text, event.value) } }
            try invariants.check(change)
            for plane in planes { plane.noteChange() }
        }
        try clients.prepare()
        for node in nodes {
            for device in 0..<node.deviceCount {
                invariants.setCapacity(
                    .init(compute: clients.oversell, memory: node.memory),
                    of: .init(node: node.name, name: "gpu-\(device)"))
            }
            node.onWorkers = { [unowned node] in try invariants.check(node) }
            node.start()
        }
        for plane in planes { plane.start() }
        clients.act(until: chaosSeconds * 1000)
        try world.run(until: chaosSeconds * 1000)
        try clients.heal()
        try world.run(until: (chaosSeconds + restSeconds) * 1000)
        try invariants.checkRest(planes, nodes)
        return Outcome(
            seconds: chaosSeconds + restSeconds, commitCount: world.commitCount, refusalCount: world.refusalCount,
            operationCount: clients.operationCount, digest: digest)
    }
}

extension StoreEvent {
    /// What was written; nil where something was deleted.
    fileprivate var value: [UInt8]? {
        if case .put(let entry) = self { entry.value } else { nil }
    }
}
