import type { Outcome } from "@periscan/contract/outcome.ts";
import { parseAddress } from "@periscan/contract/target-syntax.ts";
import { ParseError } from "../../kit/engine.ts";
import { createXmlReader } from "../../kit/read-xml.ts";
import type { EngineSamples, Sample } from "../../kit/samples.ts";
import { openvas } from "../index.ts";
import { listTcp } from "../judge-ports.ts";
import { Options } from "../options.ts";
import { checkAnswer, createTree, findChild, type OspElement } from "../osp-client.ts";
import { readScanState, readTest } from "../read-answers.ts";
import { readOpenvasXml } from "../read-openvas-xml.ts";
import { type HostReport, readOutcome } from "../read-outcome.ts";
import { Reading } from "../reading.ts";

const oid = (number: number) => `1.3.6.1.4.1.32473.1.${number}`;
const disclosure = `${oid(3)}:8080/tcp`;
const web = "a web server that tells its version";

const scans: Omit<Sample, "engine">[] = [
  { name: "none", of: "a web server that tells no version", expected: [["127.0.0.3", "complete", []]] },
  { name: "one", of: `${web}, over IPv6`, expected: [["::1", "complete", [disclosure]]] },
  {
    name: "many",
    of: `${web} on a host with a second one, a host with none, and an address where no host is`,
    expected: [
      ["127.0.0.2", "complete", [disclosure, `${oid(5)}:general/tcp`]],
      ["127.0.0.3", "complete", []],
      ["10.200.9.9", "unreachable", []],
    ],
  },
  { name: "unreachable", of: "an address where no host is", expected: [["10.200.9.9", "unreachable", []]] },
  { name: "silent", of: "an address where no host is, taken for alive", expected: [["10.200.9.9", "unreachable", []]] },
  { name: "timed-out", of: "a host on which a test ran out of time", expected: [["127.0.0.6", "partial", []]] },
  {
    name: "hostile",
    of: "a banner with markup, control characters and 3,000 letters; and one with the words of the scanner for a dead host, which take a result's severity",
    expected: [
      ["127.0.0.4", "complete", [disclosure]],
      ["127.0.0.5", "partial", []],
    ],
  },
];

/**
 * What openvas-scanner 23.45.1 and ospd-openvas 22.10.6 answered, one answer after the other, each behind its request; recorded between
 * `runOpenvas` and the scanner of test/targets/openvas with its tests.
 */
export const answerSamples: EngineSamples = {
  folder: new URL("osp/", import.meta.url),
  extension: "xml",
  files: scans.map((sample) => ({ ...sample, engine: openvas })),
  read: readConversation,
};

/** The reports that Periscan wrote of the same scans, and two that Greenbone's gvmd gave out by `get_reports`. */
export const reportSamples: EngineSamples = {
  folder: new URL("reports/", import.meta.url),
  extension: "xml",
  files: [
    ...scans.map((sample) => ({ ...sample, engine: openvas })),
    {
      name: "greenbone",
      of: "GMP 22.7 get_reports: a log entry and a result",
      engine: openvas,
      expected: [["127.0.0.1", "complete", ["1.3.6.1.4.1.25623.1.0.990003:8080/tcp"]]],
    },
    {
      name: "foreign-ids",
      of: "GMP 22.7 get_reports of tests that are not Greenbone's: it has their names for ids",
      engine: openvas,
      expected: [["127.0.0.1", "complete", ["Lab: HTTP server exposes its version:8080/tcp"]]],
    },
  ],
  read: (_name, output) => readOpenvasXml(output),
};

const feed = {
  name: "Periscan Test Feed",
  version: "202601020000",
  tests: 6,
  origin: "ours" as const,
  set: "0".repeat(16),
  includes: [],
  dropped: [],
  since: "0".repeat(12),
};

/** As `runOpenvas` reads the answers to its requests. */
async function* readConversation(name: string, output: AsyncIterable<Uint8Array>): AsyncIterable<{ address: string; outcome: Outcome }> {
  const tree = createTree();
  const xml = createXmlReader(tree.handlers);
  for await (const chunk of output) xml.write(chunk);
  xml.end();
  const answers = tree.read().children;
  const list = answers.find((answer) => answer.name === "get_vts_response");
  const tests = new Map((findChild(list, "vts")?.children ?? []).map((vt) => [vt.attributes.id ?? "", readTest(vt)]));
  const alive_test = name === "silent" ? ("consider_alive" as const) : ("ping" as const);
  const options = Options.parse({ ports: name === "one" ? "8080" : "8070-8100", alive_test });
  const expected = scans.find((sample) => sample.name === name)?.expected ?? [];
  const reading = new Reading(expected.map(([address]) => parseAddress(address) ?? ""));
  const describe = (report: HostReport) => ({
    address: report.address,
    outcome: readOutcome(report, {
      options,
      feed,
      tests,
      errors: reading.errors,
      notes: [],
      look: { asked: listTcp(report.results), open: listTcp(report.results) },
    }),
  });
  for (const answer of answers.filter(isPolled)) {
    const state = readScanState(checkAnswer(answer));
    reading.take(state);
    yield* reading.takeEnded().map(describe);
    if (state.status === "finished") return yield* reading.takeRest().map(describe);
  }
  throw new ParseError("The scan has no end.");
}

const isPolled = (answer: OspElement): boolean => answer.name === "get_scans_response" && findChild(findChild(answer, "scan"), "progress") !== undefined;
