import { chmodSync, copyFileSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { explainBarrier, findEngineAccount } from "../kit/engine-account.ts";
import type { TemplateSet } from "./find-templates.ts";

/**
 * The same templates where engines can read them: as they are, or as a copy in the run's folder where the account of engines does not get to them, as in the home
 * folder of root. Their name, version and origin stay.
 */
export function shareTemplates(set: TemplateSet, runFolder: string): TemplateSet {
  const isReadable = (path: string) => explainBarrier(path) === undefined && (statSync(path).mode & 0o004) !== 0;
  if (!findEngineAccount() || [...set.templates.keys()].every(isReadable)) return set;
  const folder = join(runFolder, "templates");
  copyReadable(set.folder, folder);
  return { ...set, folder, templates: new Map([...set.templates].map(([path, template]) => [join(folder, relative(set.folder, path)), template])) };
}

function copyReadable(from: string, to: string): void {
  mkdirSync(to);
  chmodSync(to, 0o755);
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory() && entry.name !== ".git") copyReadable(source, target);
    if (!entry.isFile()) continue;
    copyFileSync(source, target);
    chmodSync(target, 0o644);
  }
}
