// What happened.

import { h } from "/ui/dom.js";
import { latest } from "/ui/model.js";
import { address, badge, choice, field, table } from "/ui/parts.js";
import { agoText, momentText } from "/ui/quantities.js";

export const kinds = ["events"];
export const title = () => "Events";

export function open(page) {
    page.state.level = page.query.get("level") ?? "";
}

export function content(page) {
    const { level } = page.state;
    const events = latest(page.live.all("events").filter(({ spec }) => !level || spec.level === level));
    return [
        h("div", { class: "filters" }, field({
            id: "level", label: "Level",
            input: choice([["", "All"], ["Warning", "Warnings"], ["Normal", "Normal"]], page.state.level, (event) => {
                page.state.level = event.target.value;
                page.draw();
            }),
        })),
        eventTable(page, events),
    ];
}

/** Events as a table. */
export function eventTable(page, items) {
    return table({
        caption: "Events", page, items, empty: "Nothing has happened.",
        key: ({ metadata }) => `${metadata.project}/${metadata.name}`,
        columns: [
            { title: "What", cell: ({ spec }) => badge(spec.reason, spec.level === "Warning" ? "bad" : "plain") },
            { title: "Message", cell: ({ spec }) => spec.message },
            { title: "About", cell: ({ spec }) => about(spec.about) },
            { title: "Times", isNumber: true, cell: ({ spec }) => spec.count },
            {
                title: "Last", cell: ({ spec }) => h("time", {
                    datetime: spec.lastAt, title: momentText(spec.lastAt),
                }, agoText(spec.lastAt)),
            },
        ],
    });
}

function about({ kind, project, name }) {
    const text = `${kind} ${project ? `${project}/` : ""}${name}`;
    if (kind === "Workload") return h("a", { href: address("workloads", project, name) }, text);
    if (kind === "Node") return h("a", { href: address("nodes", name) }, text);
    return text;
}
