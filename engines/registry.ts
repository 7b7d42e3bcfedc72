import type { Engine } from "./kit/engine.ts";
import { nmap, nmapUdp } from "./nmap/index.ts";
import { nuclei } from "./nuclei/index.ts";
import { openvas } from "./openvas/index.ts";
import { sslyze } from "./sslyze/index.ts";
import { zap, zapActive } from "./zap/index.ts";

/** Every engine, one line each. This loads no runner: `engine.load()` does, where engines run. */
export const engines: Engine[] = [nmap, nmapUdp, sslyze, openvas, zap, zapActive, nuclei];

/** The engine of a scan type, or undefined where there is none yet. */
export const findEngine = (type: string): Engine | undefined => engines.find((engine) => engine.type === type);
