// Sessions and end users: what the record says when it is added up.

import { count, dollars, element, get, when } from "/static/dom.js";

const tokens = (x) => (x === null ? "?" : count(x));

function table(name, found) {
  const heads = ["Last seen", "Traces", "Steps", "Failed", "Tokens", "Cost"];
  const head = element("tr", {}, element("th", {}, name), element("th", {}, heads[0]), ...heads.slice(1).map((text) => element("th", { class: "number" }, text)));
  const key = name.toLowerCase();
  const rows = found.map((one) =>
    element(
      "tr",
      {},
      element("td", { class: "variant" }, element("a", { href: `#traces?${new URLSearchParams({ [key]: one.id })}` }, one.id || "(empty)")),
      element("td", { class: "quiet moment" }, when(one.last_ns)),
      element("td", { class: "number" }, count(one.traces)),
      element("td", { class: "number" }, count(one.spans)),
      element("td", { class: one.failed ? "number bad" : "number" }, count(one.failed)),
      element("td", { class: "number" }, `${tokens(one.input_tokens)} → ${tokens(one.output_tokens)}`),
      element("td", { class: "number" }, dollars(one.cost_usd)),
    ),
  );
  return element("section", { class: "panel" }, element("div", { class: "scroll" }, element("table", { class: "close" }, element("thead", {}, head), element("tbody", {}, ...rows))));
}

const none = (...said) => element("p", { class: "panel quiet" }, "None yet. ", ...said);

/** The whole view. */
export async function sessions() {
  const [found, users] = await Promise.all([get("/api/sessions?limit=100"), get("/api/users?limit=100")]);
  return [
    element("h2", {}, "Sessions"),
    found.length ? table("Session", found) : none("Callers name one as ", element("code", {}, "metadata.session_id"), "."),
    element("h2", {}, "Users"),
    users.length ? table("User", users) : none("Callers name one as ", element("code", {}, "user"), "."),
  ];
}
