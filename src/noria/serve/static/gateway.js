// The gateway: what it calls and how that stands, who may call it and how much, what answers in a model's place.

import { badge, count, dollars, element, get, none, percent, query, seconds, table, when } from "/static/dom.js";
import { allowances, keys } from "/static/keys.js";
import { guards, kept } from "/static/replies.js";

const HOUR_NS = 3600e9;
const BREAKERS = { closed: ["calls go through", "good"], half_open: ["tried carefully", "wait"], open: ["left alone", "bad"], none: ["no breaker", ""] };

const REFUSED = "attributes.noria.refused_by";
const BY = { limit: "by limits", guard: "by guards", caller: "by their callers' mistakes", breaker: "by breakers", places: "for want of a place" };

/** Calls of the last hour that no model failed at: rows of a provider, a model, who refused, and how many. */
const refusals = (now) =>
  query({
    where: [{ column: "status", value: "error" }, { column: REFUSED, op: "is not null" }],
    since_ns: now - HOUR_NS,
    group_by: ["provider", "model", REFUSED],
    measures: [{ measure: "count", name: "calls" }],
    limit: 2000,
  });

/** Their sums by who refused. */
function byWhom(rows) {
  const sums = {};
  for (const row of rows) sums[row[REFUSED]] = (sums[row[REFUSED]] ?? 0) + row.calls;
  return Object.entries(sums)
    .sort()
    .map(([by, calls]) => `${count(calls)} ${BY[by] ?? by}`)
    .join(", ");
}

/** `provider/model`; where a call was refused before anybody was chosen, what its caller named. */
const named = (row) => (row.provider === null ? row.model : `${row.provider}/${row.model}`);

/** What the record says of the last hour, by `provider/model`. */
async function lastHour(now) {
  const rows = await query({
    where: [{ column: "model", op: "is not null" }, { column: "cached", value: false }, { column: REFUSED, op: "is null" }],
    since_ns: now - HOUR_NS,
    group_by: ["provider", "model"],
    measures: [
      { measure: "count", name: "calls" },
      { measure: "sum", column: "failed", name: "failed" },
      { measure: "p50", column: "ttft_s", name: "ttft_s" },
      { measure: "p95", column: "duration_s", name: "duration_s" },
      { measure: "sum", column: "cost_usd", name: "cost_usd" },
    ],
    order: [{ column: "calls", descending: true }],
    limit: 500,
    tolerance: 0.01,
  });
  return new Map(rows.map((row) => [named(row), row]));
}

const share = (failed, calls) => (calls ? element("span", { class: failed ? "bad" : "" }, percent(failed / calls)) : "–");

function modelRow(name, state, seen, refused) {
  const [said, kind] = BREAKERS[state?.breaker ?? "none"];
  return [
    element("span", { class: "name" }, name),
    state
      ? element("span", {}, badge(said, kind), state.failed ? element("span", { class: "quiet" }, ` ${count(state.failed)} of ${count(state.calls)} failed lately`) : null)
      : element("span", { class: "quiet" }, "not called since the start"),
    state ? count(state.outstanding) : "–",
    count(seen?.calls),
    share(seen?.failed, seen?.calls),
    refused.length ? element("span", { title: byWhom(refused) }, count(refused.reduce((sum, row) => sum + row.calls, 0))) : "–",
    seconds(seen?.ttft_s),
    seconds(seen?.duration_s),
    seen ? dollars(seen.cost_usd) : "–",
  ];
}

const places = (of) => [
  `${count(of.running)}${of.most ? ` of ${count(of.most)}` : ""} under way`,
  of.most ? `${count(of.waiting)} of ${count(of.most_waiting)} waiting` : null,
  of.shed ? element("span", { class: "bad" }, `${count(of.shed)} turned away`) : null,
];

