// Lists of resources that stay up to date: each kind is listed once and then watched.
//
// Browsers open about six connections to a server over HTTP/1.1, all tabs together, and a watch holds one. So four
// watches at most run at once, which tabs share out by locks; a hidden tab gives its own back. Kinds that get no watch
// are listed again every few seconds.

import { ask, send, listPath, Problem } from "/ui/api.js";

const STREAMS = 4;
const POLL_MILLISECONDS = 5000;
const BACKOFF_MILLISECONDS = { first: 500, last: 30_000 };
/** The server sends a sign of life every 15 seconds. */
const SILENCE_MILLISECONDS = 40_000;

/** What stands for a resource in a list: project and name. */
export function identifier({ project, name }) {
    return project === undefined ? name : `${project}/${name}`;
}

/** One kind's list. */
class Feed {
    constructor(plural, changed) {
        this.plural = plural;
        this.changed = changed;
        this.items = new Map();
        this.revision = null;
        this.isReady = false;
        /** Why the list is not there or not up to date. */
        this.problem = null;
    }

    async run(signal, failed) {
        let delay = BACKOFF_MILLISECONDS.first;
        while (!signal.aborted) {
            try {
                if (this.revision === null) await this.list(signal);
                const isStreamed = await withStream(() => this.watch(signal, () => {
                    delay = BACKOFF_MILLISECONDS.first;
                }));
                await pause(isStreamed ? BACKOFF_MILLISECONDS.first : POLL_MILLISECONDS, signal);
                if (!isStreamed) this.revision = null;
            } catch (problem) {
                if (signal.aborted) return;
                if (problem.status === 410) {
                    this.revision = null;
                    await pause(BACKOFF_MILLISECONDS.first, signal);
                    continue;
                }
                this.problem = problem;
                this.changed(this, null);
                if (problem.status === 401 || problem.status === 403) return failed(problem);
                await pause(delay * (0.5 + Math.random()), signal);
                delay = Math.min(delay * 2, BACKOFF_MILLISECONDS.last);
            }
        }
    }

    async list(signal) {
        const items = new Map();
        let next = "";
        let revision;
        do {
            const more = next ? `&continue=${encodeURIComponent(next)}` : "";
            const page = await ask(`${listPath(this.plural)}?limit=1000${more}`, { signal });
            for (const item of page.items) items.set(identifier(item.metadata), item);
            revision ??= page.metadata.revision;
            next = page.metadata.continue;
        } while (next);
        this.items = items;
        this.revision = revision;
        this.isReady = true;
        this.problem = null;
        this.changed(this, null);
    }

    async watch(outer, heard) {
        const silence = new AbortController();
        const signal = AbortSignal.any([outer, silence.signal]);
        let timer = null;
        const listen = () => {
            clearTimeout(timer);
            timer = setTimeout(() => silence.abort(), SILENCE_MILLISECONDS);
        };
        listen();
        try {
            const path = `${listPath(this.plural)}?watch=true&revision=${this.revision}`;
            const response = await send(path, { signal });
            this.recover();
            for await (const line of lines(response.body)) {
                listen();
                heard();
                this.take(JSON.parse(line));
            }
        } finally {
            clearTimeout(timer);
        }
    }

    recover() {
        if (this.problem === null) return;
        this.problem = null;
        this.changed(this, null);
    }

    take(event) {
        if (event.type === "ERROR") throw new Problem(event.problem?.status ?? 500, event.problem);
        if (event.type === "PROGRESS") {
            this.revision = event.revision;
            return;
        }
        const key = identifier(event.object.metadata);
        const before = this.items.get(key) ?? null;
        if (event.type === "PUT") this.items.set(key, event.object);
        else if (event.type === "DELETE") this.items.delete(key);
        else return;
        this.revision = Math.max(this.revision, event.object.metadata.revision ?? 0);
        this.changed(this, { type: event.type, object: event.object, before });
    }
}

/** The lists that the page on show needs. */
export class Live {
    /** `changed(feed, change)` is called after each change, `signedOut()` when the token counts no more. */
    constructor(changed, signedOut) {
        this.changed = changed;
        this.signedOut = signedOut;
        this.feeds = new Map();
        this.running = new Map();
        this.wanted = [];
        document.addEventListener("visibilitychange", () => this.arrange());
    }

    /** Says which kinds are needed, the most important first: they get the watches. */
    need(plurals) {
        this.wanted = plurals;
        this.arrange();
    }

    /** A kind's resources in the order of their names. */
    all(plural) {
        const items = [...(this.feeds.get(plural)?.items.values() ?? [])];
        const text = (item) => identifier(item.metadata);
        return items.sort((left, right) => (text(left) < text(right) ? -1 : 1));
    }

    /** One resource, or undefined. */
    one(plural, metadata) {
        return this.feeds.get(plural)?.items.get(identifier(metadata));
    }

    /** Whether all lists that are needed are there. */
    get isReady() {
        return this.wanted.every((plural) => {
            const feed = this.feeds.get(plural);
            return feed?.isReady || feed?.problem?.status === 403;
        });
    }

    /** What keeps lists from being up to date. */
    get problems() {
        return this.wanted.map((plural) => this.feeds.get(plural)?.problem).filter(Boolean);
    }

    /** Forgets everything. */
    stop() {
        this.need([]);
        this.feeds.clear();
    }

    arrange() {
        const wanted = document.hidden ? [] : this.wanted;
        for (const [plural, controller] of this.running) {
            if (wanted.includes(plural)) continue;
            controller.abort();
            this.running.delete(plural);
        }
        for (const plural of wanted) {
            if (!this.running.has(plural)) this.start(plural);
        }
    }

    start(plural) {
        const controller = new AbortController();
        this.running.set(plural, controller);
        let feed = this.feeds.get(plural);
        if (!feed) {
            feed = new Feed(plural, this.changed);
            this.feeds.set(plural, feed);
        }
        feed.run(controller.signal, (problem) => {
            if (problem.status === 401) this.signedOut();
        }).catch(() => {});
    }
}

let streams = 0;

/** Runs work that holds a connection, unless too many run already; answers whether it ran. */
async function withStream(work) {
    if (!navigator.locks) {
        if (streams >= STREAMS) return false;
        streams += 1;
        try { await work(); } finally { streams -= 1; }
        return true;
    }
    for (let slot = 0; slot < STREAMS; slot += 1) {
        const isDone = await navigator.locks.request(`roost-stream-${slot}`, { ifAvailable: true }, async (lock) => {
            if (!lock) return false;
            await work();
            return true;
        });
        if (isDone) return true;
    }
    return false;
}

/** The lines of a stream of bytes, as they come. */
async function* lines(body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    try {
        for (;;) {
            const { value, done } = await reader.read();
            if (done) return;
            const parts = (rest + value).split("\n");
            rest = parts.pop();
            yield* parts.filter((part) => part.trim() !== "");
        }
    } finally {
        reader.cancel().catch(() => {});
    }
}

/** Waits; ends at once when the signal says so. */
function pause(milliseconds, signal) {
    return new Promise((resolve) => {
        if (signal.aborted) return resolve();
        const timer = setTimeout(resolve, milliseconds);
        signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
    });
}
