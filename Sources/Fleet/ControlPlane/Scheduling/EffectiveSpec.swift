public import FleetModel

/// A workload's wish with everything filled in that it leaves to its profile, its project's quota and its pool.
public struct EffectiveSpec: Sendable, Hashable {
    /// The pool; nil where there is none.
    public var pool: String?
    public var devices: Int64
    public var compute: Bounds<ComputeQuantity>
    /// Nil asks for the whole device's memory.
    public var memory: Bounds<MemoryQuantity>?
    public var selector: DeviceSelector
    public var isolation: Isolation
    public var qos: QualityOfService
    public var priority: Int64
    public var isPreemptible: Bool
    public var allowsRemote: Bool

    /// Fills in a workload's wish.
    public init(_ workload: Resource<WorkloadSpec>, in view: FleetView) {
        let spec = workload.spec
        let profile = EffectiveSpec.profile(of: workload, in: view)?.spec
        let poolName = spec.pool ?? profile?.pool ?? EffectiveSpec.defaultPool(in: view)
        let pool = poolName.flatMap { view.pools[$0]?.spec }
        let defaults = EffectiveSpec.quotaDefaults(ofProject: workload.metadata.project, in: view)
        let resources = (spec.resources ?? DeviceRequest()).completed(by: profile?.resources ?? DeviceRequest())
            .completed(by: defaults)
        self.pool = poolName
        devices = resources.devices ?? 1
        let isExclusive = (spec.isolation ?? profile?.isolation) == .exclusive
        compute = isExclusive ? Bounds(.percent(100)) : resources.compute ?? Bounds(.percent(100))
        memory = isExclusive ? nil : resources.memory
        // Who asks for no part of the memory has all of it, so nobody else can be there.
        isolation = memory == nil ? .exclusive : .shared
        selector = EffectiveSpec.merge(spec.selector, over: profile?.selector)
        qos = spec.qos ?? profile?.qos ?? pool?.defaultQoS ?? .medium
        priority = spec.priority ?? qos.priority
        isPreemptible = spec.preemptible ?? (qos != .critical)
        allowsRemote = (spec.remote ?? .allowed) == .allowed && pool?.remote ?? true
    }

    /// What is wrong with the wish once everything is filled in, as a sentence; nil where nothing is.
    public var problem: String? {
        guard pool != nil else {
            return "No pool is named and there is no default pool; name one in spec.pool, or mark one as default."
        }
        guard memory != nil || compute.request == .percent(100) else {
            return "spec.resources.memory is missing: a vGPU without it has the whole device, which goes with compute "
                + "100% only."
        }
        return nil
    }

    /// The pool of workloads that name none: the one that says so, or the only one.
    public static func defaultPool(in view: FleetView) -> String? {
        let marked = view.pools.values.filter { $0.spec.isDefault == true }.map(\.metadata.name).min()
        return marked ?? (view.pools.count == 1 ? view.pools.keys.first : nil)
    }

    /// The quota of a project, or of the nearest one above that has one.
    public static func quota(ofProject name: String?, in view: FleetView) -> Resource<QuotaSpec>? {
        var project = name
        // A circle of parents ends too.
        for _ in 0..<32 {
            guard let name = project else { return nil }
            if let quota = view.quotas.values.filter({ $0.spec.project == name })
                .min(by: { $0.metadata.name < $1.metadata.name })
            {
                return quota
            }
            project = view.projects[name]?.spec.parent
        }
        return nil
    }

    private static func quotaDefaults(ofProject name: String?, in view: FleetView) -> DeviceRequest {
        quota(ofProject: name, in: view)?.spec.defaults ?? DeviceRequest()
    }

    private static func profile(
        of workload: Resource<WorkloadSpec>, in view: FleetView
    ) -> Resource<ProfileSpec>? {
        guard let name = workload.spec.profile else { return nil }
        return view.profiles[ResourceReference(kind: .profile, project: workload.metadata.project, name: name)]
    }

    private static func merge(_ own: DeviceSelector?, over profile: DeviceSelector?) -> DeviceSelector {
        var merged = own ?? DeviceSelector()
        merged.vendor = merged.vendor ?? profile?.vendor
        merged.models = merged.models ?? profile?.models
        merged.nodes = merged.nodes ?? profile?.nodes
        merged.nodeLabels = (profile?.nodeLabels ?? [:]).merging(merged.nodeLabels ?? [:]) { _, own in own }
        return merged
    }
}
