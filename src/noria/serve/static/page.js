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
const clock = (ns) => new Date(Number(ns) / 1e6).toLocaleTimeString();
const seconds = (s) => (s === undefined || s === null ? "–" : s < 1 ? `${Math.round(s * 1000)} ms` : `${s.toFixed(2)} s`);
const short = (x) => (Math.abs(x) >= 100 ? x.toFixed(0) : Math.abs(x) >= 0.1 || x === 0 ? x.toFixed(3) : x.toPrecision(2));
const dollars = (x) => (x === undefined || x === null ? "unknown" : `$${x === 0 ? "0" : x.toPrecision(3)}`);
const megabytes = (x) => (x ? `${Math.round(x / 2 ** 20)} MB` : "–");

const STATUS = { finished: "good", running: "wait", interrupted: "wait", failed: "bad", ok: "good", error: "bad", cancelled: "wait" };
const badge = (text, kind) => element("span", { class: `badge ${kind ?? ""}` }, text);

/** Intervals of one metric, one line a variant, on a common axis. */
function intervalPlot(metric, runs) {
  const found = runs
    .map((run) => ({ name: run.variant, at: run.measures.find((m) => m.metric === metric)?.estimate }))
    .filter((row) => row.at);
  const bounded = found.every((row) => row.at.lower >= 0 && row.at.upper <= 1);
  const low = bounded ? 0 : Math.min(...found.map((row) => row.at.lower));
  const high = bounded ? 1 : Math.max(...found.map((row) => row.at.upper));
  const span = high - low || 1;
  const [width, left, right, line] = [640, 150, 130, 24];
  const x = (value) => left + ((value - low) / span) * (width - left - right);
  const height = found.length * line + 26;
  const plot = drawn("svg", { viewBox: `0 0 ${width} ${height}`, class: "plot", role: "img", "aria-label": `${metric} by variant` });
  for (let tick = 0; tick <= 4; tick += 1) {
    const value = low + (span * tick) / 4;
    plot.append(drawn("line", { x1: x(value), x2: x(value), y1: 4, y2: height - 18, class: "axis" }));
    plot.append(drawn("text", { x: x(value), y: height - 4, "text-anchor": "middle" }, short(value)));
  }
  found.forEach((row, index) => {
    const y = index * line + 16;
    plot.append(drawn("text", { x: 0, y: y + 4, class: "name" }, row.name.slice(0, 22)));
    plot.append(drawn("line", { x1: x(row.at.lower), x2: x(row.at.upper), y1: y, y2: y, class: "interval" }));
    plot.append(drawn("circle", { cx: x(row.at.value), cy: y, r: 4.5, class: "point" }));
    plot.append(drawn("text", { x: width - right + 14, y: y + 4 }, `${short(row.at.value)}  [${short(row.at.lower)}, ${short(row.at.upper)}]`));
  });
  return plot;
}

function measureTable(runs) {
  const metrics = [...new Set(runs.flatMap((run) => run.measures.map((m) => m.metric)))];
  const head = element("tr", {}, element("th", {}, "Variant"));
  for (const metric of metrics) head.append(element("th", { class: "number" }, metric));
  for (const name of ["TTFT p50", "TPOT p50", "memory", "cost", "errors"]) head.append(element("th", { class: "number" }, name));
  const body = runs.map((run) => {
    const row = element("tr", {}, element("td", {}, run.variant));
    for (const metric of metrics) {
      const at = run.measures.find((m) => m.metric === metric)?.estimate;
      row.append(element("td", { class: "number" }, at ? short(at.value) : "–"));
    }
    const rest = [seconds(run.ttft_s?.p50), seconds(run.tpot_s?.p50), megabytes(run.peak_memory_bytes), dollars(run.cost_usd), String(run.errors)];
    for (const text of rest) row.append(element("td", { class: "number" }, text));
    return row;
  });
  return element("div", { class: "scroll" }, element("table", {}, element("thead", {}, head), element("tbody", {}, ...body)));
}

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
    panel.append(element("p", { class: "quiet" }, "No results yet."));
    return panel;
  }
  const first = results.runs[0]?.measures[0]?.metric;
  if (first) panel.append(element("div", { class: "quiet" }, `${first}, mean and 95 % interval`), intervalPlot(first, results.runs));
  panel.append(measureTable(results.runs));
  const sentences = [
    ...(results.comparisons ?? []).map((c) => ({ text: c.sentence, kind: c.verdict === "better" ? "good" : c.verdict === "worse" ? "bad" : "" })),
    ...(results.gates ?? []).map((g) => ({ text: `Gate ${g.gate}: ${g.passed ? "passed" : "failed"}. ${g.sentence}`, kind: g.passed ? "good" : "bad" })),
  ];
  if (sentences.length) panel.append(element("ul", { class: "sentences" }, ...sentences.map((s) => element("li", { class: s.kind }, s.text))));
  return panel;
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
    ...(span.input ?? []).map(message),
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
      badge(status, STATUS[status]),
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
    const who = release ? release.shares.map((s) => names[s.variant_id] ?? s.variant_id).join(", ") : "nobody yet";
    return element(
      "div",
      { class: "row" },
      element("strong", {}, app.name),
      element("span", {}, `serves ${who}`),
      release ? element("span", { class: "quiet" }, `${release.created_by}, ${when(release.created_ns)}: ${release.reason ?? ""}`) : null,
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
        { class: "panel" },
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
