// The form for a new workload: checks it, shows where it would go and what it would cost, and creates it.

import { ask, listPath } from "/ui/api.js";
import { plan } from "/ui/answers.js";
import { h } from "/ui/dom.js";
import { notice } from "/ui/dialog.js";
import { address, badge, choice, field, panel, problemBox, table } from "/ui/parts.js";
import { moneyText } from "/ui/quantities.js";

export const kinds = ["projects", "pools", "profiles"];
export const title = () => "New workload";

export function content(page) {
    return [
        h("form", { class: "panel form", onsubmit: (event) => submit(page, event) },
            problemBox(page.state.problem), who(page), what(page), how(),
            h("div", { class: "actions" },
                h("button", { type: "submit", class: "is-main", value: "create" }, "Create"),
                h("button", { type: "submit", value: "plan" }, "Preview the plan"),
                h("button", { type: "submit", value: "check" }, "Check only"))),
        page.state.plan ? preview(page, page.state.plan) : null,
    ];
}

function reason(page, path) {
    return page.state.problem?.problems?.find((one) => one.field === path)?.reason;
}

function who(page) {
    const names = (plural) => page.live.all(plural).map((one) => one.metadata.name);
    const writable = names("projects").filter((name) => page.may(["user", "poolAdmin", "admin", "system"], name));
    const profiles = [...new Set(names("profiles"))];
    return h("fieldset", {}, h("legend", {}, "Workload"), h("div", { class: "fields" },
        field({
            id: "name", label: "Name", hint: "Small letters, digits, - and .", problem: reason(page, "metadata.name"),
            input: h("input", { required: true, maxlength: "63", autocomplete: "off", spellcheck: "false" }),
        }),
        field({
            id: "project", label: "Project",
            input: choice(writable, writable.includes("default") ? "default" : writable[0]),
        }),
        field({
            id: "replicas", label: "Replicas", problem: reason(page, "spec.replicas"),
            input: h("input", { type: "number", min: "0", max: "100000", value: "1", required: true }),
        }),
        field({
            id: "pool", label: "Pool", problem: reason(page, "spec.pool"),
            input: choice([["", "The default pool"], ...names("pools")], ""),
        }),
        field({
            id: "profile", label: "Profile", problem: reason(page, "spec.profile"),
            input: choice([["", "None"], ...profiles], ""),
        })));
}

function what(page) {
    const text = (id, label, hint, path) => field({
        id, label, hint, problem: reason(page, path),
        input: h("input", { autocomplete: "off", spellcheck: "false" }),
    });
    return h("fieldset", {}, h("legend", {}, "Each replica asks for"), h("div", { class: "fields" },
        field({
            id: "devices", label: "Devices", problem: reason(page, "spec.resources.devices"),
            input: h("input", { type: "number", min: "1", max: "128", value: "1", required: true }),
        }),
        text("compute", "Compute", "A share such as 50%, or 12.5TFLOPS", "spec.resources.compute"),
        text("computeLimit", "Compute at most", "As much as above where empty", "spec.resources.compute.limit"),
        text("memory", "Memory", "Such as 8GiB; the whole device's where empty", "spec.resources.memory"),
        text("memoryLimit", "Memory at most", "As much as above where empty", "spec.resources.memory.limit"),
        text("vendor", "Maker", "Such as nvidia or software; any where empty", "spec.selector.vendor"),
        text("models", "Models", "By commas; any where empty", "spec.selector.models")));
}

function how() {
    return h("fieldset", {}, h("legend", {}, "How it runs"), h("div", { class: "fields" },
        field({
            id: "qos", label: "Level", input: choice([["", "The pool's"], "low", "medium", "high", "critical"], ""),
        }),
        field({
            id: "isolation", label: "Sharing", input: choice([["", "Shared"], ["exclusive", "Whole devices"]], ""),
        }),
        field({
            id: "command", label: "Program",
            hint: "An argument on each line; without it, the vGPUs are held for whoever connects.",
            input: h("textarea", { rows: "3", spellcheck: "false" }),
        }),
        h("div", { class: "field check" }, h("input", { type: "checkbox", id: "gang", name: "gang" }),
            h("label", { for: "gang" }, "All replicas at once or none"))));
}

async function submit(page, event) {
    event.preventDefault();
    const wish = event.submitter?.value ?? "create";
    const form = new FormData(event.target);
    const body = manifest(form);
    const { project } = body.metadata;
    page.state.problem = null;
    try {
        if (wish === "plan") {
            page.state.plan = plan(await ask("/api/v1/plan", { method: "POST", body: { items: [body] } }));
        } else {
            const isCheck = wish === "check";
            // The same form sent twice by a nervous hand is one workload.
            const headers = isCheck ? {} : { "Idempotency-Key": page.state.key ??= key() };
            const path = `${listPath("workloads", project)}${isCheck ? "?dryRun=true" : ""}`;
            await ask(path, { method: "POST", body, headers });
            notice(isCheck ? "It would be taken." : `Workload ${body.metadata.name} is created.`, "good");
            if (!isCheck) location.hash = address("workloads", project, body.metadata.name);
        }
    } catch (problem) {
        page.state.key = null;
        page.state.problem = problem;
        scrollTo(0, 0);
    }
    page.draw();
}

function key() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The manifest that a form describes: only what was filled in. */
export function manifest(form) {
    const text = (name) => (form.get(name) ?? "").trim();
    const filled = (pairs) => Object.fromEntries(pairs.filter(([, value]) => value));
    const between = (request, limit) => (request || limit ? filled([["request", request], ["limit", limit]]) : null);
    const models = text("models").split(",").map((one) => one.trim()).filter(Boolean);
    const selector = filled([["vendor", text("vendor")], ["models", models.length > 0 ? models : null]]);
    const command = text("command").split("\n").map((one) => one.trim()).filter(Boolean);
    return {
        apiVersion: "roost/v1", kind: "Workload", metadata: { name: text("name"), project: text("project") },
        spec: {
            replicas: Number(text("replicas")),
            resources: filled([
                ["devices", Number(text("devices"))], ["compute", between(text("compute"), text("computeLimit"))],
                ["memory", between(text("memory"), text("memoryLimit"))],
            ]),
            ...filled(["pool", "profile", "qos", "isolation"].map((name) => [name, text(name)])),
            ...filled([
                ["selector", Object.keys(selector).length > 0 ? selector : null],
                ["gang", form.get("gang") ? {} : null], ["program", command.length > 0 ? { command } : null],
            ]),
        },
    };
}

function preview(page, { places, pricePerHour, currency }) {
    return panel("Plan", { role: "status" },
        h("p", { class: "verdict" }, pricePerHour === null ? "No price list counts for it."
            : `It would cost ${moneyText(pricePerHour, currency)} an hour.`),
        table({
            caption: "Where replicas would go", page, items: places, empty: "Nothing would be placed.",
            key: (place) => `${place.workload} ${place.replica}`,
            columns: [
                { title: "Replica", cell: (place) => `${place.workload} ${place.replica}` },
                { title: "Verdict", cell: (place) => (place.node ? badge("Fits", "good") : badge("Waits", "wait")) },
                { title: "Node", cell: (place) => place.node ?? "–" },
                { title: "Devices", cell: (place) => place.devices.join(", ") || "–" },
                { title: "Why", cell: (place) => place.message || "–" },
            ],
        }));
}
