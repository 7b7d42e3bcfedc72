import type { ScanType } from "@periscan/contract/scan.ts";
import type { EngineRunner } from "../kit/engine.ts";
import { readRuleAddOn } from "./build-zap.ts";
import { install, probe } from "./install.ts";
import { readZapFile } from "./read-zap-file.ts";
import { runZap } from "./run.ts";
import { selfTest } from "./self-test.ts";

/** What runs ZAP for one of its two scan types. */
export const createRunner = (type: ScanType): EngineRunner => ({
  get build() {
    return readRuleAddOn().folderName;
  },
  probe: (context) => probe(type, context),
  install,
  run: runZap,
  recognise: (head) => (/<OWASPZAPReport[\s>]|"@programName"\s*:\s*"ZAP"|"site"\s*:\s*[[{]/.test(head) ? "a report of ZAP" : undefined),
  read: readZapFile,
  selfTest: (context) => selfTest(type, context),
});
