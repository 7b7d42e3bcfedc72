import type { EngineRunner } from "../kit/engine.ts";
import { install, probe } from "./install.ts";
import { readNmapFile } from "./read-nmap-file.ts";
import { runNmap } from "./run.ts";
import { testTcp, testUdp } from "./self-test.ts";

/** What runs Nmap for one of its two scan types. */
export const createRunner = (settings: { needsRaw: boolean }): EngineRunner => ({
  probe: () => probe(settings),
  install,
  run: runNmap,
  recognise: (head) => (/<nmaprun[\s>]/.test(head) ? "Nmap's XML" : undefined),
  read: readNmapFile,
  selfTest: settings.needsRaw ? testUdp : testTcp,
});
