// One machine.

import { patch } from "/ui/api.js";
import { h } from "/ui/dom.js";
import { eventsAbout, vgpusOn } from "/ui/model.js";
import { conditions, facts, nothing, panel } from "/ui/parts.js";
import { agoText, memoryText, mebibytes } from "/ui/quantities.js";
import { deviceCards } from "/ui/pages/devices.js";
import { eventTable } from "/ui/pages/events.js";
import { states } from "/ui/pages/nodes.js";
import { vgpuTable } from "/ui/pages/workload.js";

export const kinds = ["devices", "nodes", "vgpus", "events"];
export const title = (page) => `Node ${page.parts[1]}`;

export function content(page) {
    const node = page.live.one("nodes", { name: page.parts[1] });
    if (!node) return nothing("There is no such node, or not any more.");
    const devices = page.live.all("devices").filter((device) => device.spec.node === node.metadata.name);
    const { status = {} } = node;
    const vgpus = [...new Set(devices.flatMap((device) => vgpusOn(device, page.live)))];
    return [
        panel("State", { actions: page.mayWriteNodes ? orders(page, node) : null },
            facts([
                ["State", states(node)], ["Pool", status.pool ?? node.spec.pool ?? "–"],
                ["Address", status.address ?? "–"], ["Heard of", agoText(status.heartbeatAt)],
                ["Agent", status.version ?? "–"],
                ["Processors", status.milliProcessors ? status.milliProcessors / 1000 : "–"],
                ["Memory", status.memory ? memoryText(mebibytes(status.memory)) : "–"],
                ["Labels", Object.entries(node.metadata.labels ?? {}).map(([name, value]) => `${name}=${value}`)
                    .join(", ") || "none"],
            ])),
        panel("Devices", {}, deviceCards(page, devices, "h3")),
        panel("vGPUs", {}, vgpuTable(page, vgpus)),
        panel("Conditions", {}, conditions(status.conditions, page)),
        panel("Events", {}, eventTable(page, eventsAbout(page.live, "Node", node.metadata))),
    ];
}

function orders(page, node) {
    const { name } = node.metadata;
    const change = (spec, text) => page.perform(() => patch("nodes", { name }, { spec }), text);
    const isHeld = node.spec.unschedulable || node.spec.drain;
    return h("div", { class: "actions" },
        isHeld
            ? h("button", {
                type: "button",
                onclick: () => change({ unschedulable: null, drain: null }, `Node ${name} takes new work again.`),
            }, "Take new work")
            : h("button", {
                type: "button", onclick: () => change({ unschedulable: true }, `Node ${name} takes nothing new.`),
            }, "Cordon"),
        node.spec.drain ? null : h("button", {
            type: "button", class: "is-danger",
            onclick: () => page.performConfirmed({
                title: `Drain ${name}?`, action: "Drain",
                text: "Everything that runs here is stopped and placed elsewhere.",
            }, () => patch("nodes", { name }, { spec: { unschedulable: true, drain: true } }), `Node ${name} drains.`),
        }, "Drain"));
}
