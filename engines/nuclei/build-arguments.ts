import { join } from "node:path";
import type { TargetLogin } from "@periscan/contract/target.ts";
import { writeForEngine } from "../kit/run-folder.ts";
import { listExcludedTags, type NucleiOptions } from "./options.ts";
import type { Protocol } from "./protocols.ts";

export interface Start {
  options: NucleiOptions;
  protocols: Protocol[];
  /** The folder of templates. */
  templates: string;
  /** Paths of templates that would leave the target. */
  excluded: string[];
  /** One a line: URLs, or address:port. */
  targets: string[];
  /** For services that choose by name behind TLS. */
  serverName: string | undefined;
  requestsPerSecond: number;
  login: TargetLogin | undefined;
  proxyUrl: string;
  resolver: string;
  /** An empty folder of the engine's own. */
  folder: string;
}

export const traceFileOf = (folder: string): string => join(folder, "requests.jsonl");

/** Nuclei's command line. What comes from the target or is secret goes into files, which only the engine can read. */
export function buildArguments(start: Start): string[] {
  const { options, protocols, folder } = start;
  const write = (name: string, lines: string[]) => writeForEngine(join(folder, name), lines.map((line) => `${line}\n`).join(""));
  const given = (flag: string, values: string[]) => (values.length === 0 ? [] : [flag, values.join(",")]);
  return [
    "-list",
    write("targets.txt", start.targets),
    "-templates",
    start.templates,
    "-type",
    protocols.join(","),
    ...given("-severity", options.severities),
    ...given("-tags", options.tags),
    "-exclude-tags",
    listExcludedTags(options).join(","),
    ...(options.template_ids.length === 0 ? [] : ["-template-id", write("template-ids.txt", options.template_ids)]),
    ...(start.excluded.length === 0 ? [] : ["-exclude-templates", write("excluded.txt", start.excluded)]),
    ...(start.login ? ["-header", write("header.txt", [formatLogin(start.login)])] : []),
    ...(start.serverName ? ["-sni", start.serverName] : []),
    // Every connection goes through the scope's proxy, and the one name that there is through its resolver.
    "-proxy",
    write("proxy.txt", [start.proxyUrl]),
    "-resolvers",
    write("resolvers.txt", [start.resolver]),
    "-rate-limit",
    `${Math.max(1, Math.floor(Math.min(options.rate_limit, start.requestsPerSecond)))}`,
    "-concurrency",
    `${options.concurrency}`,
    "-timeout",
    `${options.timeout_seconds}`,
    "-retries",
    `${options.retries}`,
    "-trace-log",
    traceFileOf(folder),
    // The answer of a hit is evidence; a part of it is enough.
    "-response-size-save",
    "65536",
    ...fixed,
  ];
}

const fixed = [
  "-jsonl",
  "-omit-template",
  "-no-color",
  // It would skip a host silently after 30 errors: what was not looked at would read as clean.
  "-no-mhe",
  // With requests shared between templates it would not tell which template's request got an answer.
  "-disable-clustering",
  // Asks for no address of an outside server, no update, no input but the list, and no page before the templates do.
  "-no-interactsh",
  "-disable-update-check",
  "-no-stdin",
  "-no-httpx",
];

const formatLogin = ({ kind, name, value }: TargetLogin): string => (kind === "cookie" ? `Cookie: ${name}=${value}` : `${name}: ${value}`);
