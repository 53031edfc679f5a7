// Who may call the gateway, and how much: virtual keys, limits and budgets.

import { badge, count, dollars, element, get, none, query, table, when } from "/static/dom.js";

const DAY_NS = 86400e9;
const MOST_SHOWN = 5;
const KEY = "attributes.noria.key_id";

const amount = (measure, value) => (measure === "usd" ? `$${value.toLocaleString(undefined, value < 1 ? { maximumSignificantDigits: 3 } : { maximumFractionDigits: 2 })}` : count(Math.round(value)));

function bar(standing) {
  const part = standing.amount ? standing.used / standing.amount : 1;
  return element("progress", { class: part >= 1 ? "bad" : part >= 0.8 ? "wait" : "", max: "1", value: String(Math.min(1, part)), "aria-label": `${standing.limit} ${standing.who}` });
}

function whose(limit, names) {
  if (limit.of === "all") return "everybody";
  if (!limit.who) return `each ${limit.of}`;
  return `${limit.of} ${limit.of === "key" ? (names.get(limit.who) ?? limit.who) : limit.who}`;
}

/** One row for each whose use was counted, the fullest first. */
function limitRows({ limit, standings }, names) {
  const per = limit.measure === "concurrency" ? "calls at a time" : `${limit.measure === "usd" ? "" : `${limit.measure} `}${limit.window === "hour" ? "an" : "a"} ${limit.window}`;
  const head = [element("span", { class: "name" }, limit.name), whose(limit, names), element("span", { class: "moment" }, `${amount(limit.measure, limit.amount)} ${per}`)];
  if (!standings.length) return [[...head, element("span", { class: "quiet moment" }, "not used in this window"), "–", "–"]];
  return standings.slice(0, MOST_SHOWN).map((standing, i) => [
    ...(i ? ["", "", ""] : head),
    element("span", { class: "used" }, bar(standing), limit.who || limit.of === "all" ? null : element("span", { class: "quiet name" }, names.get(standing.who) ?? standing.who)),
    amount(limit.measure, standing.used),
    standing.resets_ns ? when(standing.resets_ns) : "–",
  ]);
}

/** Limits and budgets, with how they stand. */
export async function allowances() {
  const [limits, found] = await Promise.all([get("/api/limits"), get("/api/keys")]);
  const names = new Map(found.map((key) => [key.id, key.name]));
  const rows = limits.flatMap((limit) => limitRows(limit, names));
  return [
    element("h2", {}, "Limits and budgets"),
    limits.length
      ? element("section", { class: "panel" }, table(["Name", "Of", "At most", "", ["Used"], ["Until"]], rows))
      : none("`noria limits set NAME --requests 600/minute --key KEY`, `noria budgets set NAME 500/month --team TEAM`."),
  ];
}

const moment = (ns) => element("span", { class: "moment" }, ns === null ? "never" : when(ns));

function state(key, now) {
  if (key.revoked_ns !== null) return badge("revoked", "bad");
  if (key.expires_ns !== null && key.expires_ns <= now) return badge("ended", "bad");
  return key.old_until_ns !== null && key.old_until_ns > now ? badge("two secrets", "wait") : badge("in force", "good");
}

function opens(key) {
  if (!key.permissions.some((one) => one === "gateway" || one === "admin")) return key.permissions.join(", ");
  const names = [...key.apps, ...key.models];
  return names.every((name) => name === "*") ? "everything" : names.filter((name) => name !== "*").join(", ");
}

/** Virtual keys, with what they were used for in a day. */
export async function keys(now) {
  const [found, rows] = await Promise.all([
    get("/api/keys"),
    query({
      where: [{ column: KEY, op: "is not null" }],
      since_ns: now - DAY_NS,
      group_by: [KEY],
      measures: [{ measure: "count", name: "calls" }, { measure: "sum", column: "cost_usd", name: "cost_usd" }],
      limit: null,
    }),
  ]);
  const used = new Map(rows.map((row) => [row[KEY], row]));
  const lines = found.map((key) => [
    element("span", { class: "name" }, key.name),
    state(key, now),
    element("span", { class: "name" }, opens(key)),
    element("span", { class: "name" }, key.team || "–"),
    moment(key.expires_ns),
    moment(key.last_used_ns),
    count(used.get(key.id)?.calls),
    used.has(key.id) ? dollars(used.get(key.id).cost_usd) : "–",
  ]);
  return [
    element("h2", {}, "Keys", element("span", { class: "quiet aside" }, "calls and cost of the last 24 hours, those of judges and of the cache included")),
    found.length
      ? element("section", { class: "panel" }, table(["Name", "State", "Opens", "Team", "Ends", "Last used", ["Calls"], ["Cost"]], lines))
      : none("Only the admin key opens anything: `noria keys create NAME --app APP`."),
  ];
}
