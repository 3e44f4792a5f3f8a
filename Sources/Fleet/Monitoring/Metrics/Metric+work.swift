// vGPUs, workloads, projects and quotas.
extension Metric {
    static let workMetrics: [Metric] = [
        vgpus, vgpuMetadata, vgpuUtilization, vgpuComputeRequest, vgpuComputeLimit, vgpuMemoryRequest, vgpuMemoryLimit,
        vgpuMemoryUsed, vgpuThrottled, vgpuResumed, workloads, workloadReplicas, oldestWait, projectCompute,
        projectMemory, projectFairShare, projectPending, projectWeight, quotaUsed, quotaAlert,
    ]

    private static let ofVGPU = ["project", "workload", "vgpu", "pool", "node"]

    static let vgpus = Metric(
        "roost_vgpus", labels: ["project", "pool", "phase"], "vGPUs, by where they are in their life.")
    static let vgpuMetadata = Metric(
        "roost_vgpu_info", .info, labels: ofVGPU + ["devices", "qos", "isolation"],
        "A vGPU, its devices' names on the node, and how they are shared.")
    static let vgpuUtilization = Metric(
        "roost_vgpu_utilization_ratio", unit: "ratio", labels: ofVGPU,
        "The part of time in which the vGPU's kernels ran, over the last seconds.")
    static let vgpuComputeRequest = Metric(
        "roost_vgpu_compute_request_devices", unit: "devices", labels: ofVGPU,
        "Compute that is guaranteed, of all its devices; 1 is a whole device.")
    static let vgpuComputeLimit = Metric(
        "roost_vgpu_compute_limit_devices", unit: "devices", labels: ofVGPU,
        "Compute that it may use at most, of all its devices; 1 is a whole device.")
    static let vgpuMemoryRequest = Metric(
        "roost_vgpu_memory_request_bytes", unit: "bytes", labels: ofVGPU,
        "Memory that is guaranteed, on all its devices.")
    static let vgpuMemoryLimit = Metric(
        "roost_vgpu_memory_limit_bytes", unit: "bytes", labels: ofVGPU,
        "Memory that it may use at most, on all its devices.")
    static let vgpuMemoryUsed = Metric(
        "roost_vgpu_memory_used_bytes", unit: "bytes", labels: ofVGPU, "Memory in use by its program.")
    static let vgpuThrottled = Metric(
        "roost_vgpu_throttled_seconds_total", .counter, unit: "seconds", labels: ofVGPU,
        "Time in which its kernels were held back by its share; left out where the node does not tell.")
    static let vgpuResumed = Metric(
        "roost_vgpu_memory_resumed_total", .counter, labels: ofVGPU,
        "How often its memory was brought back to the device; left out where the node does not tell.")

    static let workloads = Metric(
        "roost_workloads", labels: ["project", "phase"], "Workloads, by where they are in their life.")
    static let workloadReplicas = Metric(
        "roost_workload_replicas", labels: ["project", "state"],
        "Replicas of workloads that are not over: wanted, placed and ready.")
    static let oldestWait = Metric(
        "roost_workload_oldest_wait_seconds", unit: "seconds", labels: ["project"],
        "For how long the project's workload waits that has waited longest; 0 where none waits.")

    static let projectCompute = Metric(
        "roost_project_compute_allocated_devices", unit: "devices", labels: ["project"],
        "Compute that is guaranteed to the project and those below it; 1 is a whole device.")
    static let projectMemory = Metric(
        "roost_project_memory_allocated_bytes", unit: "bytes", labels: ["project"],
        "Device memory that is guaranteed to the project and those below it.")
    static let projectFairShare = Metric(
        "roost_project_fair_share_devices", unit: "devices", labels: ["project"],
        "The project's fair share now; 1 is a whole device.")
    static let projectPending = Metric(
        "roost_project_pending_workloads", labels: ["project"], "Workloads of the project that wait.")
    static let projectWeight = Metric(
        "roost_project_weight", labels: ["project"], "The project's part of what is left over, against its siblings'.")

    static let quotaUsed = Metric(
        "roost_quota_used_ratio", unit: "ratio", labels: ["quota", "project", "bound", "resource"],
        "The part that is used of what the quota allows: bound is requests or limits.")
    static let quotaAlert = Metric(
        "roost_quota_alert_ratio", unit: "ratio", labels: ["quota", "project", "bound", "resource"],
        "From which part on the quota counts as nearly used up.")
}
