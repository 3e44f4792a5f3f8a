// The whole fleet at a glance.

import { deviceCell, ring } from "/ui/charts.js";
import { h } from "/ui/dom.js";
import { isAvailable, latest, pending, totals } from "/ui/model.js";
import { address, badge, more, nothing, panel, resourceLink, table, tile } from "/ui/parts.js";
import { agoText, mebibytes, memoryText, percent, ratio } from "/ui/quantities.js";

const NODES = 100;
const ALERT_MILLISECONDS = 24 * 3_600_000;

export const kinds = ["workloads", "devices", "nodes", "events"];
export const title = () => "Overview";

export function content(page) {
    const { live } = page;
    const nodes = live.all("nodes");
    const devices = live.all("devices");
    const available = devices.filter((device) => isAvailable(device, live));
    const sum = totals(available);
    const waiting = pending(live);
    const warnings = alerts(live);
    return [
        h("div", { class: "tiles" },
            tile({
                name: "Nodes ready", href: "#/nodes", value: `${nodes.filter(isReady).length} / ${nodes.length}`,
                note: nodes.every(isReady) ? "all are heard of" : "some are not heard of",
                tone: nodes.every(isReady) ? "good" : "bad",
            }),
            tile({
                name: "Devices", href: "#/devices", value: `${available.length} / ${devices.length}`,
                note: "available now", tone: available.length === devices.length ? "good" : "bad",
            }),
            tile({
                name: "Waiting", href: "#/workloads?phase=waiting", value: String(waiting.length),
                note: waiting.length === 1 ? "workload" : "workloads", tone: waiting.length > 0 ? "wait" : "good",
            }),
            tile({
                name: "Alerts", href: "#/events?level=Warning", value: String(warnings.length),
                note: "in the last 24 hours", tone: warnings.length > 0 ? "bad" : "good",
            })),
        h("div", { class: "columns" }, allocation(sum), map(page, nodes, devices)),
        panel("Waiting workloads", {}, queue(page, waiting)),
        panel("Alerts", {}, alertList(warnings.slice(0, 8))),
    ];
}

function isReady(node) { return node.status?.phase === "Ready"; }

/** Warnings of the last day, those of alert rules first. */
export function alerts(live) {
    const since = Date.now() - ALERT_MILLISECONDS;
    const list = live.all("events").filter(({ spec }) => spec.level === "Warning" && Date.parse(spec.lastAt) >= since);
    const rank = (event) => (event.spec.about.kind === "AlertRule" ? 0 : 1);
    return latest(list).sort((left, right) => rank(left) - rank(right));
}

function allocation(sum) {
    const whole = sum.devices * 100;
    return panel("Promised", { class: "panel panel-rings" },
        h("div", { class: "rings" },
            ring({
                label: "Compute", part: sum.compute, whole, tone: "compute",
                text: `${(sum.compute / 100).toFixed(1)} of ${sum.devices} devices`,
            }),
            ring({
                label: "Memory", part: sum.promised, whole: sum.capacity, tone: "memory",
                text: `${memoryText(sum.promised)} of ${memoryText(sum.capacity)}`,
            }),
            ring({
                label: "Memory in use", part: sum.used, whole: sum.capacity, tone: "used",
                text: `${memoryText(sum.used)} of ${memoryText(sum.capacity)}`,
            })));
}

function map(page, nodes, devices) {
    if (nodes.length === 0) {
        return panel("Fleet", {}, nothing(
            "No node has joined yet. Make a join token, and run roost join on a machine."));
    }
    const byNode = Map.groupBy(devices, (device) => device.spec.node);
    const limit = page.limit("fleet", NODES);
    return panel("Fleet", {},
        h("p", { class: "hint" }, "Each square is a device: left what is promised of compute, right of memory."),
        h("ul", { class: "map" }, nodes.slice(0, limit).map((node) => h("li", { key: node.metadata.name },
            h("a", { href: address("nodes", node.metadata.name) }, node.metadata.name), isReady(node) ? null
                : badge(node.status?.phase ?? "Joining"),
            h("div", { class: "cells" }, (byNode.get(node.metadata.name) ?? []).map((device) => deviceCell({
                name: device.spec.id, isHealthy: isAvailable(device, page.live),
                compute: percent(device.status?.allocatedCompute),
                memory: ratio(mebibytes(device.status?.allocatedMemory), mebibytes(device.status?.memory)),
            })))))),
        more("fleet", nodes.length, limit, page));
}

function queue(page, items) {
    return table({
        caption: "Waiting workloads", items, page, empty: "Nothing waits.",
        key: (item) => `${item.metadata.project}/${item.metadata.name}`,
        columns: [
            { title: "Workload", cell: (item) => resourceLink("workloads", item.metadata) },
            { title: "Project", cell: (item) => item.metadata.project },
            { title: "State", cell: (item) => badge(item.status?.phase ?? "Pending") },
            { title: "In the queue", isNumber: true, cell: (item) => item.status?.queuePosition ?? "–" },
            { title: "Since", cell: (item) => (item.status?.waitingSince ? agoText(item.status.waitingSince) : "–") },
            { title: "Why", cell: (item) => item.status?.waiting ?? "It has only just arrived." },
        ],
    });
}

function alertList(events) {
    if (events.length === 0) return nothing("No warning in the last 24 hours.");
    return h("ul", { class: "alerts" }, events.map((event) => h("li", { key: event.metadata.name },
        badge(event.spec.reason, "bad"), h("span", {}, event.spec.message),
        h("span", { class: "quiet" },
            `${event.spec.about.kind} ${event.spec.about.name}, ${agoText(event.spec.lastAt)}`))));
}
