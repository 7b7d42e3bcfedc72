import type { NativeFacts, NativeFormat } from "../kit/engine.ts";

/** A report of the shape that GMP's `get_reports` has, one document for the whole scan: the results of all hosts in one list. */
export const native: NativeFormat = {
  contentType: "application/xml",
  extension: "xml",
  head: ({ engineVersion, startedAt }) =>
    `<?xml version="1.0" encoding="UTF-8"?>\n<report format_id="" content_type="application/xml" type="scan"><report type="scan"><gmp><version>22.7</version></gmp>` +
    `<scan_start>${iso(startedAt)}</scan_start><scanner><name>${escapeText(engineVersion)}</name></scanner><results start="1" max="-1">\n`,
  separator: "\n",
  tail: (facts) =>
    `\n</results><scan_run_status>${facts.succeeded ? "Done" : "Interrupted"}</scan_run_status><hosts><count>${countHosts(facts)}</count></hosts><scan_end>${iso(facts.finishedAt)}</scan_end></report></report>\n`,
};

const countHosts = ({ reached, unreached }: NativeFacts): number => reached + unreached;

const iso = (date: Date): string => `${date.toISOString().slice(0, 19)}Z`;

const escapeText = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
