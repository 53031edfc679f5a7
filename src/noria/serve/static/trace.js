// One trace: a waterfall of its steps, each with what was said, called, found and judged.

import { STATUS, badge, came, dollars, drawn, element, get, seconds } from "/static/dom.js";

const MOST_MESSAGES = 6;
const MOST_STEPS = 500;

function messageText(entry) {
  if (typeof entry.content === "string") return entry.content;
  return (entry.content ?? []).map((part) => part.text ?? part.preview ?? JSON.stringify(part, null, 1)).join("\n");
}

function block(kind, text, more) {
  return element("div", { class: `message ${more ?? ""}` }, element("span", { class: "quiet" }, kind), element("pre", {}, text));
}

/** A message, with its thinking, and the calls that it asks for. */
function message(entry) {
  const text = messageText(entry) || entry.refusal || "";
  const calls = entry.tool_calls ?? [];
  return [
    ...(entry.reasoning ? [block("thinking", entry.reasoning, "quiet")] : []),
    ...(text || !(calls.length || entry.reasoning) ? [block(entry.role, text)] : []),
    ...calls.map((call) => block(`calls ${call.name}`, call.arguments ?? "", "mono")),
  ];
}

/** The messages of a call; of a long one the beginning and the end, the rest a click away. */
function conversation(messages) {
  if (messages.length <= MOST_MESSAGES) return messages.flatMap(message);
  const between = messages.slice(2, 3 - MOST_MESSAGES);
  const folded = element("details", { class: "folded" }, element("summary", { class: "quiet" }, `${between.length} more messages`), ...between.flatMap(message));
  return [...messages.slice(0, 2).flatMap(message), folded, ...messages.slice(3 - MOST_MESSAGES).flatMap(message)];
}

function passage(found) {
  const score = found.score === null || found.score === undefined ? "" : ` ${found.score.toPrecision(3)}`;
  return block(`found${score} ${found.id ?? ""}`, found.text ?? "");
}

function fact(name, value) {
  return value === undefined || value === null || value === "" ? null : element("span", {}, element("span", { class: "quiet" }, `${name} `), String(value));
}

function judgement(score) {
  const kind = score.value === false ? "bad" : score.value === true ? "good" : "";
  const value = typeof score.value === "number" ? String(+score.value.toFixed(3)) : String(score.value);
  return element("div", { class: "score" }, badge(`${score.scorer} = ${value}`, kind), ` ${score.reason ?? ""}`);
}

/** Tokens in and out, with ~ where the provider never got to count, and Noria estimated them. */
function used(span) {
  if (span.input_tokens !== null || span.output_tokens !== null) return `${span.input_tokens ?? "?"} → ${span.output_tokens ?? "?"}`;
  const { "noria.estimated.input_tokens": sent, "noria.estimated.output_tokens": made } = span.attributes ?? {};
  return Number.isInteger(sent) && Number.isInteger(made) ? `~${sent} → ~${made}` : null;
}

/** Everything about one step. */
function stepBody(span, scores, inner = false) {
  const lineage = span.lineage ?? {};
  const model = [span.provider, span.request_model ?? span.response_model].filter(Boolean).join("/");
  const facts = [
    fact("model", model),
    fact("tool", span.tool_name),
    fact("tokens", used(span)),
    fact("TTFT", span.ttft_s === null ? null : seconds(span.ttft_s)),
    fact("TPOT", span.tpot_s === null ? null : seconds(span.tpot_s)),
    model || span.cost_usd !== null ? fact("cost", dollars(span.cost_usd)) : null,
    inner ? null : fact("session", lineage.session_id), // the same as above it
    inner ? null : fact("user", lineage.user_id),
    fact("variant", lineage.variant_id?.slice(0, 16)),
    fact("prompt", lineage.prompt_id?.slice(0, 24)),
  ].filter(Boolean);
  const attributes = Object.entries(span.attributes ?? {});
  return [
    ...(facts.length ? [element("div", { class: "row facts" }, ...facts)] : []),
    ...(span.error_message || span.error_type ? [element("p", { class: "bad" }, [span.error_type, span.error_message].filter(Boolean).join(": "))] : []),
    ...conversation(span.input ?? []),
    ...(span.documents ?? []).map(passage),
    ...(span.output ?? []).flatMap(message),
    ...scores.map(judgement),
    ...(attributes.length
      ? [element("details", { class: "folded" }, element("summary", { class: "quiet" }, `${attributes.length} attributes`), ...attributes.map(([key, value]) => block(key, typeof value === "string" ? value : JSON.stringify(value), "mono")))]
      : []),
  ];
}

