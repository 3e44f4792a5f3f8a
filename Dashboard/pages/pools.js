// Pools: what they have, and what of it is promised.

import { bar } from "/ui/charts.js";
import { h } from "/ui/dom.js";
import { computeSegments } from "/ui/model.js";
import { facts, nothing, panel } from "/ui/parts.js";
import { mebibytes, memoryText, percent } from "/ui/quantities.js";

export const kinds = ["pools"];
export const title = () => "Pools";

export function content(page) {
    const pools = page.live.all("pools");
    if (pools.length === 0) return nothing("There is no pool yet. roost apply -f makes one from a manifest.");
    return h("div", { class: "cards" }, pools.map(card));
}

function card(pool) {
    const { spec, status = {} } = pool;
    const capacity = mebibytes(status.capacity?.memory);
    const promised = mebibytes(status.allocated?.memory);
    const whole = percent(status.capacity?.compute);
    return panel(pool.metadata.name, { key: pool.metadata.name },
        h("p", { class: "bar-title" }, "Compute"),
        bar({
            label: "Compute", whole, segments: computeSegments(percent(status.allocated?.compute), whole / 100),
        }),
        h("p", { class: "bar-title" }, "Memory"),
        bar({
            label: "Memory", whole: capacity, segments: [
                { name: "promised", tone: "memory", amount: promised, text: memoryText(promised) },
                {
                    name: "free", tone: "free", amount: Math.max(0, capacity - promised),
                    text: memoryText(Math.max(0, capacity - promised)),
                },
            ],
        }),
        facts([
            ["Nodes ready", `${status.readyNodes ?? 0} of ${status.nodes ?? 0}`], ["Devices", status.devices ?? 0],
            ["vGPUs", status.allocated?.vgpus ?? 0], ["Placement", spec.placement ?? "compact"],
            ["Remote GPUs", spec.remote === false ? "never" : "allowed"],
            ["Oversell", `compute ${spec.oversell?.compute ?? "100%"}, memory ${spec.oversell?.memory ?? "100%"}`],
            ["Level of work", spec.defaultQoS ?? "medium"], ["Price list", spec.priceList ?? "none"],
            ["Default", spec.default ? "yes" : "no"],
        ]));
}
