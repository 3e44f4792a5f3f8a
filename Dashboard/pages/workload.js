// One workload: how it fares, why it waits, and what can be done.

import { ask, onePath, patch } from "/ui/api.js";
import { explanation } from "/ui/answers.js";
import { h } from "/ui/dom.js";
import { eventsAbout, isWaiting, vgpusOf } from "/ui/model.js";
import { address, badge, conditions, facts, field, nothing, panel, problemBox, table } from "/ui/parts.js";
import { agoText, boundsText, momentText } from "/ui/quantities.js";
import { eventTable } from "/ui/pages/events.js";
import { requestText } from "/ui/pages/workloads.js";

const PATIENCE_MILLISECONDS = 3000;

export const kinds = ["workloads", "vgpus", "events", "projects"];
export const title = (page) => `Workload ${page.parts[2]}`;

const reference = (page) => ({ project: page.parts[1], name: page.parts[2] });

export function open(page) {
    question(page);
}

/** Asks again when something about the workload has changed, but not at each change. */
export function changed(page, plural, { type, object }) {
    const { project, name } = reference(page);
    const isOurs = plural === "workloads" && object.metadata.name === name && object.metadata.project === project;
    if (!isOurs || type === "DELETE" || page.state.timer) return;
    const { state } = page;
    state.timer = setTimeout(() => {
        state.timer = null;
        if (page.state === state && page.live.one("workloads", reference(page))) question(page);
    }, state.why ? PATIENCE_MILLISECONDS : 0);
}

async function question(page) {
    const { state } = page;
    try {
        state.why = explanation(await ask(`${onePath("workloads", reference(page))}/why`));
        state.problem = null;
    } catch (problem) {
        state.problem = problem;
    }
    page.draw();
}

export function content(page) {
    const workload = page.live.one("workloads", reference(page));
    if (!workload) return nothing("There is no such workload, or not any more.");
    const { spec, status = {}, metadata } = workload;
    return [
        panel("State", {},
            facts([
                ["State", badge(status.phase ?? "Pending")], ["Project", metadata.project],
                ["Ready", `${status.ready ?? 0} of ${spec.replicas ?? 1} replicas`], ["Placed", status.placed ?? 0],
                ["In the queue", status.queuePosition ?? null],
                ["Waits since", status.waitingSince ? agoText(status.waitingSince) : null],
                ["Each replica asks for", requestText(spec)], ["Pool", spec.pool ?? "the default pool"],
                ["Level", spec.priority === undefined ? spec.qos ?? "the pool's" : `priority ${spec.priority}`],
                ["All at once", spec.gang ? `${spec.gang.minimum ?? spec.replicas ?? 1} replicas` : null],
                [
                    "Program", spec.program ? h("code", {}, spec.program.command.join(" "))
                        : "none: held for whoever connects",
                ],
                ["Made", `${momentText(metadata.createdAt)} by ${metadata.createdBy ?? "somebody"}`],
            ])),
        whyPanel(page, workload),
        page.may(["user", "poolAdmin", "admin", "system"], metadata.project) ? orders(page, workload) : null,
        panel("vGPUs", {}, vgpuTable(page, vgpusOf(workload, page.live))),
        panel("Conditions", {}, conditions(status.conditions, page)),
        panel("Events", {}, eventTable(page, eventsAbout(page.live, "Workload", metadata))),
    ];
}

function whyPanel(page, workload) {
    const { why, problem } = page.state;
    return panel(isWaiting(workload) ? "Why it waits" : "Verdict", {},
        problem ? problemBox(problem) : null,
        why ? [
            h("p", { class: "verdict" }, why.verdict),
            why.queuePosition ? h("p", {}, `It is number ${why.queuePosition} in the queue.`) : null,
            why.reasons.length === 0 ? null : table({
                caption: "Why places are out of the question", page, items: why.reasons, key: (one) => one.reason,
                empty: "",
                columns: [
                    { title: "Devices", cell: (one) => one.devices },
                    { title: "Reason", cell: (one) => one.message },
                ],
            }),
            why.nearest ? h("p", {}, "The nearest fit is ", h("strong", {}, why.nearest.node,
                why.nearest.device ? ` ${why.nearest.device}` : ""), `. ${why.nearest.message}`) : null,
            why.remedies.length === 0 ? null : [
                h("h3", {}, "What would let it start"), h("ul", { class: "remedies" },
                    why.remedies.map((remedy) => h("li", {}, remedy))),
            ],
        ] : problem ? null : nothing("Asking …"));
}

function orders(page, { metadata, spec }) {
    const scale = (event) => {
        event.preventDefault();
        const replicas = Number(new FormData(event.target).get("replicas"));
        const text = `${metadata.name}: ${replicas} replicas.`;
        page.perform(() => patch("workloads", metadata, { spec: { replicas } }), text);
    };
    return panel("Change", {}, h("div", { class: "orders" },
        h("form", { onsubmit: scale, class: "inline-form" },
            field({
                id: "replicas", label: "Replicas", input: h("input", {
                    type: "number", min: "0", max: "100000", required: true, value: String(spec.replicas ?? 1),
                }),
            }),
            h("button", { type: "submit" }, "Scale")),
        h("button", {
            type: "button", onclick: () => page.performConfirmed({
                title: `Stop ${metadata.name}?`, action: "Stop",
                text: "Its replicas end; the workload stays, with 0 replicas.",
            }, () => patch("workloads", metadata, { spec: { replicas: 0 } }), `${metadata.name} stops.`),
        }, "Stop"),
        h("button", {
            type: "button", class: "is-danger", onclick: () => remove(page, metadata),
        }, "Delete")));
}

async function remove(page, metadata) {
    const answer = await page.performConfirmed({
        title: `Delete ${metadata.name}?`, text: "Its replicas end and give back their vGPUs. This can't be undone.",
        action: "Delete",
    }, () => ask(onePath("workloads", metadata), { method: "DELETE" }), `${metadata.name} is deleted.`);
    if (answer !== undefined) location.hash = address("workloads");
}

/** vGPUs as a table. */
export function vgpuTable(page, items) {
    return table({
        caption: "vGPUs", page, items, empty: "No vGPU.",
        key: ({ metadata }) => `${metadata.project}/${metadata.name}`,
        columns: [
            { title: "vGPU", cell: ({ metadata }) => metadata.name },
            { title: "State", cell: ({ status }) => badge(status?.phase ?? "Placed") },
            { title: "Node", cell: ({ spec }) => h("a", { href: address("nodes", spec.node) }, spec.node) },
            { title: "Devices", cell: ({ spec }) => spec.devices.join(", ") },
            { title: "Compute", cell: ({ spec }) => boundsText(spec.compute) },
            { title: "Memory", cell: ({ spec }) => boundsText(spec.memory) },
            { title: "Busy", isNumber: true, cell: ({ status }) => status?.utilization ?? "–" },
            { title: "In use", isNumber: true, cell: ({ status }) => status?.usedMemory ?? "–" },
            { title: "Serves", cell: ({ status }) => (status?.startedAt ? agoText(status.startedAt) : "–") },
        ],
    });
}