/** Steps under their parents, as [step, depth]; those that no root leads to come last. */
function inOrder(spans) {
  const known = new Set(spans.map((span) => span.span_id));
  const children = new Map();
  for (const span of spans) {
    const above = known.has(span.parent_id) ? span.parent_id : null;
    if (!children.has(above)) children.set(above, []);
    children.get(above).push(span);
  }
  const done = new Set();
  const ordered = [];
  for (const start of [...(children.get(null) ?? []), ...spans]) {
    const waiting = [[start, 0]];
    while (waiting.length) {
      const [span, depth] = waiting.pop();
      if (done.has(span.span_id)) continue;
      done.add(span.span_id);
      ordered.push([span, depth]);
      waiting.push(...(children.get(span.span_id) ?? []).map((child) => [child, depth + 1]).reverse());
    }
  }
  return ordered;
}

/** When a step ran, on the trace's own axis. */
function bar(span, began, length) {
  const x = ((span.start_ns - began) / length) * 100;
  const width = Math.max(0.6, ((span.end_ns - span.start_ns) / length) * 100);
  const plot = drawn("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", class: `bar ${STATUS[span.status] ?? ""}`, "aria-hidden": "true" });
  plot.append(drawn("rect", { x: Math.min(x, 99.4), y: 0, width: Math.min(width, 100 - Math.min(x, 99.4)), height: 10, rx: 0.5 }));
  return plot;
}

function step(span, depth, began, length, scores) {
  const failed = span.status !== "ok";
  return element(
    "details",
    { class: "step" },
    element(
      "summary",
      {},
      element("span", { class: `step-name depth-${Math.min(depth, 8)}` }, span.name),
      failed ? came(span) : element("span", { class: "quiet" }, span.operation),
      bar(span, began, length),
      element("span", { class: "quiet number" }, seconds((span.end_ns - span.start_ns) / 1e9)),
    ),
    element("div", { class: "step-body" }, ...stepBody(span, scores, depth > 0)),
  );
}

/** Fill ``box`` with a trace. */
export async function fillTrace(box, traceId) {
  const trace = await get(`/api/traces/${encodeURIComponent(traceId)}`);
  const scores = new Map();
  for (const score of trace.scores) scores.set(score.span_id, [...(scores.get(score.span_id) ?? []), score]);
  const began = trace.spans.reduce((least, span) => Math.min(least, span.start_ns), Infinity);
  const length = Math.max(1, trace.spans.reduce((most, span) => Math.max(most, span.end_ns), 0) - began);
  const foot = element("p", { class: "quiet" }, "trace ", element("code", {}, trace.trace_id));
  if (trace.spans.length === 1) {
    box.replaceChildren(...stepBody(trace.spans[0], scores.get(trace.spans[0].span_id) ?? []), foot);
    return;
  }
  const ordered = inOrder(trace.spans);
  const steps = ordered.slice(0, MOST_STEPS).map(([span, depth]) => step(span, depth, began, length, scores.get(span.span_id) ?? []));
  const more = ordered.length > MOST_STEPS ? [element("p", { class: "quiet" }, `${ordered.length - MOST_STEPS} more steps: noria traces show ${trace.trace_id.slice(0, 12)} --json`)] : [];
  box.replaceChildren(element("div", { class: "waterfall" }, ...steps), ...more, foot);
}
