import { execFile } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";

const run = promisify(execFile);
const version = "24.21.0";
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "periscan-fetch-node-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const writeProgram = (name: string, lines: string) => writeFileSync(join(folder, "bin", name), `#!/usr/bin/env bash\nset -e\n${lines}\n`, { mode: 0o755 });

test.runIf(process.platform === "linux" && ["x64", "arm64"].includes(process.arch))(
  "a Node that is not the pinned one is neither started nor kept, whatever the registry says of it",
  async () => {
    const script = join(folder, "periscan");
    copyFileSync(fileURLToPath(new URL("../periscan", import.meta.url)), script);
    mkdirSync(join(folder, "bin"));
    // An old Node, and a registry that serves something else under the right name.
    writeProgram("node", "echo 18");
    writeProgram(
      "npm",
      `mkdir -p package/bin; echo 'touch ${folder}/started' >package/bin/node; chmod 755 package/bin/node; touch package/LICENSE; tar -czf "\${!#/@/-}.tgz" package`,
    );
    const environment = { PATH: `${join(folder, "bin")}:/usr/sbin:/usr/bin:/sbin:/bin`, HOME: folder };
    const ended = await run(script, ["--help"], { env: environment }).catch((error: { stderr: string }) => error);
    expect(ended.stderr).toMatch(
      new RegExp(`archive node-linux-\\w+-${version}\\.tgz that npm fetched is not the one that is expected \\(its SHA-512 differs\\), so it was not used`),
    );
    expect(readdirSync(join(folder, ".tools"))).toEqual(["lock"]);
    expect(existsSync(join(folder, "started"))).toBe(false);
  },
);