function providerPanel(provider, seen, refused) {
  const states = new Map(provider.models.map((model) => [model.model, model]));
  const names = [...new Set([...states.keys(), ...[...seen.keys(), ...refused.filter((row) => row.provider).map(named)].filter((name) => name.startsWith(`${provider.name}/`))])];
  const retries = provider.retries ? `${count(provider.retries)} made again` : null;
  const notRetried = provider.retries_refused ? element("span", { class: "bad" }, `${count(provider.retries_refused)} not made again`) : null;
  const facts = provider.models.length ? [...places(provider.places), retries, notRetried].filter(Boolean) : [];
  return element(
    "section",
    { class: "panel" },
    element(
      "div",
      { class: "row" },
      element("h3", {}, provider.name),
      badge(provider.ready ? provider.kind : "can't be called", provider.ready ? "" : "bad"),
      element("span", { class: "quiet name" }, provider.base_url),
      element("span", { class: "quiet end facts" }, ...facts.map((fact) => element("span", {}, fact))),
    ),
    provider.why_not ? element("p", { class: "bad" }, provider.why_not) : null,
    names.length
      ? table(["Model", "State", ["Under way"], ["Calls"], ["Failed"], ["Refused"], ["TTFT p50"], ["Whole p95"], ["Cost"]], names.map((name) => modelRow(name, states.get(name), seen.get(name), refused.filter((row) => named(row) === name))))
      : element("p", { class: "quiet" }, "Not called yet."),
  );
}

function target(name, weight, states) {
  const state = states.get(name)?.breaker;
  const kind = state && state !== "none" ? BREAKERS[state][1] : "";
  return element("span", { class: "target" }, element("span", { class: `dot ${kind}`, role: "img", "aria-label": state ? BREAKERS[state][0] : "not called yet" }), name, weight === undefined ? null : element("span", { class: "quiet" }, ` × ${weight}`));
}

function routes(found, states) {
  const rows = found.map(({ name, route, alias }) => [
    element("span", { class: "name" }, name),
    alias ? "alias" : `${route.policy.replace("_", " ")}${route.sticky ? `, by ${route.sticky}` : ""}`,
    element("span", { class: "targets" }, ...route.targets.map((one, i) => target(one, route.weights[i], states))),
    element(
      "span",
      { class: "quiet note" },
      [
        route.max_cost_usd !== null ? `at most $${route.max_cost_usd}` : null,
        route.fall_back_on.length ? `falls back on ${route.fall_back_on.join(", ").replace("_", " ")}` : null,
        route.may_continue ? "goes on where one breaks off" : null,
        ...Object.entries(route.shadows).map(([name, part]) => `${percent(part)} mirrored to ${name}`),
      ]
        .filter(Boolean)
        .join("; "),
    ),
  ]);
  return element("section", { class: "panel" }, table(["Name", "First is", "Models", ""], rows));
}

/** The whole view. */
export async function gateway() {
  const now = Date.now() * 1e6;
  const [state, seen, refused, ...rest] = await Promise.all([get("/api/gateway"), lastHour(now), refusals(now), allowances(), keys(now)]);
  const states = new Map(state.providers.flatMap((provider) => provider.models.map((model) => [model.model, model])));
  return [
    element("h2", {}, "Calls"),
    element(
      "section",
      { class: "panel row" },
      ...places(state.places).filter(Boolean).map((fact) => element("span", {}, fact)),
      element("span", { class: "quiet end" }, `of the process that answers, since ${when(state.since_ns)}`),
    ),
    element("h2", {}, "Providers", element("span", { class: "quiet aside" }, "calls, times and cost of the last hour", refused.length ? `; refused ${byWhom(refused)}` : null)),
    ...(state.providers.length
      ? state.providers.map((provider) => providerPanel(provider, seen, refused))
      : [none("Set a provider's key, such as `OPENAI_API_KEY`, or add one to `noria.toml`; `noria gateway doctor` says whether it is well.")]),
    element("h2", {}, "Routes"),
    state.routes.length ? routes(state.routes, states) : none("Add `[routes.NAME]` to `noria.toml`, then `noria reload`."),
    ...rest.flat(),
    ...kept(state.cache, await get("/api/audit?action=cache.calibrated&limit=100")),
    ...guards(state.guards),
  ];
}
