// What every part of the page is made of. All data comes from /api and is hostile text: it reaches the page through
// textContent and attributes of harmless names alone.

const SVG = "http://www.w3.org/2000/svg";

export function element(tag, options = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) made.setAttribute(name, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export function drawn(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  if (text !== undefined) made.textContent = text;
  return made;
}

export class NoSession extends Error {}

/** The answer, and its response for those who look at the headers. */
async function ask(path, options = {}) {
  const response = await fetch(path, { ...options, headers: { accept: "application/json", ...options.headers } });
  if (response.status === 401) throw new NoSession();
  const body = await response.json();
  if (!response.ok) throw new Error([body?.error?.message ?? `The server answered ${response.status}.`, body?.error?.hint].filter(Boolean).join(" "));
  return { body, response };
}

export const get = async (path) => (await ask(path)).body;

/** The rows of the answer to a question about the record, by their columns' names. */
export async function query(question) {
  const { body } = await ask("/api/traces/query", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(question) });
  return body.rows.map((row) => Object.fromEntries(body.columns.map((name, i) => [name, row[i]])));
}

/** A part of a list, and the path of the next part where there is one (RFC 8288). */
export async function page(path) {
  const { body, response } = await ask(path);
  return { items: body, next: /<([^>]+)>; *rel="next"/.exec(response.headers.get("link") ?? "")?.[1] ?? null };
}

export const when = (ns) => new Date(Number(ns) / 1e6).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
export const clock = (ns) => new Date(Number(ns) / 1e6).toLocaleTimeString(undefined, { hour12: false });
export const seconds = (s) => (s === undefined || s === null ? "–" : s < 1 ? `${Math.round(s * 1000)} ms` : `${s.toFixed(2)} s`);
/** A metric's value in its unit: times are told by the scorer's name, as on the command line. */
export const valueOf = (metric, x) => (/(^|[._])(latency|ttft|tpot)$|_s$/.test(metric) ? seconds(x) : short(x));
export const short = (x) => (Math.abs(x) >= 100 ? x.toFixed(0) : Math.abs(x) >= 0.1 || x === 0 ? x.toFixed(3) : x.toPrecision(2));
export const dollars = (x) => (x === undefined || x === null ? "unknown" : `$${x === 0 ? "0" : x.toPrecision(3)}`);
export const count = (x) => Number(x ?? 0).toLocaleString();
export const percent = (part) => `${Math.round(part * 100)} %`;
export const megabytes = (x) => (x ? `${Math.round(x / 1e6)} MB` : "–");

export const STATUS = { finished: "good", running: "wait", interrupted: "wait", failed: "bad", ok: "good", error: "bad", cancelled: "wait" };
export const badge = (text, kind) => element("span", { class: `badge ${kind ?? ""}` }, text);
/** The badge of a step that is not well; nobody failed at one that was refused. */
export const came = (span) => (span.attributes?.["noria.refused_by"] ? badge("refused", "wait") : badge(span.status, STATUS[span.status]));
export const dot = (status) => element("span", { class: `dot ${STATUS[status] ?? ""}`, role: "img", "aria-label": status, title: status });

/** A table. A head that is an array is of a column of numbers, as its cells are; a cell may be text or an element. */
export function table(heads, rows) {
  const numbers = heads.map(Array.isArray);
  const cell = (tag, content, i) => element(tag, numbers[i] ? { class: "number" } : {}, content);
  const head = element("tr", {}, ...heads.map((text, i) => cell("th", [text].flat()[0], i)));
  const body = rows.map((cells) => element("tr", {}, ...cells.map((content, i) => cell("td", content, i))));
  return element("div", { class: "scroll" }, element("table", {}, element("thead", {}, head), element("tbody", {}, ...body)));
}

/** What a section says that has nothing to show: what to run, with commands in `backquotes`. */
export function none(said) {
  const pieces = said.split("`").map((text, i) => (i % 2 ? element("code", {}, text) : text));
  return element("p", { class: "panel quiet" }, "None yet. ", ...pieces);
}
