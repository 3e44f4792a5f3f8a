import ControlAPI
import FleetModel
import Foundation
import Logging
import SpanExport
import Traces

/// What of tracing is asked for, by options and by the usual variables of the environment.
struct TracingOptions: Sendable {
    let settings: OTLPSettings

    /// Nil where nobody asks for spans.
    ///
    /// - Throws: ``ManifestError`` for an endpoint that is no address.
    init?(endpoint: String?, environment: [String: String], version: String, instance: String) throws {
        func variable(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        guard let address = endpoint ?? variable("OTEL_EXPORTER_OTLP_ENDPOINT"),
            variable("OTEL_SDK_DISABLED")?.lowercased() != "true"
        else { return nil }
        let source = OTLPDocument.Source(
            service: variable("OTEL_SERVICE_NAME") ?? "roost-server", version: version, instance: instance)
        var settings = try OTLPSettings(endpoint: address, source: source)
        settings.headers = variable("OTEL_EXPORTER_OTLP_HEADERS").map(OTLPSettings.headers) ?? []
        self.settings = settings
    }
}

/// Writes into a workload the trace of the request that makes it, so that its life is a part of that trace.
struct TraceAnnotation: AdmissionCheck {
    func review(_ change: ProposedChange) async throws -> AdmissionVerdict {
        guard let after = change.after, after.kind == .workload else { return .admitted }
        let kept = change.before.map { $0.metadata.annotations?[WorkloadTrace.annotation] }
        // A later change keeps the first trace, whatever the manifest says.
        let wanted = kept ?? TraceContext.current.flatMap { $0.isSampled ? $0.description : nil }
        guard after.metadata.annotations?[WorkloadTrace.annotation] != wanted else { return .admitted }
        var metadata = after.metadata
        metadata.annotations = metadata.annotations ?? [:]
        metadata.annotations?[WorkloadTrace.annotation] = wanted
        if metadata.annotations?.isEmpty == true { metadata.annotations = nil }
        return .changed(try after.with(metadata, status: after.json["status"]))
    }
}
