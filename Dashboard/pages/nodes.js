// The machines.

import { bar } from "/ui/charts.js";
import { computeSegments, memorySegments, totals } from "/ui/model.js";
import { badge, resourceLink, table } from "/ui/parts.js";
import { agoText } from "/ui/quantities.js";

export const kinds = ["nodes", "devices"];
export const title = () => "Nodes";

export function content(page) {
    const byNode = Map.groupBy(page.live.all("devices"), (device) => device.spec.node);
    const sums = (node) => totals(byNode.get(node.metadata.name) ?? []);
    return table({
        caption: "Nodes", page, items: page.live.all("nodes"), key: (node) => node.metadata.name,
        empty: "No node has joined yet. Make a join token, and run roost join on a machine.",
        columns: [
            { title: "Node", cell: (node) => resourceLink("nodes", node.metadata) },
            { title: "State", cell: (node) => states(node) },
            { title: "Pool", cell: (node) => node.status?.pool ?? node.spec.pool ?? "–" },
            { title: "Devices", isNumber: true, cell: (node) => sums(node).devices },
            {
                title: "Compute", cell: (node) => {
                    const { compute, devices } = sums(node);
                    const segments = computeSegments(compute, devices);
                    return bar({ label: "Compute", isBare: true, whole: devices * 100, segments });
                },
            },
            {
                title: "Memory", cell: (node) => {
                    const sum = sums(node);
                    return bar({ label: "Memory", isBare: true, whole: sum.capacity, segments: memorySegments(sum) });
                },
            },
            { title: "Heard of", cell: (node) => agoText(node.status?.heartbeatAt) },
            { title: "Version", cell: (node) => node.status?.version ?? "–" },
        ],
    });
}

/** A node's state, and whether it is kept from new work. */
export function states(node) {
    return [
        badge(node.status?.phase ?? "Joining"),
        node.spec.drain ? badge("Drains", "wait") : node.spec.unschedulable ? badge("Takes nothing new", "wait") : null,
    ];
}
