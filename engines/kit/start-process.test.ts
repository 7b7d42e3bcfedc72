import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, onTestFinished, test, vi } from "vitest";
import type { Privileges } from "./confine.ts";
import { EngineError } from "./engine.ts";
import { findEngineAccount } from "./engine-account.ts";
import { makeHome, makeRunFolder, writeForEngine } from "./run-folder.ts";
import { type ProcessSettings, startProcess } from "./start-process.ts";

const limits = { memoryBytes: 512 * 1024 ** 2, outputBytes: 1024 ** 2 };
const runFolder = makeRunFolder(tmpdir(), "periscan-process-test-");
afterAll(() => rmSync(runFolder, { recursive: true }));
const start = (script: string, { signal = new AbortController().signal, ...other }: Partial<ProcessSettings> = {}) =>
  startProcess({ title: "sh", file: "sh", args: ["-c", script], home: makeHome(runFolder), ...limits, signal, ...other });

async function readAll(output: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of output) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

/** A zombie is gone but for its entry. */
const isAlive = (pid: number) => existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));

async function untilGone(pid: number): Promise<void> {
  for (let tries = 0; isAlive(pid); tries++) {
    if (tries > 500) throw new Error(`process ${pid} lives on`);
    await sleep(20);
  }
}

test("output, errors and exit code are the process's own", async () => {
  const child = start("echo out; echo wrong >&2; exit 3");
  expect(await readAll(child.output)).toBe("out\n");
  expect(await child.ended).toEqual({ exitCode: 3, signal: null, errorText: "wrong\n", overMemory: false });
});

test("an abort ends the whole group, also children that ignore the request", async () => {
  const abort = new AbortController();
  const child = start(`trap '' TERM; sh -c 'trap "" TERM; echo $$; while :; do sleep 1; done' & wait`, { signal: abort.signal });
  let inner = 0;
  const reading = (async () => {
    for await (const piece of child.output) {
      inner = Number(Buffer.from(piece).toString());
      abort.abort(new Error("cancelled"));
    }
  })();
  await expect(reading).rejects.toThrow("cancelled");
  await child.ended;
  await untilGone(inner);
});

test("output beyond its ceiling ends the process", async () => {
  const child = start("while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done");
  await expect(readAll(child.output)).rejects.toMatchObject({ code: "engine.output_limit" });
  expect((await child.ended).signal).not.toBeNull();
});

test("memory beyond its ceiling ends the process, also where a child of it uses it", async () => {
  const child = start(`python3 -c 'import time; x = bytearray(200 << 20); time.sleep(60)' & wait`, { memoryBytes: 100 * 1024 ** 2 });
  await expect(readAll(child.output)).rejects.toMatchObject({ code: "engine.memory_limit", message: expect.stringContaining("100 MB") });
  expect(await child.ended).toMatchObject({ signal: "SIGKILL", overMemory: true });
});

test("standard error is there as it comes", async () => {
  const said: Buffer[] = [];
  const onErrorOutput = (chunk: Uint8Array) => said.push(Buffer.from(chunk));
  const child = start('i=0; while [ $i -lt 2000 ]; do echo "line $i" >&2; i=$((i+1)); done', { onErrorOutput });
  expect(await readAll(child.output)).toBe("");
  await child.ended;
  expect(Buffer.concat(said).toString().split("\n")).toHaveLength(2001);
});

test("a program that is missing is an end with a word about it", async () => {
  const child = startProcess({
    title: "Nothing",
    file: "/no/such/program",
    args: [],
    home: makeHome(runFolder),
    ...limits,
    signal: new AbortController().signal,
  });
  expect(await readAll(child.output).catch((error) => error)).not.toBeInstanceOf(EngineError);
  expect(await child.ended).toMatchObject({ exitCode: 127, errorText: expect.stringContaining("/no/such/program") });
});

test("a process that was aborted before does not start", () => {
  expect(() => start("echo never", { signal: AbortSignal.abort(new Error("too late")) })).toThrow("too late");
});

