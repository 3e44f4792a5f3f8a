// What pages are put together from.

import { h } from "/ui/dom.js";

const TONES = {
    Ready: "good", Running: "good", Succeeded: "good", Healthy: "good", done: "good", True: "good",
    Pending: "wait", Partial: "wait", Joining: "wait", Placed: "wait", Starting: "wait", Stopping: "wait",
    Warning: "bad", NotReady: "bad", Lost: "bad", Failed: "bad", Ill: "bad", denied: "bad", failed: "bad",
};
const ROWS = 200;

/** The address of a page. */
export function address(...parts) {
    return `#/${parts.map(encodeURIComponent).join("/")}`;
}

/** A link to a resource's page. */
export function resourceLink(page, metadata) {
    const parts = metadata.project === undefined ? [metadata.name] : [metadata.project, metadata.name];
    return h("a", { href: address(page, ...parts) }, metadata.name);
}

/** A state in a word, with a tone that is not its only sign. */
export function badge(word, tone = TONES[word] ?? "plain") {
    return h("span", { class: `badge tone-${tone}` }, word);
}

/** A part of a page with a heading; titles on one page differ. */
export function panel(title, attributes, ...children) {
    const id = `panel-${encodeURIComponent(title)}`;
    const { actions = null, heading = "h2", ...rest } = attributes ?? {};
    return h("section", { class: "panel", "aria-labelledby": id, ...rest },
        h("div", { class: "panel-head" }, h(heading, { id }, title), actions), children);
}

/** A line for where there is nothing. */
export function nothing(text) {
    return h("p", { class: "nothing" }, text);
}

/**
 * A table. Columns are `{ title, cell(item), isNumber }`; the first names its row.
 *
 * On narrow screens rows become cards, so roles are said and each cell carries its column's title.
 */
export function table({ caption, columns, items, key, empty, page }) {
    if (items.length === 0) return nothing(empty);
    const limit = page.limit(caption, ROWS);
    const row = (item) => h("tr", { role: "row", key: key(item) }, columns.map((column, index) => h(
        index === 0 ? "th" : "td",
        {
            role: index === 0 ? "rowheader" : "cell", scope: index === 0 ? "row" : null,
            "data-label": column.title, class: column.isNumber ? "number" : null,
        }, h("div", { class: "cell-content" }, column.cell(item)))));
    return h("div", { class: "table-frame" },
        h("table", { role: "table" },
            h("caption", { class: "hidden" }, caption),
            h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, columns.map((column) => h("th", {
                role: "columnheader", scope: "col", class: column.isNumber ? "number" : null,
            }, column.title)))),
            h("tbody", { role: "rowgroup" }, items.slice(0, limit).map(row))),
        more(caption, items.length, limit, page));
}

/** A button for the rest of a long list. */
export function more(name, count, limit, page) {
    return count <= limit ? null : h("p", { class: "more" }, `${limit} of ${count} are shown. `,
        h("button", { type: "button", onclick: () => page.raise(name, limit + ROWS) }, "Show more"));
}

/** Names and values. */
export function facts(pairs) {
    return h("dl", { class: "facts" }, pairs.filter(([, value]) => value !== null && value !== undefined)
        .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

/** A number with its name. */
export function tile({ name, value, note, href, tone = "plain" }) {
    return h("a", { class: `tile tone-${tone}`, href },
        h("span", { class: "tile-name" }, name), h("span", { class: "tile-value" }, value),
        h("span", { class: "tile-note" }, note));
}

/** A field of a form; `input` is what `h` made for it. */
export function field({ id, label, hint, input, problem }) {
    const described = [hint && `${id}-hint`, problem && `${id}-problem`].filter(Boolean).join(" ");
    input.attributes = {
        ...input.attributes, id, name: id, "aria-describedby": described || null,
        "aria-invalid": problem ? "true" : null,
    };
    return h("div", { class: "field" }, h("label", { for: id }, label), input,
        hint ? h("p", { class: "hint", id: `${id}-hint` }, hint) : null,
        problem ? h("p", { class: "field-problem", id: `${id}-problem` }, problem) : null);
}

/** A choice among words. */
export function choice(words, value, onchange) {
    return h("select", { value, onchange }, words.map((word) => {
        const [text, title] = Array.isArray(word) ? word : [word, word];
        return h("option", { value: text }, title);
    }));
}

/** What is wrong, read out at once. */
export function problemBox(problem) {
    return problem ? h("div", { class: "problem", role: "alert" },
        (problem.lines ?? [problem.message]).map((line) => h("p", {}, line))) : null;
}

/** Conditions as a table. */
export function conditions(list, page) {
    return table({
        caption: "Conditions", items: list ?? [], key: (one) => one.type, empty: "No conditions yet.", page,
        columns: [
            { title: "Condition", cell: (one) => one.type }, { title: "Holds", cell: (one) => badge(one.status) },
            { title: "Why", cell: (one) => `${one.reason}: ${one.message}` },
        ],
    });
}
