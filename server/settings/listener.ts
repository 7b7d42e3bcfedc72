import { isIP } from "node:net";
import { readSwitch } from "../read-switch.ts";

export interface Listener {
  /** The address that is listened on, or a name of it. */
  host: string;
  publicUrl: string | undefined;
  trustedProxies: string[];
}

/**
 * Whether only programs of this machine can reach the server: it listens on loopback alone, and nothing says that a proxy hands requests of others on to it (a public URL,
 * trusted proxies). A name counts only as `localhost`: any other may come to mean another address.
 */
export function isLocalAlone({ host, publicUrl, trustedProxies }: Listener): boolean {
  const isLoopback = host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
  return isLoopback && publicUrl === undefined && trustedProxies.length === 0;
}

interface LoopbackRule extends Listener {
  /** Whether the platform's own worker runs beside the server: no other worker ever scans loopback, which would be that of another machine. */
  hasOwnWorker: boolean;
}

/** Whether loopback may be scanned: as PERISCAN_ALLOW_LOOPBACK says; where it says nothing, only while the server is reached from its own machine alone. */
export const readAllowLoopback = (environment: NodeJS.ProcessEnv, { hasOwnWorker, ...listener }: LoopbackRule): boolean =>
  hasOwnWorker && (readSwitch(environment, "PERISCAN_ALLOW_LOOPBACK") ?? isLocalAlone(listener));