test("the process dies with its worker, however the worker dies", async () => {
  const module = new URL("start-process.ts", import.meta.url).href;
  const script = `import { startProcess } from ${JSON.stringify(module)};
    const child = startProcess({ title: "sleep", file: "sleep", args: ["300"], home: ${JSON.stringify(makeHome(runFolder))}, memoryBytes: 2 ** 30, outputBytes: 1, signal: new AbortController().signal });
    console.log(child.pid); setInterval(() => {}, 1000);`;
  const worker = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(worker.stdout, "data")) as [Buffer];
  worker.kill("SIGKILL");
  await untilGone(Number(line.toString()));
});

describe("an engine", () => {
  const isRoot = process.geteuid?.() === 0;
  const askStatus = async (privileges: Privileges) => {
    const text = await readAll(start("cat /proc/self/status", { privileges }).output);
    return (name: string) => new RegExp(`^${name}:[ \\t]*(.*)$`, "m").exec(text)?.[1]?.trim();
  };

  test("has of the worker's environment what it needs, and a folder of its own for the rest", async () => {
    vi.stubEnv("PERISCAN_WORKER_TOKEN", "secret").stubEnv("DATABASE_URL", "secret").stubEnv("https_proxy", "secret").stubEnv("LC_TIME", "C");
    onTestFinished(() => void vi.unstubAllEnvs());
    const home = makeHome(runFolder);
    const lines = (await readAll(start("env; pwd", { home, environment: { GIVEN: "too" } }).output)).trim().split("\n");
    expect(lines).toEqual(expect.arrayContaining([`HOME=${home}`, `TMPDIR=${home}`, "LC_ALL=C.UTF-8", "LC_TIME=C", "GIVEN=too", home]));
    const names = lines.map((line) => line.split("=")[0] ?? "").filter((name) => !name.startsWith("/"));
    const allowed = /^(PATH|LANG|LC_\w+|TZ|SSL_CERT_FILE|SSL_CERT_DIR|HOME|TMPDIR|GIVEN|PWD|OLDPWD|SHLVL|_)$/;
    expect(names.filter((name) => !allowed.test(name))).toEqual([]);
  });

  test.runIf(isRoot)("of root's worker is another account's, without a capability, for good", async () => {
    const read = await askStatus("none");
    const { uid, gid } = findEngineAccount() ?? {};
    expect([read("Uid"), read("Gid"), read("Groups"), read("NoNewPrivs")]).toEqual([Array(4).fill(uid).join("\t"), Array(4).fill(gid).join("\t"), "", "1"]);
    for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]) expect(BigInt(`0x${read(set)}`), set).toBe(0n);
  });

  test.runIf(isRoot)("that sends raw packets may do that, and call from low ports, and no more", async () => {
    const read = await askStatus("raw");
    expect(Number(read("Uid")?.split("\t")[0])).toBe(findEngineAccount()?.uid);
    for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]) expect(BigInt(`0x${read(set)}`), set).toBe((1n << 13n) | (1n << 10n));
  });

  test.runIf(isRoot)("reads what is written for it, and no other file of the run", async () => {
    writeForEngine(join(runFolder, "for-it"), "hello");
    writeFileSync(join(runFolder, "not-for-it"), "secret", { mode: 0o600 });
    expect(await readAll(start(`cat ${runFolder}/for-it ${runFolder}/not-for-it; ls ${runFolder}; touch ${runFolder}/new`).output)).toBe("hello");
    expect([runFolder, join(runFolder, "for-it"), makeHome(runFolder)].map((path) => statSync(path).mode & 0o777)).toEqual([0o710, 0o600, 0o700]);
  });

  test("cannot lay a link where something is written for it", () => {
    const home = makeHome(runFolder);
    symlinkSync(join(runFolder, "victim"), join(home, "settings"));
    expect(() => writeForEngine(join(home, "settings"), "text")).toThrow("EEXIST");
    expect(existsSync(join(runFolder, "victim"))).toBe(false);
  });
});

test("nothing but the kit starts programs for engines and workers, so none goes without its account and environment", () => {
  const root = new URL("../../", import.meta.url).pathname;
  const files = ["engines", "worker"].flatMap((folder) => globSync(`${folder}/**/*.ts`, { cwd: root, exclude: ["**/node_modules/**", "**/*.test.ts"] }));
  const starters = files.filter((file) => /child_process|node:cluster|process\.binding|execa/.test(readFileSync(join(root, file), "utf8")));
  expect(starters.toSorted()).toEqual(["engines/kit/ask-program.ts", "engines/kit/install.ts", "engines/kit/start-process.ts"]);
});
