import { isIPv6 } from "node:net";
import { join } from "node:path";
import { EngineError } from "../kit/engine.ts";
import type { OspAddress } from "./osp-client.ts";

/** The user's own scanner, or undefined where the installed one is used. Throws EngineError where the settings cannot be read. */
export function readOwnScanner(): OspAddress | undefined {
  const { PERISCAN_OPENVAS: text, PERISCAN_OPENVAS_CERT: certFile, PERISCAN_OPENVAS_KEY: keyFile, PERISCAN_OPENVAS_CA: caFile } = process.env;
  if (!text) return undefined;
  if (text.startsWith("/")) return { kind: "unix", path: text };
  const match = /^tls:\/\/(\[[0-9a-f:]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/.exec(text);
  const host = match?.[1]?.replace(/^\[(.*)\]$/, "$1") ?? "";
  if (!match || (match[1]?.startsWith("[") && !isIPv6(host)))
    throw misconfigured("PERISCAN_OPENVAS must be the path of a scanner's OSP socket, such as /run/ospd/ospd-openvas.sock, or tls://host:port.");
  if (!certFile || !keyFile || !caFile)
    throw misconfigured("PERISCAN_OPENVAS_CERT, PERISCAN_OPENVAS_KEY and PERISCAN_OPENVAS_CA must name the PEM files for the scanner's TLS.");
  return { kind: "tls", host, port: Number(match[2]), certFile, keyFile, caFile };
}

/** Most resident memory of the installed scanner and all of its scans, in bytes. */
export function readScannerMemory(): number {
  const text = process.env.PERISCAN_OPENVAS_MEMORY_MB;
  const megabytes = text ? Number(text) : 4096;
  if (!(megabytes > 0)) throw misconfigured(`PERISCAN_OPENVAS_MEMORY_MB must be a number above 0, not ${JSON.stringify(text)}.`);
  return megabytes * 1024 ** 2;
}

/** The folder of the tests of the installed scanner. */
export function readFeedFolder(enginesFolder: string): string {
  const text = process.env.PERISCAN_OPENVAS_FEED;
  if (text && !text.startsWith("/")) throw misconfigured("PERISCAN_OPENVAS_FEED must be the absolute path of a folder of tests (NASL files).");
  return text || join(rootFolder(enginesFolder), "var/lib/openvas/plugins");
}

/** The name has the layout's version in it: Debian's packages move by themselves. */
export const installedName = "openvas-1";
export const rootFolder = (enginesFolder: string): string => join(enginesFolder, installedName, "root");

const misconfigured = (message: string) => new EngineError("engine.misconfigured", message, { retry: false });
