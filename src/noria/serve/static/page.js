// One page with four views, named after the # in the address: experiments, traces, sessions, gateway.

import { NoSession, element, get } from "/static/dom.js";
import { overview } from "/static/experiments.js";
import { gateway } from "/static/gateway.js";
import { sessions } from "/static/sessions.js";
import { traces } from "/static/traces.js";

const VIEWS = { experiments: overview, traces, sessions, gateway };
let left = () => {};
let shown = 0;

function unreachable(error) {
  const login = error instanceof NoSession;
  return element(
    "section",
    { class: "panel alone" },
    element("h3", {}, login ? "Log in" : "Noria can't be reached"),
    login
      ? element("p", {}, "Open the link that ", element("code", {}, "noria up"), " printed, or run ", element("code", {}, "noria login"), " for a new one.")
      : element("p", { class: "bad" }, error.message),
  );
}

async function show() {
  const [wanted, query] = location.hash.slice(1).split("?", 2);
  const name = Object.hasOwn(VIEWS, wanted) ? wanted : "experiments";
  const turn = ++shown;
  left();
  let leave = () => {};
  left = () => leave();
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  let parts;
  try {
    const [server, view] = await Promise.all([get("/api/server"), VIEWS[name](new URLSearchParams(query ?? ""), (how) => (leave = how))]);
    document.getElementById("server").textContent = `${server.version} · ${server.data}`;
    parts = view;
  } catch (error) {
    parts = [unreachable(error)];
  }
  if (turn === shown) document.getElementById("main").replaceChildren(...parts); // else another view was chosen meanwhile
}

addEventListener("hashchange", show);
document.getElementById("refresh").addEventListener("click", show);
show();
