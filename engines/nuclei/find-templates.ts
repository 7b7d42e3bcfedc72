import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { EngineContent } from "@periscan/contract/scan.ts";
import { listExcludedTags, type NucleiOptions } from "./options.ts";
import type { Protocol } from "./protocols.ts";

export interface Template {
  id: string;
  protocol: Protocol;
  severity: string;
  tags: string[];
  /** The ports that a network template names itself; a target's own port goes before them. */
  ports: number[];
  /** It names its port beside the host, and so would leave a target that is one port. */
  fixedPort: boolean;
  /** It puts random text into its requests, which a key must not have. */
  random: boolean;
  /** A network template that waits for an answer to the last thing that it sends: Nuclei tells of its request only once all of them have come. */
  readsLast: boolean;
}

export interface TemplateSet {
  folder: string;
  name: string;
  version: string;
  origin: EngineContent["origin"];
  /** By absolute path. */
  templates: Map<string, Template>;
}

export const ownTemplatesFolder = fileURLToPath(new URL("templates", import.meta.url));
/** Raised with every change of the templates. */
const ownVersion = "1";

/** The templates to scan with: those of a folder that is given, else of the one that the user has, or ours. */
export const findTemplates = (folder: string = findFolder()): TemplateSet => readSet(folder);

/**
 * The folder that PERISCAN_NUCLEI_TEMPLATES names, else the folder of `nuclei -update-templates` where it is
 * there, else Periscan's own.
 */
function findFolder(): string {
  const named = process.env.PERISCAN_NUCLEI_TEMPLATES;
  if (named) return resolve(named);
  const usual = join(homedir(), "nuclei-templates");
  return existsSync(usual) ? usual : ownTemplatesFolder;
}

let lastLook: { folder: string; at: number; content: EngineContent } | undefined;
const lookAgainSeconds = 30;

/** What `findTemplates` would find, for a question that is asked every few seconds: the official set has more than ten thousand files to look at. */
export function findContent(): EngineContent {
  const folder = findFolder();
  if (lastLook?.folder === folder && performance.now() - lastLook.at < lookAgainSeconds * 1000) return lastLook.content;
  const { name, version, origin, templates } = readSet(folder);
  const content = { name, version, count: templates.size, origin };
  lastLook = { folder, at: performance.now(), content };
  return content;
}

function readSet(folder: string): TemplateSet {
  const templates = readTemplates(folder);
  if (folder === ownTemplatesFolder) return { folder, name: "Periscan's Nuclei templates", version: ownVersion, origin: "ours", templates };
  const official = readOfficialVersion(folder);
  if (official) return { folder, name: "nuclei-templates", version: official, origin: "official", templates };
  return { folder, name: `Templates in ${folder}`.slice(0, 200), version: hashTemplates(folder, templates), origin: "user", templates };
}

/** The version of the folder that Nuclei itself installed: it keeps a checksum file there, and folder and version in its configuration. */
function readOfficialVersion(folder: string): string | undefined {
  if (!existsSync(join(folder, ".checksum"))) return undefined;
  const config = process.env.XDG_CONFIG_HOME || join(homedir(), ".config");
  try {
    const kept = JSON.parse(readFileSync(join(config, "nuclei", ".templates-config.json"), "utf8"));
    const isThis = resolve(String(kept["nuclei-templates-directory"])) === folder;
    const version = kept["nuclei-templates-version"];
    return isThis && typeof version === "string" && /^v?[\d.]{1,30}$/.test(version) ? version : undefined;
  } catch {
    return undefined;
  }
}

function hashTemplates(folder: string, templates: Map<string, Template>): string {
  const hash = createHash("sha256");
  for (const [path, { id }] of templates) hash.update(`${relative(folder, path)} ${id} ${statSync(path).size}\n`);
  return hash.digest("hex").slice(0, 12);
}

interface CachedFile {
  mtimeMs: number;
  size: number;
  template: Template | undefined;
}

/** The official set has more than ten thousand files; asked before every claim, only those that changed are read again. */
const files = new Map<string, CachedFile>();

/** Parts of the official set that are no templates. */
const otherFolders = new Set(["helpers", "profiles", "workflows"]);
const mostTemplates = 50_000;

