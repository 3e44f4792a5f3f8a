/// The reference page of all metrics, as `Documentation/metrics.md` has it.
public enum MetricsReference {
    /// The page's Markdown.
    public static var markdown: String {
        var page = """
            # Metrics

            Written from the table in `Sources/Fleet/Monitoring/Metrics` by the tests of `Monitoring`; run
            `ROOST_REWRITE_FIXTURES=1 swift test --filter MonitoringTests` after a change.

            `GET /metrics` of the control plane answers with these, in Prometheus' text form or, where the request's
            `Accept` header names it, in OpenMetrics. A series whose value is not known is left out, and so is a label
            whose value is empty. Files for the real programs:
            [alert rules for Prometheus](../Deploy/prometheus/roost-rules.yml),
            [the same for the built-in evaluator](../Deploy/alert-rules.yml) and
            [Grafana dashboards](../Deploy/grafana).

            A Prometheus that scrapes a control plane needs a token of the role `viewer` for all projects:

            ```yaml
            rule_files: [roost-rules.yml]
            scrape_configs:
              - job_name: roost
                authorization: {credentials_file: /etc/prometheus/roost-token}
                static_configs: [{targets: ["127.0.0.1:7600"]}]
            ```


            """
        page += section("The fleet", Metric.fleetMetrics)
        page += section("Work and projects", Metric.workMetrics)
        page += section("The control plane", Metric.serverMetrics)
        page += section("Names that dcgm-exporter uses", Metric.dcgmMetrics)
        page += """
            A vGPU has series of its own under these names where it has a single device; there `vgpu` is `project/name`.
            To add up devices, select `vgpu=""`.

            """
        return page
    }

    private static func section(_ title: String, _ metrics: [Metric]) -> String {
        var text = "## \(title)\n\n| Name | Type | Unit | Labels | What it tells |\n|---|---|---|---|---|\n"
        for metric in metrics {
            let labels = metric.labels.map { "`\($0)`" }.joined(separator: ", ")
            text +=
                "| `\(metric.name)` | \(metric.kind.rawValue) | \(metric.unit ?? "") | \(labels) | \(metric.help) |\n"
        }
        return text + "\n"
    }
}
