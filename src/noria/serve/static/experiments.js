// Apps with their releases, and experiments with their decisions.

import { STATUS, badge, dollars, drawn, element, get, megabytes, percent, seconds, short, valueOf, when } from "/static/dom.js";

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

/** The whole view. */
export async function overview() {
  const [experiments, apps] = await Promise.all([get("/api/experiments?limit=20"), get("/api/apps")]);
  const parts = [];
  if (apps.length) parts.push(element("h2", {}, "Apps"), releases(apps));
  parts.push(element("h2", {}, "Experiments"));
  parts.push(
    ...(experiments.length
      ? experiments.map(experimentPanel)
      : [element("p", { class: "panel quiet" }, "None yet. Run ", element("code", {}, "noria demo"), " or ", element("code", {}, "noria eval FILE.yaml"), ".")]),
  );
  return parts;
}
