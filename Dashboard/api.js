// Talks to the control plane's HTTP API.

const TOKEN = "roost-token";

/** What the API has against a request (RFC 9457). */
export class Problem extends Error {
    constructor(status, body) {
        super(body?.detail || body?.title || `the server answered ${status}`);
        this.status = status;
        this.title = body?.title ?? "";
        this.problems = Array.isArray(body?.problems) ? body.problems : [];
    }

    /** All lines that somebody should read. */
    get lines() {
        return [this.message, ...this.problems.map((one) => `${one.field || "manifest"}: ${one.reason}`)];
    }
}

/** The bearer token: kept for this tab, until it is closed. */
export const token = {
    get: () => sessionStorage.getItem(TOKEN),
    set: (text) => sessionStorage.setItem(TOKEN, text),
    clear: () => sessionStorage.removeItem(TOKEN),
};

/** Sends a request and answers with the response; throws a `Problem` where it failed. */
export async function send(path, { method = "GET", body, headers = {}, signal } = {}) {
    const fields = { Accept: "application/json, application/x-ndjson", ...headers };
    const bearer = token.get();
    if (bearer) fields.Authorization = `Bearer ${bearer}`;
    if (body !== undefined) fields["Content-Type"] ??= "application/json";
    const response = await fetch(path, {
        method, headers: fields, body: body === undefined ? undefined : JSON.stringify(body), signal,
        cache: "no-store", credentials: "omit", redirect: "error",
    });
    if (response.ok) return response;
    throw new Problem(response.status, await response.json().catch(() => null));
}

/** Sends a request and answers with the JSON of its body. */
export async function ask(path, options) {
    const response = await send(path, options);
    return response.status === 204 ? null : response.json();
}

/** The address of a kind's list. */
export function listPath(plural, project) {
    return project === undefined ? `/api/v1/${plural}` : `/api/v1/projects/${encodeURIComponent(project)}/${plural}`;
}

/** The address of one resource. */
export function onePath(plural, { name, project }) {
    return `${listPath(plural, project)}/${encodeURIComponent(name)}`;
}

/** Lays changes over a resource. */
export function patch(plural, metadata, change) {
    return ask(onePath(plural, metadata), {
        method: "PATCH", body: change, headers: { "Content-Type": "application/merge-patch+json" },
    });
}
