// The frame around the pages: who is signed in, which page the address asks for, and when it is drawn anew.

import { ask, token } from "/ui/api.js";
import { confirmed, notice } from "/ui/dialog.js";
import { h, render } from "/ui/dom.js";
import { Live, identifier } from "/ui/live.js";
import { address, problemBox } from "/ui/parts.js";
import { percent } from "/ui/quantities.js";
import * as audit from "/ui/pages/audit.js";
import * as cost from "/ui/pages/cost.js";
import * as devices from "/ui/pages/devices.js";
import * as events from "/ui/pages/events.js";
import * as create from "/ui/pages/create.js";
import * as node from "/ui/pages/node.js";
import * as nodes from "/ui/pages/nodes.js";
import * as overview from "/ui/pages/overview.js";
import * as pools from "/ui/pages/pools.js";
import * as projects from "/ui/pages/projects.js";
import { signIn } from "/ui/pages/signin.js";
import * as workload from "/ui/pages/workload.js";
import * as workloads from "/ui/pages/workloads.js";

const MENU = [
    ["overview", "Overview"], ["workloads", "Workloads"], ["devices", "Devices"], ["nodes", "Nodes"],
    ["pools", "Pools"], ["projects", "Projects"], ["events", "Events"], ["cost", "Cost"], ["audit", "Audit"],
];
const PAGES = { audit, cost, devices, events, nodes, overview, pools, projects, workloads };
const THEMES = ["light dark", "light", "dark"];
const THEME_NAMES = { "light dark": "Automatic", light: "Light", dark: "Dark" };
const HISTORY = 60;

/** The whole application's state; the page on show gets it as its `page`. */
class Application {
    constructor() {
        this.root = document.getElementById("app");
        this.identity = null;
        this.live = new Live((feed, change) => this.took(feed, change), () => this.signOut("Sign in again."));
        this.history = new Map();
        this.isMenuOpen = false;
        this.hasHistory = false;
        this.isDrawing = false;
        this.applyTheme(localStorage.getItem("roost-theme") ?? THEMES[0]);
        addEventListener("hashchange", () => this.open());
        addEventListener("keydown", (event) => {
            if (event.key === "Escape" && this.isMenuOpen) this.toggleMenu(false);
        });
        setInterval(() => this.recall().then(() => this.draw()), 30_000);
    }

    async start(message) {
        try {
            this.identity = await ask("/api/v1/whoami");
            this.open(true);
            this.recall().then(() => this.draw());
        } catch (problem) {
            this.identity = null;
            this.live.stop();
            const isStranger = problem.status === 401;
            signIn(this.root, isStranger ? message ?? (token.get() ? "The token is not known, or it has expired." : "")
                : problem.message, (text) => {
                token.set(text);
                this.start();
            });
        }
    }

    signOut(message = "You are signed out.") {
        token.clear();
        this.start(message);
    }

    // MARK: - What pages use

    /** Whether one of these roles holds, in a project where one is named. */
    may(roles, project) {
        return (this.identity?.grants ?? []).some((grant) => roles.includes(grant.role) &&
            (project === undefined || grant.project === "*" || this.chain(project).includes(grant.project)));
    }

    get mayWriteWorkloads() { return this.may(["user", "poolAdmin", "admin", "system"]); }
    get mayWriteNodes() { return this.may(["poolAdmin", "admin", "system"], ""); }

    /** A project and all above it. */
    chain(project) {
        const names = [];
        for (let name = project; name && !names.includes(name);) {
            names.push(name);
            name = this.live.one("projects", { name })?.spec.parent;
        }
        return names;
    }

    /** How many rows of a list are shown. */
    limit(name, fallback) { return this.limits.get(name) ?? fallback; }

    raise(name, count) {
        this.limits.set(name, count);
        this.draw();
    }

    /** Does something that the API may refuse, and says how it ended. */
    async perform(work, message) {
        try {
            const answer = await work();
            notice(message, "good");
            return answer;
        } catch (problem) {
            notice(problem.message, "bad");
            return undefined;
        }
    }

    /** Asks first; see `perform`. */
    async performConfirmed(question, work, message) {
        return await confirmed(question) ? this.perform(work, message) : undefined;
    }

    // MARK: - Pages

    open(isFirst = false) {
        if (!this.identity) return;
        const [path, query = ""] = (location.hash.slice(2) || "overview").split("?");
        const parts = path.split("/").map(decoded);
        this.parts = parts;
        this.query = new URLSearchParams(query);
        this.state = {};
        this.limits = new Map();
        this.isMenuOpen = false;
        this.shown = find(parts);
        this.live.need(this.shown ? this.shown.kinds : []);
        this.shown?.open?.(this);
        this.drawNow();
        const heading = this.root.querySelector("h1");
        if (isFirst) return;
        scrollTo(0, 0);
        heading?.focus();
    }

    /** Draws soon, once for many changes. */
    draw() {
        if (this.isDrawing || !this.identity) return;
        this.isDrawing = true;
        setTimeout(() => {
            this.isDrawing = false;
            if (this.identity) this.drawNow();
        }, 60);
    }

