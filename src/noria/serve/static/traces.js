// The latest traces: searched, narrowed, page by page, or as they arrive.

import { NoSession, came, clock, count, dot, element, page, seconds, when } from "/static/dom.js";
import { fillTrace } from "/static/trace.js";

const MOST_LIVE = 200;
const FEWEST = 20;
const MOST_PAGES = 5;
const FIELDS = [
  ["text", "Words", 'river "as it stands"'],
  ["app", "App", "any"],
  ["model", "Model", "any"],
  ["session", "Session", "any"],
  ["user", "User", "any"],
  ["key", "Key", "name or id"],
  ["where", "Condition", "duration_s>2"],
  ["score", "Score", "correct<0.5"],
];
const CHOICES = [
  ["status", "Status", [["", "any"], ["ok", "ok"], ["error", "error"], ["cancelled", "cancelled"]]],
  ["since", "Since", [["", "ever"], ["1h", "an hour"], ["24h", "a day"], ["7d", "a week"], ["30d", "30 days"]]],
];
const NAMES = [...FIELDS, ...CHOICES].map(([name]) => name);

const today = (ns) => new Date(Number(ns) / 1e6).toDateString() === new Date().toDateString();

/** What came of a step, in one line. */
function outcome(span) {
  if (span.status !== "ok") return span.error_message || span.error_type || span.status;
  const last = (span.output ?? [])[0];
  const said = typeof last?.content === "string" ? last.content.trim() : (last?.content ?? []).map((part) => part.text ?? "").join(" ").trim();
  if (said) return said;
  const calls = (span.output ?? []).flatMap((message) => (message.tool_calls ?? []).map((call) => call.name));
  if (calls.length) return `calls ${calls.join(", ")}`;
  return (span.documents ?? []).length ? `found ${span.documents.length} passages` : "(no text)";
}

/** The text around the first of the words that were looked for, wherever it stands. */
function snippet(span, words) {
  const first = words.replaceAll('"', " ").trim().split(/\s+/)[0]?.toLowerCase();
  if (!first) return null;
  const messages = [...(span.input ?? []), ...(span.output ?? [])];
  const said = messages.flatMap((entry) => [typeof entry.content === "string" ? entry.content : "", entry.reasoning ?? "", ...(entry.tool_calls ?? []).map((call) => `${call.name} ${call.arguments}`)]);
  for (const text of [span.error_message ?? "", ...said, ...(span.documents ?? []).map((found) => found.text ?? "")]) {
    const at = text.toLowerCase().indexOf(first);
    if (at >= 0) return at > 40 ? `…${text.slice(at - 40)}` : text;
  }
  return null;
}

/** One line for a trace, of which ``spans`` are known so far; it shows the uppermost of them. */
function traceLine(spans, words) {
  const ids = new Set(spans.map((span) => span.span_id));
  const top = spans.filter((span) => !ids.has(span.parent_id)).reduce((a, b) => (b.start_ns < a.start_ns ? b : a), spans[spans.length - 1]);
  const failed = spans.find((span) => span.status !== "ok");
  const box = element("div", {}, element("p", { class: "quiet" }, "Loading …"));
  const line = element(
    "details",
    { class: "trace" },
    element(
      "summary",
      {},
      element("span", { class: "quiet", title: when(top.start_ns) }, today(top.start_ns) ? clock(top.start_ns) : when(top.start_ns)),
      element("span", { class: "answer" }, ((words && snippet(top, words)) || outcome(top)).slice(0, 300)),
      element("span", { class: "quiet app" }, top.lineage?.app ?? top.name),
      element("span", { class: "quiet steps" }, spans.length > 1 ? `${spans.length} steps` : ""),
      element("span", { class: "quiet number" }, seconds((top.end_ns - top.start_ns) / 1e9)),
      failed ? came(failed) : dot("ok"),
    ),
    box,
  );
  const fill = () => line.open && fillTrace(box, top.trace_id).catch((error) => box.replaceChildren(element("p", { class: "bad" }, error.message)));
  line.addEventListener("toggle", fill, { once: true });
  return line;
}

/** The list: spans gathered by trace, newest first. */
class List {
  constructor(words) {
    this.words = words;
    this.box = element("section", { class: "panel traces" });
    this.traces = new Map();
  }

  add(spans, { first = false } = {}) {
    const touched = new Set(spans.map((span) => span.trace_id));
    for (const span of spans) {
      const known = this.traces.get(span.trace_id) ?? { spans: [], line: null };
      known.spans = [...known.spans.filter((other) => other.span_id !== span.span_id), span];
      this.traces.set(span.trace_id, known);
    }
    for (const id of touched) {
      const known = this.traces.get(id);
      if (known.line?.open) continue; // somebody reads it
      this.box.querySelector(".nothing")?.remove();
      const line = traceLine(known.spans, this.words);
      if (known.line) known.line.replaceWith(line);
      else if (first) this.box.prepend(line);
      else this.box.append(line);
      known.line = line;
    }
    if (first) this.shorten();
  }