function readTemplates(folder: string): Map<string, Template> {
  const found = new Map<string, Template>();
  const walk = (at: string, depth: number) => {
    if (depth > 12 || found.size >= mostTemplates) return;
    for (const entry of readdirSync(at, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(at, entry.name);
      if (entry.name.startsWith(".") || (depth === 0 && otherFolders.has(entry.name))) continue;
      if (entry.isDirectory()) walk(path, depth + 1);
      else if (entry.isFile() && /\.ya?ml$/.test(entry.name)) {
        const template = readCached(path);
        if (template) found.set(path, template);
      }
    }
  };
  if (existsSync(folder)) walk(folder, 0);
  return found;
}

function readCached(path: string): Template | undefined {
  const { mtimeMs, size } = statSync(path);
  const cached = files.get(path);
  if (cached?.mtimeMs === mtimeMs && cached.size === size) return cached.template;
  const template = size > 1024 ** 2 ? undefined : readTemplate(readFileSync(path, "utf8"));
  files.set(path, { mtimeMs, size, template });
  return template;
}

const protocolKeys: [RegExp, Protocol][] = [
  [/^(http|requests):/m, "http"],
  [/^(tcp|network):/m, "tcp"],
  [/^ssl:/m, "ssl"],
  [/^javascript:/m, "javascript"],
];

/** What must be known of a template before Nuclei runs it. Nuclei parses it; this looks at lines alone. */
export function readTemplate(text: string): Template | undefined {
  const id = /^id:\s*["']?([A-Za-z0-9][A-Za-z0-9._-]{0,199})["']?\s*(#.*)?$/m.exec(text)?.[1];
  const protocol = protocolKeys.find(([key]) => key.test(text))?.[1];
  if (!id || !protocol) return undefined;
  const named = [...text.matchAll(/^\s*(?:-\s+)?port:\s*["']?([\d, ]+)["']?\s*$/gim)].flatMap((match) => (match[1] ?? "").split(",").map(Number));
  const beside = [...text.matchAll(/\{\{(?:Host|Hostname)\}\}:(\d{1,5})/g)].map((match) => Number(match[1]));
  const ports = protocol === "http" ? [] : [...new Set([...named, ...beside])].filter((port) => port >= 1 && port <= 65_535);
  const severity = /^\s+severity:\s*["']?([a-z]+)/im.exec(text)?.[1]?.toLowerCase() ?? "unknown";
  const tags = (/^\s+tags:\s*["']?([^"'\n#]+)/im.exec(text)?.[1] ?? "").split(",").map((tag) => tag.trim().toLowerCase());
  const fixedPort = protocol !== "http" && beside.length > 0;
  return {
    id,
    protocol,
    severity,
    tags,
    ports,
    fixedPort,
    random: /\{\{\s*(rand|to_lower\(rand)/.test(text),
    readsLast: protocol === "tcp" && readsLast(text),
  };
}

/** Whether the last input of each of its conversations has a `read`. */
function readsLast(text: string): boolean {
  const conversations = text.split(/^\s*(?:-\s+)?inputs:\s*$/m).slice(1);
  const lastInputs = conversations.map((part) => part.split(/^\s*-\s+/m).findLast((item) => /^\s*(?:data|read):/m.test(item)) ?? "");
  return lastInputs.length > 0 && lastInputs.every((input) => /^\s*read:\s*[1-9]/m.test(input));
}

/** The templates that these options choose, as Nuclei chooses them. */
export function selectTemplates({ templates }: TemplateSet, options: NucleiOptions): Map<string, Template> {
  const excluded = new Set(listExcludedTags(options));
  const wanted = new Set(options.tags.map((tag) => tag.toLowerCase()));
  const ids = new Set(options.template_ids);
  const chosen = [...templates].filter(
    ([, { id, protocol, severity, tags }]) =>
      options.protocols.includes(protocol) &&
      (options.severities as string[]).includes(severity) &&
      (ids.size === 0 || ids.has(id)) &&
      (wanted.size === 0 || tags.some((tag) => wanted.has(tag))) &&
      !tags.some((tag) => excluded.has(tag)),
  );
  return new Map(chosen);
}
