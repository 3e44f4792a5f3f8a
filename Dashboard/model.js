// What pages work out of resources.

import { identifier } from "/ui/live.js";
import { bounds, mebibytes, memoryText, percent, span } from "/ui/quantities.js";

const MILLISECONDS_PER_HOUR = 3_600_000;

/** Whether a device can take vGPUs now. */
export function isAvailable(device, live) {
    const node = live.one("nodes", { name: device.spec.node });
    return device.status?.healthy !== false && (node === undefined || node.status?.phase === "Ready");
}

/** Sums over devices. */
export function totals(devices) {
    const sum = { devices: devices.length, compute: 0, capacity: 0, promised: 0, used: 0 };
    for (const device of devices) {
        sum.compute += percent(device.status?.allocatedCompute);
        sum.capacity += mebibytes(device.status?.memory);
        sum.promised += mebibytes(device.status?.allocatedMemory);
        sum.used += mebibytes(device.status?.usedMemory);
    }
    return sum;
}

/** The parts of device memory for a bar. Tiers of memory (hot, warm, cold) become parts here once devices tell them. */
export function memorySegments({ capacity, promised, used }) {
    const idle = Math.max(0, promised - used);
    const free = Math.max(0, capacity - Math.max(promised, used));
    return [
        { name: "used", tone: "used", amount: used, text: memoryText(used) },
        { name: "promised, not used", tone: "memory", amount: idle, text: memoryText(idle) },
        { name: "free", tone: "free", amount: free, text: memoryText(free) },
    ];
}

/** The parts of compute for a bar, in percent of one device times `count`. */
export function computeSegments(promised, count = 1) {
    const free = Math.max(0, count * 100 - promised);
    return [
        { name: "promised", tone: "compute", amount: promised, text: `${promised}%` },
        { name: "free", tone: "free", amount: free, text: `${free}%` },
    ];
}

/** A workload's vGPUs. */
export function vgpusOf(workload, live) {
    return live.all("vgpus").filter((vgpu) => vgpu.metadata.project === workload.metadata.project &&
        vgpu.spec.workload === workload.metadata.name);
}

/** The vGPUs that are parts of a device. */
export function vgpusOn(device, live) {
    return live.all("vgpus").filter((vgpu) => vgpu.spec.node === device.spec.node &&
        vgpu.spec.devices.includes(device.spec.id) && vgpu.status?.phase !== "Ended");
}

/** Workloads with replicas that wait, in the order of the queue. */
export function pending(live) {
    const place = (workload) => workload.status?.queuePosition ?? Number.MAX_SAFE_INTEGER;
    return live.all("workloads").filter(isWaiting).sort((left, right) => place(left) - place(right));
}

/** Whether some of a workload's replicas wait. */
export function isWaiting(workload) {
    return ["Pending", "Partial"].includes(workload.status?.phase ?? "Pending");
}

/** Events about a resource, the latest first. */
export function eventsAbout(live, kind, metadata) {
    return latest(live.all("events").filter(({ spec: { about } }) => about.kind === kind &&
        identifier(about) === identifier({ project: metadata.project, name: metadata.name })));
}

/** Events, the latest first. */
export function latest(events) {
    return events.sort((left, right) => Date.parse(right.spec.lastAt) - Date.parse(left.spec.lastAt));
}

/** What a vGPU costs by the hour and has cost since it came to serve; null where no price list counts. */
export function costOf(vgpu, live, now = Date.now()) {
    const pool = live.one("pools", { name: vgpu.spec.pool });
    const prices = live.one("pricelists", { name: pool?.spec.priceList ?? "" })?.spec;
    const started = Date.parse(vgpu.status?.startedAt ?? "");
    if (!prices || Number.isNaN(started)) return null;
    const perHour = vgpu.spec.devices.reduce((sum, id) => sum + devicePrice(vgpu, id, prices, live), 0);
    const span = Math.max(0, (Date.parse(vgpu.status.endedAt ?? "") || now) - started);
    const isServing = vgpu.status.phase !== "Ended" && vgpu.status.phase !== "Lost";
    return {
        currency: prices.currency, perHour: isServing ? perHour : 0,
        soFar: perHour * protectedHours(vgpu, prices, live, span),
    };
}

/** Hours that are paid for: those with protection from eviction count for more. */
function protectedHours(vgpu, prices, live, time) {
    const { project, workload: name } = { project: vgpu.metadata.project, workload: vgpu.spec.workload };
    const workload = live.one("workloads", { project, name });
    const sheltered = Math.min(time, span(workload?.spec.evictionProtection));
    const factor = percent(prices.protectionRatio ?? "120%") / 100;
    return (time - sheltered + sheltered * factor) / MILLISECONDS_PER_HOUR;
}

function devicePrice(vgpu, id, prices, live) {
    const device = live.one("devices", { name: `${vgpu.spec.node}.${id}` })?.status ?? {};
    const compute = bounds(vgpu.spec.compute, "100%");
    const memory = bounds(vgpu.spec.memory, "0");
    const price = (share, size) => {
        const model = prices.models?.find((one) => one.model.toLowerCase() === (device.model ?? "").toLowerCase());
        if (model) return model.perDeviceHour * (share / 100);
        const speed = ((device.milliTeraflops ?? 0) / 1000) * (share / 100);
        return speed * (prices.perTeraflopHour ?? 0) + (size / 1024) * (prices.perGiBHour ?? 0);
    };
    const request = price(percent(compute.request), mebibytes(memory.request));
    const limit = price(percent(compute.limit), mebibytes(memory.limit));
    return request + (limit - request) * (percent(prices.limitRatio ?? "100%") / 100);
}
