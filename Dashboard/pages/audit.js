// Who did what: the end of the audit log.

import { ask } from "/ui/api.js";
import { h } from "/ui/dom.js";
import { badge, nothing, panel, problemBox, table } from "/ui/parts.js";
import { momentText } from "/ui/quantities.js";

const COUNT = 100;

export const kinds = [];
export const title = () => "Audit log";

export function open(page) {
    page.state.records = null;
    load(page);
}

/** Loads the records before those that are there. */
async function load(page) {
    const { state } = page;
    try {
        state.head ??= (await ask("/api/v1/audit?limit=1")).head;
        const last = state.records?.at(-1)?.sequence ?? state.head.sequence + 1;
        const after = Math.max(0, last - 1 - COUNT);
        const count = last - 1 - after;
        const items = count > 0 ? (await ask(`/api/v1/audit?after=${after}&limit=${count}`)).items : [];
        state.records = [...(state.records ?? []), ...items.filter((one) => one.sequence < last).reverse()];
        state.isWhole = after === 0;
        state.problem = null;
    } catch (problem) {
        state.problem = problem;
    }
    page.draw();
}

export function content(page) {
    const { records, head, isWhole, problem } = page.state;
    if (problem) return problemBox(problem);
    if (!records) return nothing("Loading …");
    return panel("Records", {},
        h("p", { class: "hint" }, `${head.sequence} records. The last one's hash begins with `,
            h("code", {}, head.hash.slice(0, 16)), "; roost-server verify-audit checks the chain."),
        table({
            caption: "Audit records", page: { limit: () => Infinity }, items: records, key: (one) => one.sequence,
            empty: "Nothing was done yet.",
            columns: [
                { title: "Number", cell: (one) => one.sequence },
                { title: "When", cell: (one) => momentText(one.at) },
                { title: "Who", cell: (one) => one.subject },
                { title: "What", cell: (one) => one.operation },
                { title: "About", cell: (one) => h("code", {}, one.object) },
                { title: "End", cell: (one) => [badge(one.decision), ` ${one.status}`] },
            ],
        }),
        isWhole ? null : h("p", { class: "more" },
            h("button", { type: "button", onclick: () => load(page) }, "Show earlier ones")));
}
