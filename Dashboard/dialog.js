// Questions in a modal dialog; Escape and "Cancel" answer no, and focus goes back to where it was.

import { h, render } from "/ui/dom.js";

/** Asks before something is done; answers whether to do it. */
export function confirmed({ title, text, action }) {
    const dialog = document.createElement("dialog");
    dialog.setAttribute("aria-labelledby", "dialog-title");
    dialog.setAttribute("aria-describedby", "dialog-text");
    const opener = document.activeElement;
    render(dialog, h("form", { method: "dialog" },
        h("h2", { id: "dialog-title" }, title), h("p", { id: "dialog-text" }, text),
        h("div", { class: "actions" },
            h("button", { type: "submit", value: "no", autofocus: true }, "Cancel"),
            h("button", { type: "submit", value: "yes", class: "is-danger" }, action))));
    document.body.append(dialog);
    dialog.showModal();
    return new Promise((resolve) => {
        dialog.addEventListener("close", () => {
            dialog.remove();
            if (opener?.isConnected) opener.focus();
            resolve(dialog.returnValue === "yes");
        });
    });
}

/** Shows and reads out a short message for some seconds. */
export function notice(text, tone = "plain") {
    const line = document.createElement("p");
    line.className = `notice tone-${tone}`;
    line.textContent = text;
    const box = document.getElementById("notices");
    box.append(line);
    while (box.childElementCount > 4) box.firstElementChild.remove();
    setTimeout(() => line.remove(), 7000);
}
