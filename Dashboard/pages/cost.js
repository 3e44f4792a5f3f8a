// What work costs and has cost so far.

import { h } from "/ui/dom.js";
import { costOf } from "/ui/model.js";
import { identifier } from "/ui/live.js";
import { address, panel, table } from "/ui/parts.js";
import { moneyText } from "/ui/quantities.js";

export const kinds = ["vgpus", "pools", "pricelists", "devices", "workloads"];
export const title = () => "Cost so far";

export function content(page) {
    const sums = { projects: new Map(), workloads: new Map(), unpriced: 0 };
    for (const vgpu of page.live.all("vgpus")) {
        const cost = costOf(vgpu, page.live);
        if (cost === null) {
            sums.unpriced += 1;
            continue;
        }
        const { project } = vgpu.metadata;
        add(sums.projects, { project, name: project }, cost);
        add(sums.workloads, { project, name: vgpu.spec.workload }, cost);
    }
    return [
        h("p", { class: "hint" },
            "Worked out in this browser from the price lists and from when each vGPU came to serve. ",
            "It counts the vGPUs that the control plane still knows, and is no bill."),
        panel("By project", {}, costTable(page, "Cost by project", sums.projects, false)),
        panel("By workload", {}, costTable(page, "Cost by workload", sums.workloads, true)),
        sums.unpriced > 0 ? h("p", { class: "quiet" },
            `Without a price: ${sums.unpriced} vGPUs, whose pool has no price list or which do not serve yet.`) : null,
    ];
}

function add(sums, metadata, { currency, perHour, soFar }) {
    const key = `${identifier(metadata)} ${currency}`;
    const sum = sums.get(key) ?? { ...metadata, key, currency, perHour: 0, soFar: 0, vgpus: 0 };
    sums.set(key, { ...sum, perHour: sum.perHour + perHour, soFar: sum.soFar + soFar, vgpus: sum.vgpus + 1 });
}

function costTable(page, caption, sums, isByWorkload) {
    const items = [...sums.values()].sort((left, right) => right.soFar - left.soFar);
    const name = (item) => (isByWorkload ? h("a", { href: address("workloads", item.project, item.name) }, item.name)
        : item.project);
    return table({
        caption, page, items, key: (item) => item.key,
        empty: "Nothing has a price. A pool names its price list in spec.priceList.",
        columns: [
            { title: isByWorkload ? "Workload" : "Project", cell: name },
            ...(isByWorkload ? [{ title: "Project", cell: (item) => item.project }] : []),
            { title: "vGPUs", isNumber: true, cell: (item) => item.vgpus },
            { title: "An hour now", isNumber: true, cell: (item) => moneyText(item.perHour, item.currency) },
            { title: "So far", isNumber: true, cell: (item) => moneyText(item.soFar, item.currency) },
        ],
    });
}
