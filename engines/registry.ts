import type { Engine } from "./kit/engine.ts";
import { nmap, nmapUdp } from "./nmap/index.ts";
import { nuclei } from "./nuclei/index.ts";

/** Every engine, one line each. This loads no runner: `engine.load()` does, where engines run. */
export const engines: Engine[] = [nmap, nmapUdp, nuclei];
import { sslyze } from "./sslyze/index.ts";

/** Every engine, one line each. This loads no runner: `engine.load()` does, where engines run. */
export const engines: Engine[] = [nmap, nmapUdp, sslyze];
import { openvas } from "./openvas/index.ts";

/** Every engine, one line each. This loads no runner: `engine.load()` does, where engines run. */
export const engines: Engine[] = [nmap, nmapUdp, openvas];
import { zap, zapActive } from "./zap/index.ts";

/** Every engine, one line each. This loads no runner: `engine.load()` does, where engines run. */
export const engines: Engine[] = [nmap, nmapUdp, zap, zapActive];

/** The engine of a scan type, or undefined where there is none yet. */
export const findEngine = (type: string): Engine | undefined => engines.find((engine) => engine.type === type);
