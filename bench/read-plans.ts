import { readFileSync, statSync } from "node:fs";

/** The plans of what is asked through `databaseUrl`, from the database's log: PostgreSQL's own auto_explain writes each there. */
export function readPlans(logFile: string, url: string) {
  const options = ["session_preload_libraries=auto_explain", "auto_explain.log_min_duration=0", "auto_explain.log_nested_statements=on"];
  const databaseUrl = `${url}&options=${encodeURIComponent(options.map((option) => `-c ${option}`).join(" "))}`;
  return {
    databaseUrl,
    /** The scans of whole tables that `action` made; small tables beside the lists do not count. */
    async during(action: () => Promise<unknown>): Promise<string[]> {
      const start = statSync(logFile).size;
      await action();
      const log = readFileSync(logFile).subarray(start).toString();
      return [...log.matchAll(/Seq Scan on (risk|target|scan|scan_risk|scan_target|observation|detection)\b/g)].map(([scan]) => scan);
    },
  };
}
