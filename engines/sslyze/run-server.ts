import { rmSync } from "node:fs";
import { isIP, isIPv6 } from "node:net";
import { EngineError, ParseError, type PinnedTarget, type RunContext } from "../kit/engine.ts";
import { makeHome } from "../kit/run-folder.ts";
import { type EngineProcess, startProcess } from "../kit/start-process.ts";
import { pythonOf } from "./install.ts";
import { processesPerTask, type SslyzeOptions } from "./options.ts";
import type { PortPlan } from "./plan-ports.ts";
import { readSslyzeJson, type SslyzeDocument } from "./read-sslyze-json.ts";

export interface ServerScan {
  target: PinnedTarget;
  plan: PortPlan;
  options: SslyzeOptions;
  /** Roots that are trusted beside SSLyze's own. */
  caFile: string | undefined;
}

/** The scan did not end in the time that it had. */
export class LateError extends Error {}

type Server = SslyzeDocument["servers"][number];

/** What SSLyze has found out about one port. */
export interface ServerAnswer {
  completedAt: Date;
  server: Server;
}

/** Everything that tells of a risk; session resumption tells of none. */
const commands = [
  "certinfo",
  "sslv2",
  "sslv3",
  "tlsv1",
  "tlsv1_1",
  "tlsv1_2",
  "tlsv1_3",
  "compression",
  "openssl_ccs",
  "fallback",
  "heartbleed",
  "robot",
  "reneg",
  "elliptic_curves",
  "ems",
];

/** Looks at one port with every command that fits it. Throws `LateError` where that takes longer than it may. */
export const scanServer = (scan: ServerScan, context: RunContext): Promise<ServerAnswer> => runSslyze(scan, listCommands(scan), context);

/** Exported for the bench, as `buildArguments` is. */
export const listCommands = (scan: ServerScan): string[] => [
  ...commands,
  ...(scan.plan.asksHttp ? ["early_data"] : []),
  ...(asksForHsts(scan) ? ["http_headers"] : []),
];

/** Browsers ignore HSTS of a host that is an address (RFC 6797, 8.1.1). */
const asksForHsts = ({ target, plan }: ServerScan): boolean => plan.asksHttp && isIP(target.target.host) === 0;

/** Whether the server still speaks TLS, by SSLyze's own first steps: nothing else here knows every version and STARTTLS. */
export async function stillAnswers(scan: ServerScan, context: RunContext): Promise<boolean> {
  const { server } = await runSslyze(scan, ["compression"], context);
  return server.result.connectivity_status === "COMPLETED";
}

/** SSLyze's arguments; exported for the bench, which compares with a bare SSLyze of the same work. */
export function buildArguments({ target, plan, options, caFile }: ServerScan, asked: string[]): string[] {
  const host = isIPv6(target.target.host) ? `[${target.target.host}]` : target.target.host;
  return [
    ...asked.map((command) => `--${command}`),
    "--mozilla_config=disable",
    "--json_out=-",
    ...(plan.startTls === undefined ? [] : [`--starttls=${plan.startTls}`]),
    ...(options.slow_connection ? ["--slow_connection"] : []),
    ...(caFile !== undefined && asked.includes("certinfo") ? [`--certinfo_ca_file=${caFile}`] : []),
    "--",
    // The address behind the name: SSLyze connects to it and nowhere else, and keeps the name for SNI and the certificate.
    `${host}:${plan.port}{${target.address}}`,
  ];
}

async function runSslyze(scan: ServerScan, asked: string[], context: RunContext): Promise<ServerAnswer> {
  const { signal, limits, enginesFolder, folder, log } = context;
  const late = AbortSignal.timeout(scan.options.timeout_seconds * 1000);
  const args = ["-I", "-W", "ignore", "-m", "sslyze", ...buildArguments(scan, asked)];
  log("sslyze starts", { args });
  const home = makeHome(folder);
  const sslyze = startProcess({
    title: "SSLyze",
    file: pythonOf(enginesFolder),
    args,
    home,
    memoryBytes: limits.memoryBytes / processesPerTask,
    outputBytes: limits.outputBytes,
    signal: AbortSignal.any([signal, late]),
  });
  try {
    const document = await readSslyzeJson(sslyze.output);
    return { completedAt: document.completedAt, server: pickServer(document, scan) };
  } catch (error) {
    signal.throwIfAborted();
    if (late.aborted) throw new LateError();
    if (!(error instanceof ParseError)) throw error;
    throw await explainEnd(sslyze, error);
  } finally {
    await sslyze.ended;
    rmSync(home, { recursive: true, force: true });
  }
}

/** The one server that was asked for: at the address that was checked, on that port. */
function pickServer({ servers, invalid }: SslyzeDocument, { target, plan }: ServerScan): Server {
  const [server] = servers;
  if (!server || servers.length > 1) throw new ParseError(invalid[0]?.message ?? `SSLyze tells of ${servers.length} servers and not of one.`);
  const { ip_address, port } = server.result.server_location;
  if (ip_address !== target.address || port !== plan.port) throw new ParseError(`SSLyze tells of ${ip_address}:${port}, which was not asked for.`);
  return server;
}

/** Why SSLyze's output is not whole, for the user. */
async function explainEnd(sslyze: EngineProcess, cause: ParseError): Promise<EngineError> {
  const { exitCode, signal, errorText } = await sslyze.ended;
  const said = errorText.trim().split("\n").at(-1)?.slice(-500) ?? "";
  const tail = said === "" ? "" : ` It said: ${said}`;
  if (signal) return new EngineError("engine.killed", `SSLyze was killed (${signal}) before it had finished.${tail}`, { retry: true, cause });
  if (exitCode !== 0)
    return new EngineError("engine.failed", `SSLyze stopped with exit code ${exitCode} before it had finished.${tail}`, { retry: true, cause });
  return new EngineError("engine.output_cut", `SSLyze's output cannot be read: ${cause.message}${tail}`, { retry: true, cause });
}
