public import FleetModel

/// The rules that a new fleet starts with: fifteen that mean what TensorFusion's default rules mean, named in the
/// annotation `tensor-fusion.ai/alert`, and some of our own.
public enum DefaultRules {
    /// All of them.
    public static let all: [Resource<AlertRuleSpec>] =
        vgpuRules + deviceRules + allocationRules + idleRules + ownRules

    private static let tensorFusionAnnotation = "tensor-fusion.ai/alert"

    private static func rule(
        _ name: String, tensorFusion: String? = nil, _ spec: AlertRuleSpec, _ change: (inout AlertRuleSpec) -> Void
    ) -> Resource<AlertRuleSpec> {
        var metadata = Metadata(name: name)
        metadata.annotations = tensorFusion.map { [tensorFusionAnnotation: $0] }
        var spec = spec
        change(&spec)
        return Resource(metadata, spec)
    }

    private static let vgpuRules: [Resource<AlertRuleSpec>] = [
        rule(
            "vgpu-throttled", tensorFusion: "WorkerTFlopsThrottled",
            AlertRuleSpec(
                metric: Metric.vgpuThrottled.name, .above, 0, severity: .warning,
                message: "vGPU {{project}}/{{vgpu}} on {{node}} was held back by its share of compute for {{value}} s")
        ) {
            $0.growthOver = .minutes(1)
            $0.holdFor = .seconds(45)
        },
        rule(
            "vgpu-memory-resumes", tensorFusion: "WorkerVRAMSwitchCountIncreasing",
            AlertRuleSpec(
                metric: Metric.vgpuResumed.name, .above, 0, severity: .warning,
                message: "memory of vGPU {{project}}/{{vgpu}} on {{node}} was brought back {{value}} times")
        ) { $0.growthOver = .minutes(2) },
        rule(
            "allocation-failed", tensorFusion: "WorkerAllocationFailed",
            AlertRuleSpec(
                metric: Metric.decisions.name, .above, 0, severity: .warning,
                message: "{{value}} times a replica fitted nowhere; roost why tells for each workload")
        ) {
            $0.labels = ["verdict": FleetCounters.Verdict.unschedulable.rawValue]
            $0.growthOver = .minutes(1)
        },
    ]

    private static let deviceRules: [Resource<AlertRuleSpec>] = [
        rule(
            "device-memory-full", tensorFusion: "GPUVRAMFull",
            AlertRuleSpec(
                metric: Metric.deviceMemoryUsed.name, .above, 0.97, severity: .warning,
                message: "programs use {{value}} of the memory of {{device}} on {{node}}")
        ) {
            $0.dividedBy = Metric.deviceMemory.name
            $0.holdFor = .minutes(1)
        },
        rule(
            "device-compute-full", tensorFusion: "GPUTFlopsFull",
            AlertRuleSpec(
                metric: Metric.deviceUtilization.name, .above, 0.97, severity: .warning,
                message: "{{device}} on {{node}} computes {{value}} of the time")
        ) { $0.holdFor = .minutes(2) },
        rule(
            "device-temperature-high", tensorFusion: "GPUTemperatureHigh",
            AlertRuleSpec(
                metric: Metric.deviceTemperature.name, .above, 90, severity: .warning,
                message: "{{device}} on {{node}} is at {{value}} °C")
        ) { $0.holdFor = .seconds(90) },
    ]

    /// A rule about how much is promised of what there is.
    private static func allocation(
        _ name: String, tensorFusion: String, _ severity: AlertRuleSpec.Severity,
        _ metric: Metric, of whole: Metric? = nil, above threshold: Double
    ) -> Resource<AlertRuleSpec> {
        let isPool = metric.labels == ["pool"]
        let what = metric.name.contains("memory") ? "memory" : "compute"
        let spec = AlertRuleSpec(
            metric: metric.name, .above, threshold, severity: severity,
            message: isPool
                ? "{{value}} of the \(what) of pool {{pool}} is promised"
                : "{{value}} of the \(what) of node {{node}} is promised")
        return rule(name, tensorFusion: tensorFusion, spec) {
            $0.dividedBy = whole?.name
            $0.reduction = .average
            $0.by = isPool ? ["pool"] : ["node"]
            $0.holdFor = .minutes(2)
        }
    }

    private static let allocationRules: [Resource<AlertRuleSpec>] = [
        allocation(
            "node-compute-critical", tensorFusion: "NodeTFlopsAllocationCritical", .critical,
            .deviceComputeAllocated, above: 0.95),
        allocation(
            "node-compute-warning", tensorFusion: "NodeTFlopsAllocationWarning", .warning,
            .deviceComputeAllocated, above: 0.9),
        allocation(
            "pool-compute-critical", tensorFusion: "PoolTotalTFlopsAllocationCritical", .critical,
            .poolComputeAllocated, of: .poolComputeCapacity, above: 0.95),
        allocation(
            "pool-compute-warning", tensorFusion: "PoolTotalTFlopsAllocationWarning", .warning,
            .poolComputeAllocated, of: .poolComputeCapacity, above: 0.9),
        allocation(
            "node-memory-critical", tensorFusion: "NodeVRAMAllocationCritical", .warning,
            .nodeMemoryAllocated, of: .nodeMemoryCapacity, above: 0.95),
        allocation(
            "node-memory-warning", tensorFusion: "NodeVRAMAllocationWarning", .warning,
            .nodeMemoryAllocated, of: .nodeMemoryCapacity, above: 0.9),
        allocation(
            "pool-memory-warning", tensorFusion: "PoolVRAMAllocationWarning", .warning,
            .poolMemoryAllocated, of: .poolMemoryCapacity, above: 0.9),
    ]

    private static let idleRules: [Resource<AlertRuleSpec>] = [
        rule(
            "node-empty", tensorFusion: "EmptyGPU",
            AlertRuleSpec(
                metric: Metric.nodeVGPUs.name, .equal, 0, severity: .info,
                message: "node {{node}} of pool {{pool}} has no vGPUs")
        ) { $0.holdFor = .minutes(10) },
        rule(
            "device-idle", tensorFusion: "IdleGPU",
            AlertRuleSpec(
                metric: Metric.deviceIdle.name, .equal, 1, severity: .info,
                message: "{{device}} on {{node}} hardly computes and hardly uses memory")
        ) { $0.holdFor = .minutes(30) },
    ]

    private static let ownRules: [Resource<AlertRuleSpec>] = [
        rule(
            "node-not-ready",
            AlertRuleSpec(
                metric: Metric.nodeReady.name, .equal, 0, severity: .critical,
                message: "node {{node}} of pool {{pool}} is not ready")
        ) { $0.holdFor = .minutes(1) },
        rule(
            "device-unhealthy",
            AlertRuleSpec(
                metric: Metric.deviceHealthy.name, .equal, 0, severity: .critical,
                message: "{{device}} ({{model}}) on {{node}} does not work")
        ) { $0.holdFor = .seconds(30) },
        rule(
            "workload-waits-long",
            AlertRuleSpec(
                metric: Metric.oldestWait.name, .above, 1800, severity: .warning,
                message: "a workload of project {{project}} has waited for {{value}} s; roost why tells what for")
        ) { _ in },
        rule(
            "quota-nearly-used",
            AlertRuleSpec(
                metric: Metric.quotaUsed.name, .above, 1, severity: .warning,
                message: "quota {{quota}} of project {{project}}: {{resource}} of its {{bound}} is nearly used up")
        ) {
            $0.dividedBy = Metric.quotaAlert.name
            $0.holdFor = .minutes(1)
        },
    ]
}
