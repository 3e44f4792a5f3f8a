// The page for whoever has no token yet.

import { h, render } from "/ui/dom.js";
import { field, problemBox } from "/ui/parts.js";

/** Draws the form; `done(token)` gets what was typed. */
export function signIn(root, message, done) {
    document.title = "Sign in · Roost";
    const submit = (event) => {
        event.preventDefault();
        const text = new FormData(event.target).get("token").trim();
        if (text) done(text);
    };
    render(root, h("main", { id: "main", class: "sign-in", key: "sign-in" },
        h("img", { src: "/ui/logo.svg", alt: "", width: "56", height: "56" }), h("h1", {}, "Roost"),
        h("form", { onsubmit: submit, class: "panel" },
            problemBox(message ? { message } : null),
            field({
                id: "token", label: "Token",
                hint: "A bearer token, such as roost token create prints. It is kept until this tab is closed.",
                input: h("input", { type: "password", required: true, autocomplete: "off", spellcheck: "false" }),
            }),
            h("button", { type: "submit", class: "is-main" }, "Sign in"))));
    root.querySelector("#token").focus();
}
