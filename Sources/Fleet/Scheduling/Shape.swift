/// What makes two requests equal for every decision about hosts.
struct ShapeKey: Hashable {
    var cpu: Int
    var memory: Int
    var devices: DeviceDemand
    var hosts: LabelSelector
    /// Whether devices may be remote, which makes another score best.
    var isPooled: Bool
    /// Hard terms with the numbers that affinity counts know them by, soft ones likewise.
    var near: [Int32] = []
    var apart: [Int32] = []
    var wishes: [AffinityTerm] = []
    /// Terms that workloads in place hold against this one.
    var repellers: [Int32] = []
    /// Terms of `near` that the request itself meets, so that the first of a kind finds a place.
    var selfNear: [Int32] = []

    /// The same without devices: where a program goes whose devices are elsewhere.
    var homeOnly: ShapeKey {
        var key = self
        key.devices = .none
        return key
    }

    /// The same without CPU and memory.
    func devicesOnly(count: Int) -> ShapeKey {
        var key = self
        key.cpu = 0
        key.memory = 0
        key.devices.count = count
        return key
    }
}

/// One kind of request with what is known about hosts for it.
final class Shape {
    let key: ShapeKey
    /// Compute needed of each model's device, -1 where the model is not accepted.
    var needs = Column<Int32>(filling: -1)
    var knownModels = 0
    /// For each set of labels: bit 0 when hosts with it are accepted, bit 1 when devices are.
    var labelFits = Column<UInt8>(filling: 0)
    var knownLabels = 0
    /// The soft terms' numbers.
    var wishTerms: [Int32] = []

    var tree: ScoreTree?
    /// How far the logs of changes have been read.
    var seenChanges = 0
    var seenTransitions = 0
    var generation = -1
    /// When it was last asked for.
    var lastUse = 0

    init(key: ShapeKey) { self.key = key }

    deinit {
        tree?.free()
        needs.free()
        labelFits.free()
    }

    var hasTerms: Bool {
        !(key.near.isEmpty && key.apart.isEmpty && key.wishes.isEmpty && key.repellers.isEmpty)
    }

    func dropTree() {
        tree?.free()
        tree = nil
    }

    /// Takes in models and sets of labels that are new.
    func extend(_ state: FleetState) {
        if knownModels < state.models.count {
            needs.reserve(state.models.count)
            for index in knownModels..<state.models.count {
                needs[index] = Shape.need(of: key.devices, on: state.models.keys[index])
            }
            knownModels = state.models.count
        }
        if knownLabels < state.labelSets.count {
            labelFits.reserve(state.labelSets.count)
            for index in knownLabels..<state.labelSets.count {
                let labels = state.labelSets.keys[index]
                labelFits[index] =
                    (key.hosts.matches(labels) ? 1 : 0) | (key.devices.labels.matches(labels) ? 2 : 0)
            }
            knownLabels = state.labelSets.count
        }
    }

    private static func need(of demand: DeviceDemand, on model: FleetState.Model) -> Int32 {
        guard demand.vendors.isEmpty || demand.vendors.contains(model.vendor) else { return -1 }
        guard demand.models.isEmpty || demand.models.contains(model.name) else { return -1 }
        guard let milli = demand.compute.milli(onDeviceOf: model.milliTFLOPS) else { return -1 }
        if let limit = demand.computeLimit {
            // A limit is what one device may give at most, and no device gives more than itself.
            guard let most = limit.milli(onDeviceOf: model.milliTFLOPS), most <= 1000 else { return -1 }
        }
        return Int32(clamping: milli)
    }
}
