import type { EngineRunner } from "../kit/engine.ts";
import { install, probe } from "./install.ts";
import { readOpenvasFile } from "./read-openvas-file.ts";
import { runOpenvas } from "./run.ts";
import { selfTest } from "./self-test.ts";

/** What the worker asks of the engine, put together. */
export const runner: EngineRunner = {
  probe,
  install,
  run: runOpenvas,
  recognise: (head) => (/<(get_reports_response|report)[\s>]/.test(head) ? "a report of OpenVAS or Greenbone" : undefined),
  read: readOpenvasFile,
  selfTest,
};
