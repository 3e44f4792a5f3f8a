// Projects: who has what, whose turn it is, and how much of a quota is used.

import { bar } from "/ui/charts.js";
import { h } from "/ui/dom.js";
import { address, badge, nothing, panel, table } from "/ui/parts.js";
import { mebibytes, memoryText, percent } from "/ui/quantities.js";

export const kinds = ["projects", "quotas"];
export const title = () => "Projects and quotas";

const AMOUNTS = {
    compute: ["Compute", percent, (value) => `${value}%`],
    memory: ["Memory", mebibytes, memoryText],
    vgpus: ["vGPUs", Number, String],
    workloads: ["Workloads", Number, String],
};

export function content(page) {
    const projects = page.live.all("projects");
    const quotas = page.live.all("quotas");
    return [
        panel("Fair shares", {}, h("p", { class: "hint" },
            "The mark in a bar is a project's fair share; what is behind it is lent to it and may be called back."),
        table({
            caption: "Projects", page, items: tree(projects), key: ({ project }) => project.metadata.name,
            empty: "There is no project that you may see.", columns: columns(projects),
        })),
        panel("Quotas", {}, quotas.length === 0 ? nothing("There is no quota: projects share by weight alone.")
            : h("div", { class: "cards" }, quotas.map(card))),
    ];
}

function columns(projects) {
    const whole = Math.max(100, ...projects.map((project) => Math.max(share(project), used(project))));
    return [
        {
            title: "Project", cell: ({ project, depth }) => h("span", { class: `depth-${Math.min(depth, 6)}` },
                project.metadata.name),
        },
        { title: "Weight", isNumber: true, cell: ({ project }) => project.spec.weight ?? 1 },
        {
            title: "Has, against its fair share", cell: ({ project }) => [
                bar({
                    label: `${project.metadata.name} has`, whole, isBare: true, mark: share(project), segments: [
                        {
                            name: "within its fair share", tone: "compute", text: `${within(project)}%`,
                            amount: within(project),
                        },
                        { name: "borrowed", tone: "borrowed", text: `${beyond(project)}%`, amount: beyond(project) },
                    ],
                }),
                h("span", { class: "quiet" }, `${(used(project) / 100).toFixed(1)} of `,
                    share(project) ? `${(share(project) / 100).toFixed(1)} devices` : "an unknown share"),
            ],
        },
        {
            title: "Memory", isNumber: true,
            cell: ({ project }) => memoryText(mebibytes(project.status?.allocated?.memory)),
        },
        {
            title: "Waiting", isNumber: true, cell: ({ project }) => (project.status?.pending ? h("a", {
                href: `${address("workloads")}?phase=waiting&project=${encodeURIComponent(project.metadata.name)}`,
            }, project.status.pending) : 0),
        },
        { title: "For", cell: ({ project }) => project.spec.description ?? "–" },
    ];
}

/** In percent of a device. */
function share(project) { return (project.status?.fairShareMilliDevices ?? 0) / 10; }
function used(project) { return percent(project.status?.allocated?.compute); }
function within(project) { return share(project) > 0 ? Math.min(used(project), share(project)) : used(project); }
function beyond(project) { return used(project) - within(project); }

/** Projects in the order of their tree, each with its depth. */
export function tree(projects) {
    const names = new Set(projects.map((project) => project.metadata.name));
    const below = Map.groupBy(projects, ({ spec }) => (names.has(spec.parent) ? spec.parent : ""));
    const list = [];
    const walk = (parent, depth) => {
        for (const project of below.get(parent) ?? []) {
            if (depth > projects.length) return;
            list.push({ project, depth });
            walk(project.metadata.name, depth + 1);
        }
    };
    walk("", 0);
    return list;
}

function card(quota) {
    const { spec, status = {} } = quota;
    const limit = percent(spec.alertAt ?? "95%");
    const bars = [["requests", "Requests"], ["limits", "Limits"]].flatMap(([part, name]) =>
        Object.entries(AMOUNTS).filter(([amount]) => spec[part]?.[amount] !== undefined)
            .map(([amount, how]) => quotaBar(
                `${name}: ${how[0]}`, how, spec[part][amount], status[part]?.[amount], limit)));
    const sure = Object.entries(spec.guaranteed ?? {}).map(([name, value]) => `${value} of ${name}`).join(", ");
    const borrowed = Object.entries(status.borrowed ?? {}).map(([name, value]) => `${value} of ${name}`).join(", ");
    return panel(`Quota ${quota.metadata.name}`, { key: quota.metadata.name, heading: "h3" },
        h("p", { class: "quiet" }, `For project ${spec.project}`, sure ? `, sure of ${sure}` : "",
            borrowed ? `, borrows ${borrowed}` : ""),
        bars.length === 0 ? nothing("It sets no bounds for the sum.") : bars);
}

function quotaBar(label, [, read, write], most, now, alertAt) {
    const whole = read(most);
    const amount = read(now ?? 0) || 0;
    const isNear = whole > 0 && (amount / whole) * 100 >= alertAt;
    const free = Math.max(0, whole - amount);
    return [
        h("p", { class: "bar-title" }, label,
            h("span", {}, isNear ? badge("Nearly used up", "bad") : null, `of ${write(whole)}`)),
        bar({
            label, whole, segments: [
                { name: "used", tone: isNear ? "alert" : "compute", amount, text: write(amount) },
                { name: "free", tone: "free", amount: free, text: write(free) },
            ],
        }),
    ];
}
