import type { NativeFacts, NativeFormat } from "../kit/engine.ts";

/** SSLyze's own JSON, one document for the whole scan: the server results as SSLyze wrote them, in its order of fields. */
export const native: NativeFormat = {
  contentType: "application/json",
  extension: "json",
  head: () => '{"invalid_server_strings":[],"server_scan_results":[\n',
  separator: ",\n",
  tail: (facts) => `\n],${JSON.stringify(describeScan(facts)).slice(1)}\n`,
};

const describeScan = ({ engineVersion, startedAt, finishedAt }: NativeFacts) => ({
  date_scans_started: startedAt.toISOString(),
  date_scans_completed: finishedAt.toISOString(),
  sslyze_version: engineVersion.replace(/^SSLyze /, ""),
  sslyze_url: "https://github.com/nabla-c0d3/sslyze",
});
