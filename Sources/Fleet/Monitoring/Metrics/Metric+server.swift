// The control plane itself, and the names that dcgm-exporter uses.
extension Metric {
    /// Every metric that there is, in the order of the page.
    public static let all: [Metric] = fleetMetrics + workMetrics + serverMetrics + dcgmMetrics

    /// The metric of that name; nil where there is none.
    public static func named(_ name: String) -> Metric? { index[name] }

    private static let index = Dictionary(all.map { ($0.name, $0) }) { first, _ in first }

    static let serverMetrics: [Metric] = [
        build, apiRequests, apiDuration, decisions, decisionDuration, evictions, alerts, notifications, spans,
        droppedSeries,
    ]

    static let build = Metric("roost_build_info", .info, labels: ["version"], "The control plane's version.")
    static let apiRequests = Metric(
        "roost_api_requests_total", .counter, labels: ["operation", "code"],
        "Requests to the HTTP API, by operation and status.", seriesMax: 4096)
    static let apiDuration = Metric(
        "roost_api_request_duration_seconds", .histogram, unit: "seconds",
        "From a request's head to its answer's head; watches are counted with the rest.")
    static let decisions = Metric(
        "roost_scheduling_decisions_total", .counter, labels: ["verdict"],
        "Decisions about replicas: placed, preempting (placed after others are evicted) or unschedulable.")
    static let decisionDuration = Metric(
        "roost_scheduling_duration_seconds", .histogram, unit: "seconds",
        "How long the control loop took to decide about everything that waited.")
    static let evictions = Metric(
        "roost_evictions_total", .counter, labels: ["reason"], "vGPUs that were taken away from their workloads.",
        seriesMax: 64)
    static let alerts = Metric("roost_alerts", labels: ["severity", "state"], "Alerts that are pending or firing.")
    static let notifications = Metric(
        "roost_alert_notifications_total", .counter, labels: ["result"], "Notifications, by whether they arrived.")
    static let spans = Metric(
        "roost_trace_spans_total", .counter, labels: ["result"],
        "Spans of traces: exported, dropped (the queue was full) or failed (the collector did not take them).")
    static let droppedSeries = Metric(
        "roost_metrics_dropped_series", labels: ["metric"],
        "Series that are left out of this page, since the metric has as many as it may have.")

    static let dcgmMetrics: [Metric] = [
        dcgmUtilization, dcgmMemoryUsed, dcgmMemoryFree, dcgmMemoryTotal, dcgmTemperature, dcgmPower,
    ]

    private static let ofDCGM = ["gpu", "UUID", "device", "modelName", "Hostname", "vgpu"]

    static let dcgmUtilization = Metric(
        "DCGM_FI_DEV_GPU_UTIL", unit: "percent", labels: ofDCGM,
        "GPU utilization (in %). The label vgpu is empty for the device itself, as for the next ones.")
    static let dcgmMemoryUsed = Metric(
        "DCGM_FI_DEV_FB_USED", unit: "MiB", labels: ofDCGM, "Frame buffer memory used (in MiB).")
    static let dcgmMemoryFree = Metric(
        "DCGM_FI_DEV_FB_FREE", unit: "MiB", labels: ofDCGM,
        "Frame buffer memory free (in MiB); of a vGPU, what it may still take.")
    static let dcgmMemoryTotal = Metric(
        "DCGM_FI_DEV_FB_TOTAL", unit: "MiB", labels: ofDCGM, "Frame buffer memory in all (in MiB).")
    static let dcgmTemperature = Metric(
        "DCGM_FI_DEV_GPU_TEMP", unit: "celsius", labels: ofDCGM, "GPU temperature (in C).")
    static let dcgmPower = Metric("DCGM_FI_DEV_POWER_USAGE", unit: "watts", labels: ofDCGM, "Power draw (in W).")
}