    drawNow() {
        const title = this.shown ? this.shown.title(this) : "No such page";
        document.title = `${title} · Roost`;
        render(this.root,
            h("a", { class: "skip", href: "#main", onclick: skip }, "Skip to the content"),
            h("div", { class: "frame" }, this.side(),
                h("main", { id: "main", tabindex: "-1" },
                    h("div", { class: "title-row" }, h("h1", { tabindex: "-1" }, title), this.shown?.actions?.(this)),
                    this.trouble(), this.content())));
    }

    content() {
        if (!this.shown) {
            return h("p", {}, "There is no such page. ", h("a", { href: "#/overview" }, "To the overview"));
        }
        if (!this.live.isReady) return h("p", { class: "nothing", "aria-busy": "true" }, "Loading …");
        return h("div", { class: "page", key: location.hash }, this.shown.content(this));
    }

    trouble() {
        const problem = this.live.problems[0];
        if (!problem) return null;
        const lead = problem.status === 403 ? "Not everything is shown: " : "Not up to date, trying again: ";
        return problemBox({ message: lead + problem.message });
    }

    side() {
        const current = this.parts[0];
        const items = MENU.filter(([name]) => name !== "audit" || this.may(["admin", "system"], ""));
        return h("header", { class: this.isMenuOpen ? "side is-open" : "side" },
            h("div", { class: "brand" }, h("img", { src: "/ui/logo.svg", alt: "", width: "28", height: "28" }),
                h("span", {}, "Roost"),
                h("button", {
                    type: "button", class: "menu-button", "aria-expanded": String(this.isMenuOpen),
                    "aria-controls": "menu", onclick: () => this.toggleMenu(!this.isMenuOpen),
                }, "Menu")),
            h("div", { id: "menu", class: "menu" },
                h("nav", { "aria-label": "Pages" }, h("ul", {}, items.map(([name, title]) => h("li", {}, h("a", {
                    href: address(name), "aria-current": current === name ? "page" : null,
                }, title))))),
                this.foot()));
    }

    foot() {
        const roles = this.identity.grants.map((grant) => grant.project === "*" ? grant.role
            : `${grant.role} in ${grant.project}`);
        return h("div", { class: "foot" },
            h("p", { class: "who" }, h("strong", {}, this.identity.subject), h("span", {}, roles.join(", "))),
            h("label", { for: "theme" }, "Colours"),
            h("select", { id: "theme", value: this.theme, onchange: (event) => this.applyTheme(event.target.value) },
                THEMES.map((theme) => h("option", { value: theme }, THEME_NAMES[theme]))),
            this.identity.method === "none" ? null
                : h("button", { type: "button", onclick: () => this.signOut() }, "Sign out"));
    }

    toggleMenu(isOpen) {
        this.isMenuOpen = isOpen;
        this.drawNow();
        if (!isOpen) this.root.querySelector(".menu-button").focus();
    }

    applyTheme(theme) {
        this.theme = THEMES.includes(theme) ? theme : THEMES[0];
        localStorage.setItem("roost-theme", this.theme);
        document.documentElement.style.colorScheme = this.theme;
    }

    // MARK: - Changes

    took(feed, change) {
        if (feed.plural === "devices") this.remember(change ? [change.object] : [...feed.items.values()]);
        if (feed.plural === "workloads" && change) announce(change);
        if (change) this.shown?.changed?.(this, feed.plural, change);
        this.draw();
    }

    /** Asks what devices did in the last hour, for their lines; whoever may not read it sees what happens from now on. */
    async recall() {
        if (this.identity === null) return;
        try {
            const answer = await ask("/api/v1/history?metric=roost_device_utilization_ratio&since=1h&step=1m");
            this.hasHistory = true;
            this.history = new Map(answer.series.map(({ labels, points }) =>
                [`${labels.node}.${labels.device}`, points.map((point) => Math.round(point.average * 100))]));
        } catch {
            this.hasHistory = false;
        }
    }

    /** Keeps what devices did since the dashboard was opened, where the control plane does not tell. */
    remember(list) {
        if (this.hasHistory) return;
        for (const device of list) {
            if (device.status?.utilization === undefined) continue;
            const values = this.history.get(device.metadata.name) ?? [];
            values.push(percent(device.status.utilization));
            this.history.set(device.metadata.name, values.slice(-HISTORY));
        }
    }
}

function find(parts) {
    if (parts[0] === "nodes" && parts.length === 2) return node;
    if (parts[0] === "workloads" && parts[1] === "new" && parts.length === 2) return create;
    if (parts[0] === "workloads" && parts.length === 3) return workload;
    return parts.length === 1 && Object.hasOwn(PAGES, parts[0]) ? PAGES[parts[0]] : null;
}

function decoded(part) {
    try { return decodeURIComponent(part); } catch { return part; }
}

function skip(event) {
    event.preventDefault();
    document.getElementById("main").focus();
}

function announce({ type, object, before }) {
    const name = identifier(object.metadata);
    if (type === "DELETE") notice(`Workload ${name} is gone.`);
    else if (before === null) notice(`Workload ${name} is new.`);
    else if (before.status?.phase !== object.status?.phase) notice(`Workload ${name} is now ${object.status.phase}.`);
}

new Application().start();
