import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const run = promisify(execFile);
const environment = { ...process.env, PATH: [dirname(process.execPath), process.env.PATH].join(delimiter) };

/** A checkout with the real `./periscan`, whose command line says its word, and stays where that is `up`. */
function makeCheckout(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "periscan-checkout-")));
  mkdirSync(join(folder, "cli"));
  copyFileSync(new URL("../../periscan", import.meta.url), join(folder, "periscan"));
  writeFileSync(join(folder, "package.json"), '{ "name": "checkout", "version": "1.0.0", "type": "module", "workspaces": ["cli"] }');
  writeFileSync(join(folder, "cli", "package.json"), '{ "name": "@checkout/cli", "version": "1.0.0" }');
  writeFileSync(
    join(folder, "cli", "main.ts"),
    'const word: string = process.argv[2] ?? "";\nconsole.log(word);\nif (word === "up") setInterval(() => {}, 1000);\n',
  );
  return folder;
}

test("a changed lock never takes the packages from under a platform that runs from the checkout", async () => {
  const folder = makeCheckout();
  const packages = join(folder, "node_modules");
  const start = (word: string) => run(join(folder, "periscan"), [word], { cwd: tmpdir(), env: environment });
  let platform: ChildProcess | undefined;
  try {
    await run("npm", ["install", "--package-lock-only", "--offline", "--no-audit", "--no-fund"], { cwd: folder });
    expect((await start("hello")).stdout).toBe("hello\n");
    expect(existsSync(join(packages, "@checkout", "cli"))).toBe(true);
    platform = spawn(join(folder, "periscan"), ["up"], { env: environment, stdio: ["ignore", "pipe", "inherit"] });
    await once(platform.stdout as never, "data");
    // As a pull would.
    appendFileSync(join(folder, "package-lock.json"), "\n");
    writeFileSync(join(packages, "loaded-later.js"), "");
    const refused = await start("hello").catch((error) => error);
    expect([refused.code, refused.stdout, refused.stderr]).toEqual([
      1,
      "",
      `periscan: the locked packages of ${folder} have changed, and process ${platform.pid} runs from there with those of before: stop it, then start again\n`,
    ]);
    expect(existsSync(join(packages, "loaded-later.js"))).toBe(true);
    platform.kill();
    await once(platform, "exit");
    expect((await start("hello")).stdout).toBe("hello\n");
    expect(existsSync(join(packages, "loaded-later.js"))).toBe(false);
  } finally {
    platform?.kill();
    rmSync(folder, { recursive: true, force: true });
  }
});
