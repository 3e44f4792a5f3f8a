// Each GPU: what is promised of it, what is in use, and the vGPUs on it.

import { bar, trend } from "/ui/charts.js";
import { h } from "/ui/dom.js";
import { computeSegments, isAvailable, memorySegments, totals, vgpusOn } from "/ui/model.js";
import { address, badge, field, more, nothing } from "/ui/parts.js";
import { boundsText, percent } from "/ui/quantities.js";

const CARDS = 60;

export const kinds = ["devices", "vgpus", "nodes"];
export const title = () => "Devices";

export function content(page) {
    const words = (page.state.words ?? "").toLowerCase();
    const devices = page.live.all("devices").filter((device) =>
        `${device.metadata.name} ${device.status?.model} ${device.status?.vendor}`.toLowerCase().includes(words));
    return [
        h("div", { class: "filters" }, field({
            id: "words", label: "Find", input: h("input", {
                type: "search", placeholder: "Name or model", oninput: (event) => {
                    page.state.words = event.target.value;
                    page.draw();
                },
            }),
        })),
        deviceCards(page, devices, "h2"),
    ];
}

/** A card for each device; `heading` is the element of its name. */
export function deviceCards(page, devices, heading) {
    if (devices.length === 0) return nothing("There is no such device.");
    const limit = page.limit("devices", CARDS);
    return [
        h("ul", { class: "cards" }, devices.slice(0, limit).map((device) => card(page, device, heading))),
        more("devices", devices.length, limit, page),
    ];
}

/** Whether it works, and whether its node is heard of. */
function health(device, live) {
    if (device.status?.healthy === false) return badge("Ill");
    return isAvailable(device, live) ? badge("Healthy") : badge("Node not ready", "bad");
}

function card(page, device, heading) {
    const { status = {} } = device;
    const promised = percent(status.allocatedCompute);
    const memory = totals([device]);
    const utilization = status.utilization === undefined ? null : percent(status.utilization);
    const vgpus = vgpusOn(device, page.live);
    return h("li", { class: "panel card", key: device.metadata.name },
        h("div", { class: "panel-head" },
            h(heading, {}, device.metadata.name), health(device, page.live)),
        h("p", { class: "quiet" }, `${status.model || "unknown model"} · ${status.vendor || "unknown maker"}`),
        status.message ? h("p", { class: "field-problem" }, status.message) : null,
        h("p", { class: "bar-title" }, "Compute", h("span", {}, utilization === null ? "" : `${utilization}% busy`)),
        bar({ label: "Compute", whole: 100, segments: computeSegments(promised), mark: utilization }),
        trend({ label: "Busy", values: page.history.get(device.metadata.name) ?? [] }),
        h("p", { class: "bar-title" }, "Memory"),
        bar({ label: "Memory", whole: memory.capacity, segments: memorySegments(memory) }),
        vgpus.length === 0 ? h("p", { class: "quiet" }, "No vGPU is on it.") : h("ul", { class: "tenants" },
            vgpus.map((vgpu) => h("li", { key: `${vgpu.metadata.project}/${vgpu.metadata.name}` },
                h("a", { href: address("workloads", vgpu.metadata.project, vgpu.spec.workload) }, vgpu.metadata.name),
                h("span", {}, `${boundsText(vgpu.spec.compute)} · ${boundsText(vgpu.spec.memory)}`)))));
}
