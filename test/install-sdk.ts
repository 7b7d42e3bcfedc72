import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const sdkFolder = fileURLToPath(new URL("../sdk", import.meta.url));

/** Makes the folder a project with the SDK in it, as `npm install @periscan/sdk` would once it is published. */
export async function installSdk(folder: string): Promise<void> {
  writeFileSync(`${folder}/package.json`, '{ "type": "module", "private": true }\n');
  const quiet = ["--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"];
  await run("npm", ["run", "build", ...quiet], { cwd: sdkFolder });
  const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", folder, ...quiet], { cwd: `${sdkFolder}/dist` });
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
  await run("npm", ["install", "--offline", "--ignore-scripts", ...quiet, `./${filename}`], { cwd: folder });
}
