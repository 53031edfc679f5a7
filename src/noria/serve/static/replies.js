// What answers in a model's place, or stands in its way: kept replies and guards.

import { count, dollars, element, none, percent, table } from "/static/dom.js";

const span = (s) => (s % 86400 === 0 ? `${s / 86400} d` : s % 3600 === 0 ? `${s / 3600} h` : s % 60 === 0 ? `${s / 60} min` : `${s} s`);

/** What was said when a threshold was calibrated, as the audit log has it. */
function similar(policy, told) {
  if (!policy.similar) return element("span", { class: "quiet" }, "the same words only");
  const found = told.get(policy.similar.calibration);
  return element(
    "span",
    { class: "note" },
    `from ${policy.similar.threshold} on, by ${policy.similar.embedder}`,
    element("span", { class: "quiet said" }, found || "calibrated elsewhere"),
  );
}

/** Kept replies. */
export function kept(cache, audit) {
  const policies = Object.entries(cache.policies);
  const title = element("h2", {}, "Kept replies");
  if (!policies.length) return [title, none("Add `[caches.APP]` to `noria.toml`; for questions in other words, `noria cache calibrate PAIRS.jsonl --embedder MODEL`.")];
  const told = new Map(audit.map((entry) => [entry.details.id, entry.details.said]));
  const { hit = 0, miss = 0, skip = 0 } = cache.calls;
  const rows = policies.map(([name, policy]) => [
    element("span", { class: "name" }, name),
    span(policy.ttl_s),
    policy.scope,
    policy.pace === "original" ? "with its pauses" : "at once",
    similar(policy, told),
  ]);
  return [
    title,
    element(
      "section",
      { class: "panel" },
      element(
        "div",
        { class: "row" },
        element("strong", {}, hit + miss ? `${percent(hit / (hit + miss))} hits` : "not asked yet"),
        element("span", {}, `${count(hit)} of ${count(hit + miss)} calls`),
        skip ? element("span", {}, `${count(skip)} left aside`) : null,
        hit ? element("span", {}, `${dollars(cache.saved_usd)} saved`) : null,
        element("span", { class: "quiet end" }, `kept: ${count(cache.replies)}, ${(cache.bytes / 1e6).toFixed(1)} of ${Math.round(cache.most_bytes / 1e6)} MB`),
      ),
      table(["App or model", "Life", "Scope", "Replayed", "Questions in other words"], rows),
    ),
  ];
}

/** Guards in force. */
export function guards(found) {
  const rows = found.map(({ rule, findings }) => [
    element("span", { class: "name" }, rule.name || rule.kind),
    rule.kind,
    element("span", { class: "name" }, rule.on.join(", ")),
    rule.places.join(", "),
    rule.policy,
    Object.entries(findings).map(([action, times]) => `${count(times)} ${action}`).join(", ") || "–",
  ]);
  return [
    element("h2", {}, "Guards"),
    found.length
      ? element("section", { class: "panel" }, table(["Name", "Kind", "On", "Where", "Then", ["Found"]], rows))
      : none("Add `[[guards]]` to `noria.toml`: kinds `regex` and `length` are built in."),
  ];
}
