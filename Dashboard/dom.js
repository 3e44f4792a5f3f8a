// A page is a value: `h` describes elements, `render` makes the document agree with them. Text only ever becomes text
// nodes and attributes, never markup, so that a name can't become an element.

const SVG = "http://www.w3.org/2000/svg";
const PROPERTIES = new Set(["value", "checked", "selected", "indeterminate"]);

/** Describes an element. `key` among the attributes says which element of a list it is. */
export function h(tag, attributes, ...children) {
    const { key = null, ...rest } = attributes ?? {};
    return { tag, key, attributes: rest, children: flat(children) };
}

/** Makes what is in `parent` agree with descriptions, and keeps elements, focus and what was typed where it can. */
export function render(parent, ...nodes) {
    reconcile(parent, flat(nodes), parent.namespaceURI === SVG);
}

function flat(nodes) {
    const list = [];
    for (const node of nodes) {
        if (Array.isArray(node)) list.push(...flat(node));
        // What is left out keeps its place as an empty text, so that what comes after it stays the same element.
        else if (node === null || node === undefined || node === false) list.push({ text: "", key: null });
        else list.push(typeof node === "object" ? node : { text: String(node), key: null });
    }
    return list;
}

function reconcile(parent, wanted, isDrawing) {
    const keyed = new Map();
    for (const child of parent.childNodes) {
        if (child.roostKey != null) keyed.set(child.roostKey, child);
    }
    let cursor = parent.firstChild;
    for (const node of wanted) {
        const candidate = node.key == null ? cursor : keyed.get(node.key);
        if (candidate && fits(candidate, node)) {
            if (candidate === cursor) cursor = cursor.nextSibling;
            else parent.insertBefore(candidate, cursor);
            update(candidate, node);
        } else if (cursor && cursor.roostKey == null) {
            const next = cursor.nextSibling;
            cursor.replaceWith(create(node, isDrawing));
            cursor = next;
        } else {
            parent.insertBefore(create(node, isDrawing), cursor);
        }
    }
    while (cursor) {
        const next = cursor.nextSibling;
        cursor.remove();
        cursor = next;
    }
}

function fits(element, node) {
    if (node.text !== undefined) return element.nodeType === Node.TEXT_NODE;
    return element.nodeType === Node.ELEMENT_NODE && element.roostTag === node.tag &&
        (element.roostKey ?? null) === node.key;
}

function create(node, isDrawing) {
    if (node.text !== undefined) return document.createTextNode(node.text);
    const draws = isDrawing || node.tag === "svg";
    const element = draws ? document.createElementNS(SVG, node.tag) : document.createElement(node.tag);
    element.roostTag = node.tag;
    element.roostKey = node.key;
    reconcile(element, node.children, draws);
    setAttributes(element, {}, node.attributes);
    element.roostAttributes = node.attributes;
    return element;
}

function update(element, node) {
    if (node.text !== undefined) {
        if (element.data !== node.text) element.data = node.text;
        return;
    }
    reconcile(element, node.children, element.namespaceURI === SVG);
    setAttributes(element, element.roostAttributes ?? {}, node.attributes);
    element.roostAttributes = node.attributes;
}

function setAttributes(element, before, after) {
    for (const name of Object.keys(before)) {
        if (!(name in after)) setAttribute(element, name, null);
    }
    for (const [name, value] of Object.entries(after)) {
        if (before[name] !== value) setAttribute(element, name, value);
    }
}

function setAttribute(element, name, value) {
    if (name.startsWith("on")) element[name] = value;
    else if (PROPERTIES.has(name)) element[name] = value ?? "";
    else if (value === null || value === undefined || value === false) element.removeAttribute(name);
    else element.setAttribute(name, value === true ? "" : String(value));
}
