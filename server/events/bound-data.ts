import type { Risk } from "@periscan/contract/risk.ts";
import type { Scan } from "@periscan/contract/scan.ts";

/** No event is larger: receivers have limits of their own, and one scan's event would else be megabytes. */
const maxDataBytes = 128 * 1024;
const maxListEntries = 100;
const maxTextCharacters = 2000;

const sizeOf = (data: object): number => Buffer.byteLength(JSON.stringify(data));

/**
 * A scan as an event carries it: as the API shows it, without `targets` (ours, and the longest), and of each list the first 100 entries, or fewer
 * where that is still too large. `truncated` gives the whole length of each list that was cut: `GET /v1/scans/ID` and its `/targets` have it all.
 */
export function boundScan({ targets: _targets, ...scan }: Scan): Record<string, unknown> {
  for (let entries = maxListEntries; ; entries = Math.floor(entries / 4)) {
    const bounded = cutScan(scan, entries);
    if (entries === 0 || sizeOf(bounded) <= maxDataBytes) return bounded;
  }
}

function cutScan(scan: Omit<Scan, "targets">, entries: number): Record<string, unknown> {
  const { requested_targets, resolved_targets, skipped_targets, risks } = scan;
  const { requested, resolved, partial, unreachable, skipped } = scan.target_counts;
  const lengths = {
    requested_targets: requested,
    resolved_targets: resolved,
    skipped_targets: partial + unreachable + skipped,
    "risks.new_open": scan.risk_counts.new_open,
    "risks.still_open": scan.risk_counts.still_open,
    "risks.closed": scan.risk_counts.closed,
  };
  const truncated = Object.fromEntries(Object.entries(lengths).filter(([, length]) => length > entries));
  return {
    ...scan,
    requested_targets: requested_targets.slice(0, entries),
    resolved_targets: resolved_targets.slice(0, entries),
    skipped_targets: skipped_targets.slice(0, entries),
    risks: { new_open: risks.new_open.slice(0, entries), still_open: risks.still_open.slice(0, entries), closed: risks.closed.slice(0, entries) },
    ...(Object.keys(truncated).length === 0 ? {} : { truncated }),
  };
}

/**
 * A risk as an event carries it: as the API shows it. One that is too large loses its `additional_info` and most of its texts and references;
 * `truncated` names what was cut: `GET /v1/risks/ID` has it all.
 */
export function boundRisk(risk: Risk): Record<string, unknown> {
  if (sizeOf(risk) <= maxDataBytes) return risk;
  const { description, solution, references } = risk.risk_definition;
  const cut = {
    description: description.slice(0, maxTextCharacters),
    solution: solution.slice(0, maxTextCharacters),
    references: references.slice(0, 20),
    additional_info: {},
  };
  return { ...risk, risk_definition: { ...risk.risk_definition, ...cut }, truncated: Object.keys(cut).map((name) => `risk_definition.${name}`) };
}
