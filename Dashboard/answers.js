// The answers of the control loop in one form, whichever words the server uses for its parts.

/** Why a workload is placed as it is, or waits. */
export function explanation(answer) {
    return {
        verdict: answer.verdict ?? answer.summary ?? "",
        phase: answer.phase ?? "",
        queuePosition: answer.queuePosition ?? null,
        reasons: answer.reasons ?? answer.rejections ?? [],
        nearest: nearest(answer.nearest),
        remedies: answer.remedies ?? [],
    };
}

function nearest(place) {
    if (!place) return null;
    const missing = Object.entries(place.missing ?? {}).map(([name, amount]) => `${amount} of ${name}`);
    return {
        node: place.node, device: place.device ?? null,
        message: place.message ?? (missing.length > 0 ? `It lacks ${missing.join(", ")}.` : ""),
    };
}

/** Where the replicas of manifests would go, and what that would cost. */
export function plan(answer) {
    const places = (answer.placements ?? answer.replicas ?? []).map((one) => ({
        workload: one.workload?.name ?? one.workload, replica: one.replica, node: one.node ?? null,
        devices: one.devices ?? [], message: one.message ?? one.why ?? "",
    }));
    return { places, pricePerHour: answer.pricePerHour ?? answer.costPerHour ?? null, currency: answer.currency ?? "" };
}
