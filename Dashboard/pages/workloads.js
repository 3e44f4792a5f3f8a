// Workloads: how they fare and, where they wait, why.

import { h } from "/ui/dom.js";
import { isWaiting } from "/ui/model.js";
import { address, badge, choice, field, resourceLink, table } from "/ui/parts.js";
import { agoText, boundsText } from "/ui/quantities.js";

const PHASES = [["", "All"], ["waiting", "Waiting"], "Running", "Succeeded", "Failed"];

export const kinds = ["workloads", "projects"];
export const title = () => "Workloads";

export function open(page) {
    page.state.phase = page.query.get("phase") ?? "";
    page.state.project = page.query.get("project") ?? "";
}

export function actions(page) {
    if (!page.mayWriteWorkloads) return null;
    return h("a", { class: "button is-main", href: address("workloads", "new") }, "New workload");
}

export function content(page) {
    const { phase, project } = page.state;
    const set = (name) => (event) => {
        page.state[name] = event.target.value;
        page.draw();
    };
    const items = page.live.all("workloads").filter((item) => (!project || item.metadata.project === project) &&
        (!phase || (phase === "waiting" ? isWaiting(item) : item.status?.phase === phase)));
    const projects = page.live.all("projects").map((one) => one.metadata.name);
    return [
        h("div", { class: "filters" },
            field({ id: "phase", label: "State", input: choice(PHASES, phase, set("phase")) }),
            field({
                id: "project", label: "Project", input: choice([["", "All"], ...projects], project, set("project")),
            })),
        workloadTable(page, items),
    ];
}

function workloadTable(page, items) {
    return table({
        caption: "Workloads", page, items, empty: "There is no such workload.",
        key: (item) => `${item.metadata.project}/${item.metadata.name}`,
        columns: [
            { title: "Workload", cell: (item) => resourceLink("workloads", item.metadata) },
            { title: "Project", cell: (item) => item.metadata.project },
            { title: "State", cell: (item) => badge(item.status?.phase ?? "Pending") },
            {
                title: "Ready", isNumber: true,
                cell: (item) => `${item.status?.ready ?? 0} of ${item.spec.replicas ?? 1}`,
            },
            { title: "Asks for", cell: (item) => requestText(item.spec) },
            { title: "In the queue", isNumber: true, cell: (item) => item.status?.queuePosition ?? "–" },
            { title: "Why it waits", cell: (item) => (isWaiting(item) ? why(item) : "–") },
            { title: "Age", cell: (item) => agoText(item.metadata.createdAt) },
        ],
    });
}

function why(item) {
    return item.status?.waiting ?? "It has only just arrived.";
}

/** What each replica asks for, in a line. */
export function requestText({ resources = {}, profile }) {
    const devices = resources.devices ?? 1;
    const parts = [`${devices} ${devices === 1 ? "device" : "devices"}`];
    if (resources.compute) parts.push(boundsText(resources.compute));
    if (resources.memory) parts.push(boundsText(resources.memory));
    if (profile) parts.push(`profile ${profile}`);
    return parts.join(", ");
}
