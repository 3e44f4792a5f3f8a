// Pictures in SVG: bars, rings and lines. Each has its content as a text too.

import { h } from "/ui/dom.js";
import { ratio } from "/ui/quantities.js";

/**
 * A bar of segments `{ amount, tone, name, text }` within `whole`; what is left over stays empty.
 *
 * `label` says what it shows; a legend names the parts unless `isBare`.
 */
export function bar({ label, segments, whole, isBare = false, mark = null }) {
    const total = Math.max(whole, segments.reduce((sum, segment) => sum + segment.amount, 0));
    let start = 0;
    const pieces = segments.filter((segment) => segment.amount > 0).map((segment) => {
        const width = total > 0 ? (segment.amount / total) * 100 : 0;
        const x = start;
        start += width;
        return h("rect", { x: `${x}%`, y: "0", width: `${width}%`, height: "100%", class: `fill-${segment.tone}` });
    });
    const text = segments.map((segment) => `${segment.name} ${segment.text}`).join(", ");
    const line = !mark || total === 0 ? null : h("rect", {
        x: `${Math.min(99, (mark / total) * 100)}%`, y: "0", width: "2", height: "100%", class: "fill-mark",
    });
    return h("div", { class: "bar" },
        h("svg", { class: "bar-picture", role: "img", "aria-label": `${label}: ${text}` },
            h("rect", { width: "100%", height: "100%", class: "fill-empty" }), pieces, line),
        isBare ? null : h("ul", { class: "legend" }, segments.map((segment) => h("li", {},
            h("svg", { class: "dot", "aria-hidden": "true", viewBox: "0 0 8 8" },
                h("circle", { cx: "4", cy: "4", r: "4", class: `fill-${segment.tone}` })),
            `${segment.name} `, h("strong", {}, segment.text)))));
}

/** A ring that is filled to `part` of `whole`, with the share in its middle. */
export function ring({ label, part, whole, tone, text }) {
    const share = ratio(part, whole);
    const around = 2 * Math.PI * 42;
    const filled = (Math.min(share, 100) / 100) * around;
    return h("figure", { class: "ring" },
        h("svg", { viewBox: "0 0 100 100", role: "img", "aria-label": `${label}: ${share} %, ${text}` },
            h("circle", { cx: "50", cy: "50", r: "42", class: "ring-track" }),
            share === 0 ? null : h("circle", {
                cx: "50", cy: "50", r: "42", class: `ring-value line-${tone}`, transform: "rotate(-90 50 50)",
                "stroke-dasharray": `${filled} ${around}`,
            }),
            h("text", { x: "50", y: "50", class: "ring-text", "aria-hidden": "true" }, `${share}%`)),
        h("figcaption", {}, h("strong", {}, label), h("span", {}, text)));
}

/** A small picture of a device: two columns, compute and memory, filled to what is promised. */
export function deviceCell({ name, compute, memory, isHealthy }) {
    const column = (x, share, tone) => {
        const height = Math.min(share, 100) * 0.24;
        return [
            h("rect", { x, y: "3", width: "10", height: "24", rx: "2", class: "fill-empty" }),
            h("rect", { x, y: 27 - height, width: "10", height, rx: "2", class: `fill-${tone}` }),
        ];
    };
    const state = isHealthy ? `compute ${compute} %, memory ${memory} % promised` : "not available";
    return h("svg", {
        class: isHealthy ? "cell" : "cell is-ill", viewBox: "0 0 30 30", role: "img", "aria-label": `${name}: ${state}`,
    },
    h("title", {}, `${name}: ${state}`), column(4, compute, "compute"), column(16, memory, "memory"),
    isHealthy ? null : h("path", { d: "M5 5L25 25M25 5L5 25", class: "cell-cross" }));
}

/** The last values as a line, from 0 to 100. */
export function trend({ label, values }) {
    if (values.length < 2) return null;
    const step = 100 / (values.length - 1);
    const points = values.map((value, index) => `${index * step},${30 - Math.min(value, 100) * 0.28}`).join(" ");
    return h("svg", {
        class: "trend", viewBox: "0 0 100 30", preserveAspectRatio: "none", role: "img",
        "aria-label": `${label}: now ${values.at(-1)} %, between ${Math.min(...values)} and ${Math.max(...values)} %`,
    }, h("polyline", { points, class: "trend-line" }));
}
