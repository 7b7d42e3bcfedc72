import { relative } from "node:path";
import { ParseError } from "../../kit/engine.ts";
import type { EngineSamples } from "../../kit/samples.ts";
import type { Services } from "../find-services.ts";
import { findTemplates, ownTemplatesFolder } from "../find-templates.ts";
import { nuclei } from "../index.ts";
import { readLines } from "../read-lines.ts";
import { readLog, readRequest } from "../read-log.ts";
import { type RunFacts, readOutcome } from "../read-outcome.ts";
import { readResult } from "../read-result.ts";

const site = (port: number) => `http://shop.example:${port}`;
const none: Services = { sites: [], ports: [], closed: [], silent: [], unclear: [], mute: [], spared: [] };
const places: Record<string, Services> = {
  none: { ...none, sites: [site(18_401)] },
  one: { ...none, sites: [site(18_402)] },
  many: { ...none, sites: [site(18_403), site(18_404)] },
  network: { ...none, ports: [18_405, 18_406], closed: [27_017] },
  unreachable: { ...none, sites: [site(18_407)] },
  dying: { ...none, sites: [site(18_408)] },
  hostile: { ...none, sites: [site(18_409)] },
};

const address = "127.0.0.1";

/**
 * Nuclei 3.7.1 with the arguments of build-arguments.ts and a few templates of ours, on listeners of test/targets at a name that is pinned to
 * 127.0.0.1. Each file has what a run is judged by, in this order: standard output (the hits), the log of requests, and of standard error the
 * lines that count. The folder of the templates is called /templates in them.
 */
export const samples: EngineSamples = {
  read: (name, output) => readSample(name, output),
  files: [
    { name: "none", of: "a site that answers every path with one page about exposures", engine: nuclei, expected: [[address, "complete", []]] },
    { name: "one", of: "the default page of a web server", engine: nuclei, expected: [[address, "complete", ["periscan-default-page@http:18402/"]]] },
    {
      name: "many",
      of: "two sites of one host, with seven exposures and one",
      engine: nuclei,
      expected: [
        [
          address,
          "complete",
          [
            "periscan-wordpress-users@http:18403/wp-json/wp/v2/users",
            "periscan-git-config@http:18403/.git/config",
            "periscan-security-txt@http:18403/.well-known/security.txt",
            "periscan-env-file@http:18403/.env",
            "periscan-elasticsearch-open@http:18404/",
            "periscan-trace-method@http:18403/",
            "periscan-metrics-open@http:18403/metrics",
            "periscan-spring-actuator-heapdump@http:18403/actuator/heapdump",
          ],
        ],
      ],
    },
    {
      name: "network",
      of: "Redis and FTP, both open to anybody",
      engine: nuclei,
      expected: [[address, "complete", ["periscan-redis-open@tcp:18405", "periscan-ftp-anonymous@tcp:18406"]]],
    },
    { name: "unreachable", of: "a port where nothing listens", engine: nuclei, expected: [[address, "unreachable", []]] },
    { name: "dying", of: "a site that goes down after three requests", engine: nuclei, expected: [[address, "partial", []]] },
    {
      name: "hostile",
      of: "an environment file with markup, control characters, a forged end marker and a forged hit",
      engine: nuclei,
      expected: [[address, "complete", ["periscan-env-file@http:18409/.env"]]],
    },
  ],
  folder: new URL(".", import.meta.url),
  extension: "jsonl",
};

async function* readSample(name: string, output: AsyncIterable<Uint8Array>) {
  const set = findTemplates(ownTemplatesFolder);
  const templates = new Map([...set.templates].map(([path, template]) => [`/templates/${relative(ownTemplatesFolder, path)}`, template]));
  const run: RunFacts = { results: [], requests: [], chosen: 0, loaded: 0, cut: undefined, broken: [] };
  let matches: number | undefined;
  for await (const line of readLines(output, "the sample")) {
    const event = readLog(line.text);
    if (event?.kind === "loaded") run.chosen = run.loaded = event.templates;
    if (event?.kind === "finished") matches = event.matches;
    if (event || line.text.startsWith("[")) continue;
    if (line.text.startsWith('{"template":')) run.requests.push(readRequest(line));
    else run.results.push(...[readResult(line)].filter((result) => result !== undefined));
  }
  if (matches !== run.results.length) throw new ParseError("The end marker is missing, or does not fit the hits.");
  const facts = {
    set,
    templates,
    services: places[name] ?? none,
    runs: [run],
    planned: [],
    answers: [],
    mute: [],
    failing: [],
    gone: [],
    opened: [],
    refused: [],
    known: [],
    udp: [],
    overload: undefined,
  };
  yield { address, outcome: readOutcome(facts) };
}
