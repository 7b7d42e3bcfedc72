import type { ScanType } from "@periscan/contract/scan.ts";
import type { Engine } from "./kit/engine.ts";
import { nmap, nmapUdp } from "./nmap/index.ts";
import { nuclei } from "./nuclei/index.ts";
import { openvas } from "./openvas/index.ts";
import { sslyze } from "./sslyze/index.ts";
import { zap, zapActive } from "./zap/index.ts";

/** One line each; a scan type without its engine does not compile. This loads no runner: `engine.load()` does, where engines run. */
const byType: Record<ScanType, Engine> = {
  NMAP: nmap,
  NMAP_UDP: nmapUdp,
  SSLYZE: sslyze,
  OPENVAS: openvas,
  OWASP_ZAP: zap,
  OWASP_ZAP_ACTIVE: zapActive,
  NUCLEI: nuclei,
};

/** Every engine. */
export const engines: readonly Engine[] = Object.values(byType);

/** The engine of a scan type. */
export const findEngine = (type: ScanType): Engine => byType[type];
