import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { InstallContext } from "./engine.ts";
import { installFolder, isInstalling, runStep, withInstallLock } from "./install.ts";

let enginesFolder: string;
let said: string[];
beforeEach(() => {
  enginesFolder = mkdtempSync(join(tmpdir(), "periscan-install-"));
  said = [];
});
afterEach(() => rmSync(enginesFolder, { recursive: true, force: true }));

const makeContext = (): InstallContext => ({ enginesFolder, signal: new AbortController().signal, say: (line) => said.push(line) });
const write = (text: string) => async (fresh: string) => writeFileSync(join(fresh, "program"), text);

test("a folder appears whole or not at all, and is made once", async () => {
  const failing = installFolder("tool-1.0", makeContext(), async (fresh) => {
    writeFileSync(join(fresh, "half"), "x");
    throw new Error("the network is gone");
  });
  await expect(failing).rejects.toThrow("the network is gone");
  expect(readdirSync(enginesFolder)).toEqual([]);
  await installFolder("tool-1.0", makeContext(), write("first"));
  await installFolder("tool-1.0", makeContext(), write("second"));
  expect(readFileSync(join(enginesFolder, "tool-1.0", "program"), "utf8")).toBe("first");
  expect(readdirSync(enginesFolder)).toEqual(["tool-1.0"]);
});

test("an install that was killed half-way holds nobody up and leaves nothing behind", async () => {
  const module = new URL("install.ts", import.meta.url).href;
  const script = `import { installFolder, withInstallLock } from ${JSON.stringify(module)};
    const context = { enginesFolder: ${JSON.stringify(enginesFolder)}, signal: new AbortController().signal, say() {} };
    await withInstallLock("tool", context, () => installFolder("tool-1.0", context, async () => { console.log("building"); await new Promise((resolve) => setTimeout(resolve, 600_000)); }));`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  expect(isInstalling(enginesFolder, "tool")).toBe(true);
  expect(isInstalling(enginesFolder, "other")).toBe(false);
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(isInstalling(enginesFolder, "tool")).toBe(false);
  expect(existsSync(join(enginesFolder, "tool-1.0"))).toBe(false);
  await withInstallLock("tool", makeContext(), () => installFolder("tool-1.0", makeContext(), write("whole")));
  expect(readdirSync(enginesFolder)).toEqual(["tool-1.0"]);
});

test("two installs of one program take turns", async () => {
  const order: string[] = [];
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const first = withInstallLock("tool", makeContext(), async () => {
    order.push("first begins");
    await held;
    order.push("first ends");
  });
  const second = withInstallLock("tool", makeContext(), async () => {
    order.push("second");
  });
  expect(said).toEqual(["Another process is installing tool; waiting for it."]);
  release();
  await Promise.all([first, second]);
  expect(order).toEqual(["first begins", "first ends", "second"]);
  expect(readdirSync(enginesFolder)).toEqual([]);
});

test("a step that fails says which, and the end of what it printed", async () => {
  const step = { file: "sh", args: ["-c", "seq 1 100; echo no space left >&2; exit 3"], title: "Building" };
  await expect(runStep(step, makeContext())).rejects.toMatchObject({
    code: "engine.install_failed",
    message: expect.stringMatching(/^Building: sh ended with exit code 3\. It said:.*no space left/s),
  });
  await expect(runStep({ file: "/no/such/program", args: [], title: "Building" }, makeContext())).rejects.toMatchObject({
    message: expect.stringContaining("/no/such/program could not be started"),
  });
});

test("a step ends with the install that was stopped", async () => {
  const stopped = new AbortController();
  const running = runStep({ file: "sleep", args: ["600"], title: "Waiting" }, { ...makeContext(), signal: stopped.signal });
  stopped.abort(new Error("stopped by the user"));
  await expect(running).rejects.toThrow("stopped by the user");
});
