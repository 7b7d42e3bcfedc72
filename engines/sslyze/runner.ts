import type { EngineRunner } from "../kit/engine.ts";
import { folderName, install, probe } from "./install.ts";
import { readSslyzeFile } from "./read-sslyze-file.ts";
import { runSslyze } from "./run.ts";
import { selfTest } from "./self-test.ts";

/** What the worker asks of the engine, put together. */
export const runner: EngineRunner = {
  build: folderName,
  probe,
  install,
  run: runSslyze,
  recognise: (head) => (/"(server_scan_results|sslyze_version|date_scans_started)"\s*:/.test(head) ? "SSLyze's JSON" : undefined),
  read: readSslyzeFile,
  selfTest,
};
