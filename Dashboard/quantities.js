// Reads and writes the quantities of resources: 4GiB, 50%, 12.5TFLOPS, 1h30m.

const MEBIBYTES = { MiB: 1, GiB: 1024, TiB: 1024 * 1024 };
const SPAN = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** Memory in MiB; 0 where there is none. */
export function mebibytes(text) {
    const match = /^(\d+)(MiB|GiB|TiB)$/.exec(text ?? "");
    return match ? Number(match[1]) * MEBIBYTES[match[2]] : 0;
}

/** A share in percent; 0 where there is none. */
export function percent(text) {
    const match = /^(\d+)%$/.exec(text ?? "");
    return match ? Number(match[1]) : 0;
}

/** A length of time in milliseconds; 0 where there is none. */
export function span(text) {
    let sum = 0;
    for (const [, count, unit] of (text ?? "").matchAll(/(\d+)(ms|d|h|m|s)/g)) sum += Number(count) * SPAN[unit];
    return sum;
}

/** Both ends of bounds, which may be one value. */
export function bounds(value, fallback) {
    if (value === undefined || value === null) return { request: fallback, limit: fallback };
    if (typeof value === "string") return { request: value, limit: value };
    return { request: value.request ?? value.limit, limit: value.limit ?? value.request };
}

/** Bounds for people: `25 % – 50 %`, or one value. */
export function boundsText(value, fallback) {
    const { request, limit } = bounds(value, fallback);
    return request === limit ? request : `${request} – ${limit}`;
}

/** Memory for people. */
export function memoryText(count) {
    if (count >= MEBIBYTES.TiB) return `${digits(count / MEBIBYTES.TiB)} TiB`;
    if (count >= MEBIBYTES.GiB) return `${digits(count / MEBIBYTES.GiB)} GiB`;
    return `${Math.round(count)} MiB`;
}

/** A number with at most three figures that count. */
export function digits(value) {
    return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}

/** A part of a whole in percent. */
export function ratio(part, whole) {
    return whole > 0 ? Math.round((part / whole) * 100) : 0;
}

/** A length of time for people: two units at most. */
export function durationText(milliseconds) {
    const seconds = Math.max(0, Math.floor(milliseconds / 1000));
    if (seconds < 60) return `${seconds} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
    const [unit, name, finer, finerName] = seconds < 86_400 ? [3600, "h", 60, "min"] : [86_400, "d", 3600, "h"];
    const rest = Math.floor((seconds % unit) / finer);
    return `${Math.floor(seconds / unit)} ${name}${rest > 0 ? ` ${rest} ${finerName}` : ""}`;
}

/** How long ago a moment was, for people. */
export function agoText(moment, now = Date.now()) {
    const time = Date.parse(moment ?? "");
    return Number.isNaN(time) ? "never" : `${durationText(now - time)} ago`;
}

/** A moment in the reader's own time. */
export function momentText(moment) {
    const time = new Date(moment ?? "");
    return Number.isNaN(time.getTime()) ? "–"
        : time.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}

/** An amount of money. */
export function moneyText(value, currency) {
    try {
        return new Intl.NumberFormat(undefined, { style: "currency", currency }).format(value);
    } catch {
        return `${value.toFixed(2)} ${currency}`;
    }
}