  shorten() {
    for (const [id, { line }] of [...this.traces].slice(0, -MOST_LIVE)) {
      if (line.open) continue;
      line.remove();
      this.traces.delete(id);
    }
  }
}

const queryOf = (chosen) => new URLSearchParams(NAMES.filter((name) => chosen.get(name)).map((name) => [name, chosen.get(name)]));

function bar(chosen, search, toggle) {
  const fields = FIELDS.map(([name, label, hint]) => element("label", { class: name }, element("span", { class: "quiet" }, label), element("input", { name, placeholder: hint, value: chosen.get(name) ?? "", autocomplete: "off", spellcheck: "false" })));
  const choices = CHOICES.map(([name, label, options]) => {
    const select = element("select", { name }, ...options.map(([value, text]) => element("option", { value, ...(value === (chosen.get(name) ?? "") ? { selected: "" } : {}) }, text)));
    select.addEventListener("change", () => form.requestSubmit());
    return element("label", {}, element("span", { class: "quiet" }, label), select);
  });
  const narrowed = FIELDS.slice(1).some(([name]) => chosen.get(name));
  const more = element("details", { class: "more", ...(narrowed ? { open: "" } : {}) }, element("summary", { class: "quiet" }, "Narrow"), element("div", { class: "fields" }, ...fields.slice(1)));
  const live = element("button", { type: "button", "aria-pressed": "false" }, "Live");
  live.addEventListener("click", () => toggle(live));
  const form = element("form", { class: "panel filters", role: "search" }, element("div", { class: "fields" }, fields[0], ...choices, element("button", {}, "Search"), live), more);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    search(queryOf(new Map([...new FormData(form)])));
  });
  return form;
}

/** The whole view; ``leave`` is called when another one takes its place. */
export async function traces(chosen, leave) {
  const query = queryOf(chosen);
  const list = new List(chosen.get("text") ?? "");
  const told = element("p", { class: "quiet" });
  let source = null;
  let waiting = [];
  let seen = 0;

  const flush = () => {
    if (!waiting.length) return;
    seen += waiting.length;
    told.textContent = `Live: ${count(seen)} ${seen === 1 ? "step" : "steps"} came in.`;
    list.add(waiting, { first: true });
    waiting = [];
  };
  const timer = setInterval(flush, 300); // a busy server must not redraw the page for every step
  const stop = () => source?.close();
  leave(() => {
    stop();
    clearInterval(timer);
  });

  const toggle = (button) => {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    told.textContent = on ? "Live: waiting for calls." : "";
    stop();
    if (!on) return;
    const words = queryOf(chosen);
    words.delete("score");
    source = new EventSource(`/api/traces/tail?${words}`);
    source.addEventListener("span", (event) => waiting.push(JSON.parse(event.data)));
    source.addEventListener("open", () => seen || (told.textContent = "Live: waiting for calls."));
    source.addEventListener("error", () => (told.textContent = "Live: the server does not answer; trying again."));
  };

  const rest = element("button", { type: "button", class: "rest" }, "Earlier traces");
  const load = async (path) => {
    const before = list.traces.size;
    let { items, next } = await page(path);
    list.add(items);
    for (let more = 0; next && list.traces.size < before + FEWEST && more < MOST_PAGES; more++) {
      ({ items, next } = await page(next)); // one trace of many steps may fill a page
      list.add(items);
    }
    rest.hidden = !next;
    rest.onclick = () => load(next).catch((error) => rest.replaceWith(element("p", { class: "bad" }, error.message)));
    return list.traces.size;
  };
  const search = (words) => (location.hash = `traces?${words}`);
  const form = bar(chosen, search, toggle);
  let found;
  try {
    found = await load(`/api/traces?limit=100&${query}`);
  } catch (error) {
    if (error instanceof NoSession) throw error;
    return [form, element("p", { class: "panel bad" }, error.message)];
  }
  if (found === 1 && query.size) list.box.querySelector("details").open = true; // it is what was looked for
  if (!found) {
    list.box.append(element("p", { class: "quiet nothing" }, ...(query.size ? ["No trace fits."] : ["None yet. Call a model through ", element("code", {}, "/v1/chat/completions"), ", or send traces to ", element("code", {}, "/v1/traces"), "."])));
  }
  return [form, told, list.box, rest];
}
