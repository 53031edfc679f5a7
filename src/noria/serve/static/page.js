// One page: experiments with their decisions, and the latest traces. All data comes from /api and is hostile text:
// it reaches the page through textContent alone.

const SVG = "http://www.w3.org/2000/svg";

function element(tag, options = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) made.setAttribute(name, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function drawn(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  if (text !== undefined) made.textContent = text;
  return made;
}

class NoSession extends Error {}

async function get(path) {
  const response = await fetch(path, { headers: { accept: "application/json" } });
  if (response.status === 401) throw new NoSession();
  const body = await response.json();
  if (!response.ok) throw new Error(body?.error?.message ?? `The server answered ${response.status}.`);
  return body;
}

const when = (ns) => new Date(Number(ns) / 1e6).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
const clock = (ns) => new Date(Number(ns) / 1e6).toLocaleTimeString(undefined, { hour12: false });
const seconds = (s) => (s === undefined || s === null ? "–" : s < 1 ? `${Math.round(s * 1000)} ms` : `${s.toFixed(2)} s`);
/** A metric's value in its unit: times are told by the scorer's name, as on the command line. */
const valueOf = (metric, x) => (/(^|[._])(latency|ttft|tpot)$|_s$/.test(metric) ? seconds(x) : short(x));
const short = (x) => (Math.abs(x) >= 100 ? x.toFixed(0) : Math.abs(x) >= 0.1 || x === 0 ? x.toFixed(3) : x.toPrecision(2));
const dollars = (x) => (x === undefined || x === null ? "unknown" : `$${x === 0 ? "0" : x.toPrecision(3)}`);
const megabytes = (x) => (x ? `${Math.round(x / 1e6)} MB` : "–");

const STATUS = { finished: "good", running: "wait", interrupted: "wait", failed: "bad", ok: "good", error: "bad", cancelled: "wait" };
const badge = (text, kind) => element("span", { class: `badge ${kind ?? ""}` }, text);
const dot = (status) => element("span", { class: `dot ${STATUS[status] ?? ""}`, role: "img", "aria-label": status, title: status });
const percent = (part) => `${Math.round(part * 100)} %`;

const estimateOf = (run, metric) => run.measures.find((m) => m.metric === metric)?.estimate;

/** The common axis of one metric: 0 to 1 where everything fits into it, else as wide as the intervals. */
function axisOf(metric, runs) {
  const found = runs.map((run) => estimateOf(run, metric)).filter(Boolean);
  if (found.every((at) => at.lower >= 0 && at.upper <= 1)) return { low: 0, high: 1 };
  return { low: Math.min(...found.map((at) => at.lower)), high: Math.max(...found.map((at) => at.upper)) };
}

/** One interval on the common axis, with the baseline's value as a thin line to compare with. */
function interval(at, axis, baseline) {
  const [width, height, margin] = [220, 18, 6];
  const x = (value) => margin + ((value - axis.low) / (axis.high - axis.low || 1)) * (width - 2 * margin);
  const plot = drawn("svg", { viewBox: `0 0 ${width} ${height}`, width, height, class: "plot", "aria-hidden": "true" });
  plot.append(drawn("line", { x1: margin, x2: width - margin, y1: 9, y2: 9, class: "axis" }));
  if (baseline) plot.append(drawn("line", { x1: x(baseline.value), x2: x(baseline.value), y1: 0, y2: height, class: "baseline" }));
  plot.append(drawn("line", { x1: x(at.lower), x2: x(at.upper), y1: 9, y2: 9, class: "interval" }));
  plot.append(drawn("circle", { cx: x(at.value), cy: 9, r: 4, class: "point" }));
  return plot;
}

function measureTable(runs, baselineName) {
  const [first, ...others] = [...new Set(runs.flatMap((run) => run.measures.map((m) => m.metric)))];
  const axis = first && axisOf(first, runs);
  const base = runs.find((run) => run.variant === baselineName);
  const head = element("tr", {}, element("th", {}, "Variant"));
  if (first) head.append(element("th", { colspan: "2" }, first, element("span", { class: "range" }, ` 95 % interval, from ${+short(axis.low)} to ${+short(axis.high)}`)));
  for (const name of [...others, "TTFT p50", "TPOT p50", "memory", "cost", "errors"]) head.append(element("th", { class: "number" }, name));
  const body = runs.map((run) => {
    const row = element("tr", {}, element("td", { class: "variant" }, run.variant, run === base ? element("span", { class: "quiet" }, " baseline") : null));
    const at = first && estimateOf(run, first);
    if (at) {
      row.append(element("td", { class: "plotted" }, interval(at, axis, base && estimateOf(base, first))));
      row.append(element("td", { class: "number" }, element("strong", {}, valueOf(first, at.value)), element("span", { class: "quiet" }, `  ${valueOf(first, at.lower)} – ${valueOf(first, at.upper)}`)));
    } else if (first) row.append(element("td", { colspan: "2", class: "quiet" }, "–"));
    for (const metric of others) {
      const other = estimateOf(run, metric);
      row.append(element("td", { class: "number" }, other ? valueOf(metric, other.value) : "–"));
    }
    for (const text of [seconds(run.ttft_s?.p50), seconds(run.tpot_s?.p50), megabytes(run.peak_memory_bytes), dollars(run.cost_usd)]) {
      row.append(element("td", { class: "number" }, text));
    }
    row.append(element("td", { class: run.errors ? "number bad" : "number" }, String(run.errors)));
    return row;
  });
  return element("div", { class: "scroll" }, element("table", {}, element("thead", {}, head), element("tbody", {}, ...body)));
}

/** How far an experiment is that runs now. */
async function showProgress(box, id) {
  const { progress } = await get(`/api/experiments/${encodeURIComponent(id)}/progress`);
  if (!progress?.total) return;
  box.replaceChildren(
    element("progress", { max: String(progress.total), value: String(progress.done) }),
    ` ${progress.done} of ${progress.total} answers`,
    progress.errors ? `, ${progress.errors} errors` : "",
  );
}

const VERDICTS = { better: "good", worse: "bad" };

function experimentPanel(experiment) {
  const panel = element("section", { class: "panel" });
  panel.append(
    element(
      "div",
      { class: "row" },
      element("h3", {}, experiment.spec.name),
      badge(experiment.status, STATUS[experiment.status]),
      element("code", { class: "quiet" }, experiment.id.slice(0, 16)),
      element("span", { class: "quiet end" }, when(experiment.created_ns)),
    ),
  );
  if (experiment.error) panel.append(element("p", { class: "bad" }, experiment.error));
  const results = experiment.results;
  if (!results) {
    if (experiment.status === "running" || experiment.status === "interrupted") {
      const text = experiment.status === "running" ? "Under way." : "Interrupted; starting it again resumes it.";
      const box = element("p", { class: "quiet" }, text);
      panel.append(box);
      if (experiment.status === "running") showProgress(box, experiment.id).catch(() => {}); // the text above still holds
    }
    return panel;
  }
  panel.append(measureTable(results.runs, experiment.spec.baseline));
  const decisions = [
    ...(results.comparisons ?? []).map((c) => [badge(c.verdict, VERDICTS[c.verdict]), c.sentence]),
    ...(results.gates ?? []).map((g) => [badge(g.passed ? "gate passed" : "gate failed", g.passed ? "good" : "bad"), element("code", {}, g.gate), g.sentence]),
  ];
  if (decisions.length) panel.append(element("ul", { class: "decisions" }, ...decisions.map((parts) => element("li", {}, ...parts))));
  return panel;
}

const MOST_MESSAGES = 6;

/** The messages of a call; of a long one the beginning and the end, the rest a click away. */
function conversation(messages) {
  if (messages.length <= MOST_MESSAGES) return messages.map(message);
  const between = messages.slice(2, 3 - MOST_MESSAGES);
  const folded = element("details", { class: "folded" }, element("summary", { class: "quiet" }, `${between.length} more messages`), ...between.map(message));
  return [...messages.slice(0, 2).map(message), folded, ...messages.slice(3 - MOST_MESSAGES).map(message)];
}

function message(entry) {
  const text = typeof entry.content === "string" ? entry.content : JSON.stringify(entry.content ?? "", null, 1);
  return element("div", { class: "message" }, element("span", { class: "quiet" }, entry.role), element("pre", {}, text));
}

function fact(name, value) {
  return value === undefined || value === null || value === "" ? null : element("span", {}, element("span", { class: "quiet" }, `${name} `), String(value));
}

async function fillTrace(box, span) {
  const trace = await get(`/api/traces/${encodeURIComponent(span.trace_id)}`);
  const lineage = span.lineage ?? {};
  const facts = [
    fact("model", `${span.provider ?? ""}/${span.request_model ?? ""}`),
    fact("tokens", `${span.input_tokens ?? "?"} → ${span.output_tokens ?? "?"}`),
    fact("TTFT", seconds(span.ttft_s)),
    fact("TPOT", seconds(span.tpot_s)),
    fact("cost", dollars(span.cost_usd)),
    fact("variant", lineage.variant_id?.slice(0, 16)),
    fact("prompt", lineage.prompt_id?.slice(0, 15)),
    fact("trace", span.trace_id),
  ].filter(Boolean);
  const scores = (trace.scores ?? []).filter((score) => score.span_id === span.span_id);
  box.replaceChildren(
    element("div", { class: "row" }, ...facts),
    ...(span.error_message ? [element("p", { class: "bad" }, span.error_message)] : []),
    ...conversation(span.input ?? []),
    ...(span.output ?? []).map(message),
    ...scores.map((score) =>
      element("div", {}, badge(`${score.scorer} = ${score.value}`, score.value === false ? "bad" : score.value === true ? "good" : ""), ` ${score.reason ?? ""}`),
    ),
  );
}

function traceLine(span) {
  const box = element("div", {}, element("p", { class: "quiet" }, "Loading …"));
  const status = span.status ?? "ok";
  const answer = (span.output ?? [])[0]?.content;
  const text = status === "ok" ? (typeof answer === "string" && answer.trim()) || "(no text)" : (span.error_message ?? status);
  const line = element(
    "details",
    { class: "trace" },
    element(
      "summary",
      {},
      element("span", { class: "quiet" }, clock(span.start_ns)),
      element("span", { class: "answer" }, text.slice(0, 300)),
      element("span", { class: "quiet app" }, span.lineage?.app ?? span.name),
      element("span", { class: "quiet" }, seconds((span.end_ns - span.start_ns) / 1e9)),
      status === "ok" ? dot(status) : badge(status, STATUS[status]),
    ),
    box,
  );
  line.addEventListener("toggle", () => line.open && fillTrace(box, span).catch((error) => box.replaceChildren(element("p", { class: "bad" }, error.message))), { once: true });
  return line;
}

function releases(apps) {
  const rows = apps.map((app) => {
    const names = Object.fromEntries((app.variants ?? []).map((v) => [v.variant_id, v.name]));
    const release = app.release;
    const sum = release?.shares.reduce((total, s) => total + (s.weight ?? 1), 0);
    const part = (s) => (release.shares.length > 1 ? ` ${percent((s.weight ?? 1) / sum)}` : "");
    const who = release ? release.shares.map((s) => `${names[s.variant_id] ?? s.variant_id.slice(0, 16)}${part(s)}`).join(", ") : "nobody yet";
    return element(
      "div",
      { class: "row" },
      element("strong", {}, app.name),
      element("span", {}, `serves ${who}`),
      release?.reason ? element("span", { class: "quiet reason" }, release.reason) : null,
      release ? element("span", { class: "quiet end" }, `${release.created_by}, ${when(release.created_ns)}`) : null,
    );
  });
  return element("section", { class: "panel" }, ...rows);
}

async function show() {
  const main = document.getElementById("main");
  try {
    const [server, experiments, spans, apps] = await Promise.all([
      get("/api/server"),
      get("/api/experiments?limit=20"),
      get("/api/traces?limit=40"),
      get("/api/apps"),
    ]);
    document.getElementById("server").textContent = `${server.version} · ${server.data}`;
    const parts = [];
    if (apps.length) parts.push(element("h2", {}, "Apps"), releases(apps));
    parts.push(element("h2", {}, "Experiments"));
    parts.push(
      ...(experiments.length
        ? experiments.map(experimentPanel)
        : [element("p", { class: "panel quiet" }, "None yet. Run ", element("code", {}, "noria demo"), " or ", element("code", {}, "noria eval FILE.yaml"), ".")]),
    );
    parts.push(element("h2", {}, "Latest traces"));
    parts.push(
      spans.length
        ? element("section", { class: "panel" }, ...spans.map(traceLine))
        : element("p", { class: "panel quiet" }, "None yet. Call a model through ", element("code", {}, "/v1/chat/completions"), "."),
    );
    main.replaceChildren(...parts);
  } catch (error) {
    const login = error instanceof NoSession;
    main.replaceChildren(
      element(
        "section",
        { class: "panel alone" },
        element("h3", {}, login ? "Log in" : "Noria can't be reached"),
        login
          ? element("p", {}, "Open the link that ", element("code", {}, "noria up"), " printed, or run ", element("code", {}, "noria login"), " for a new one.")
          : element("p", { class: "bad" }, error.message),
      ),
    );
  }
}

document.getElementById("refresh").addEventListener("click", show);
show();
