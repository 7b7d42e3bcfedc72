import { createHash } from "node:crypto";
import { once } from "node:events";
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { EngineError, type InstallContext } from "../kit/engine.ts";
import { installFolder, runStep } from "../kit/install.ts";
import { makeEngineFolder, writeForEngine } from "../kit/run-folder.ts";
import type { Zap } from "./find-zap.ts";

const sources = fileURLToPath(new URL("guard", import.meta.url));
const fileName = "periscanguard-alpha-0.1.0.zap";

/** Named after exactly these sources. */
function guardFolderName(): string {
  const hash = createHash("sha256");
  for (const file of ["ZapAddOn.xml", ...globSync("src/**/*.java", { cwd: sources }).toSorted()]) hash.update(readFileSync(join(sources, file)));
  return `zap-guard-${hash.digest("hex").slice(0, 8)}`;
}

export const findGuard = (enginesFolder: string): string | undefined => {
  const file = join(enginesFolder, guardFolderName(), fileName);
  return existsSync(file) ? file : undefined;
};

export const guardMissing = "The add-on that guards ZAP's proxy is missing. `./periscan engines install zap` builds it.";

/**
 * Builds the add-on that lets nobody use the proxy of a ZAP that Periscan starts: one of our build and one of the user's alike. It is compiled against the ZAP
 * that is there.
 */
export const installGuard = (zap: Exclude<Zap, { kind: "running" }>, javaHome: string, context: InstallContext): Promise<void> =>
  installFolder(guardFolderName(), context, async (fresh) => {
    const work = join(fresh, "build");
    mkdirSync(work);
    cpSync(join(sources, "ZapAddOn.xml"), join(work, "ZapAddOn.xml"));
    const files = globSync("src/**/*.java", { cwd: sources }).map((file) => join(sources, file));
    const classPath = [...(zap.kind === "full" ? [zap.jar] : []), join(zap.folder, "lib", "*")].join(":");
    const args = ["-nowarn", "-Xlint:none", "-proc:none", "--release", "17", "-encoding", "UTF-8", "-cp", classPath, "-d", work, ...files];
    await runStep({ file: join(javaHome, "bin", "javac"), args, title: "Compiling the guard of ZAP's proxy" }, context);
    await runStep({ file: join(javaHome, "bin", "jar"), args: ["cf", join(fresh, fileName), "-C", work, "."], title: "Packing the guard" }, context);
    rmSync(work, { recursive: true });
  });

/** Puts the guard where a ZAP with this home loads it from. Throws an EngineError where it is missing. */
export function placeGuard(enginesFolder: string, homeFolder: string): void {
  const file = findGuard(enginesFolder);
  if (file === undefined) throw new EngineError("engine.missing", guardMissing, { retry: true });
  writeForEngine(join(makeEngineFolder(join(homeFolder, "plugin")), fileName), readFileSync(file));
}

const answerSeconds = 10;

/** Asks the proxy of a ZAP for a page as anybody could, and throws an EngineError where the guard does not refuse it: logins would be open to other users of the machine. */
export async function requireGuard(port: number, signal: AbortSignal): Promise<void> {
  const socket = connect({ host: "127.0.0.1", port, signal });
  const answer = await askForPage(socket).catch((cause: Error) => cause.message);
  socket.destroy();
  signal.throwIfAborted();
  if (answer.startsWith("HTTP/1.1 403 ") && /\r\nX-Periscan-Guard: refused\r\n/i.test(answer)) return;
  throw new EngineError(
    "engine.unguarded",
    `ZAP's proxy is open to other users of this machine, so nothing is scanned with it: it answered ${answer.split("\r\n")[0]?.slice(0, 200)}.`,
    {
      retry: true,
    },
  );
}

async function askForPage(socket: ReturnType<typeof connect>): Promise<string> {
  socket.setTimeout(answerSeconds * 1000, () => socket.destroy(new Error("nothing in time")));
  await once(socket, "connect");
  socket.write("GET http://guard.periscan.invalid/ HTTP/1.1\r\nHost: guard.periscan.invalid\r\nConnection: close\r\n\r\n");
  return await text(socket);
}
