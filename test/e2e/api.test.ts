import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Scan } from "@periscan/contract/scan.ts";
import { expect, test } from "vitest";
import { addressOf, startHosts, whyNoHosts } from "../hosts/start-hosts.ts";
import { all, startTestPlatform, until } from "../platform.ts";

const run = promisify(execFile);
const documentedKeys = ["id", "type", "state", "progress", "results", "requested_targets", "resolved_targets", "skipped_targets", "risks"];

test("the documented call by curl scans, and every state and file is as documented", async () => {
  await using platform = await startTestPlatform();
  const key = `X-HOSTEDSCAN-API-KEY: ${platform.apiKey}`;
  const curl = async (...args: string[]) => (await run("curl", ["-s", "-H", key, ...args], { maxBuffer: 2 ** 26 })).stdout;
  const created = await curl(
    ...["-H", "Content-Type: application/json", "--request", "POST"],
    ...["--data", '{"targets": ["127.0.0.1", "localhost"], "type": "NMAP"}', `${platform.url}/v1/scans`],
  );
  const { data } = JSON.parse(created) as { data: Scan };
  expect(created).toMatch(/^\{"data":\{"id":"/);
  expect(Object.keys(data).slice(0, documentedKeys.length)).toEqual(documentedKeys);
  const states = new Set([data.state]);
  const progress: number[] = [];
  const ended = await until(
    async () => {
      const scan = (JSON.parse(await curl(`${platform.url}/v1/scans/${data.id}`)) as { data: Scan }).data;
      states.add(scan.state);
      progress.push(scan.progress);
      return scan.state !== "QUEUED" && scan.state !== "RUNNING" && scan;
    },
    { seconds: 200, what: "the end of the scan" },
  );
  expect([...states]).toEqual(["QUEUED", "RUNNING", "SUCCEEDED"]);
  expect(progress).toEqual(progress.toSorted((a, b) => a - b));
  expect(ended.resolved_targets.map(({ resolved_target }) => resolved_target)).toEqual(["127.0.0.1", "127.0.0.1"]);
  expect(ended.results.map(({ content_type }) => content_type).sort()).toEqual(["application/json", "application/pdf", "application/xml", "text/html"]);
  const starts: Record<string, string> = { "application/json": "{", "application/pdf": "%PDF-", "application/xml": "<?xml", "text/html": "<!doctype html>" };
  for (const { result_id, content_type } of ended.results) {
    for (const path of ["results", "scans/results"]) {
      const answer = await fetch(`${platform.url}/v1/${path}/${result_id}`, { headers: { "X-HOSTEDSCAN-API-KEY": platform.apiKey } });
      expect([answer.status, answer.headers.get("content-type")?.split(";")[0]]).toEqual([200, content_type]);
      expect(answer.headers.get("content-disposition")).toMatch(/^attachment; filename="nmap-[0-9a-f-]+\.(json|pdf|xml|html)"$/);
      expect((await answer.text()).startsWith(starts[content_type] ?? "?")).toBe(true);
    }
  }
});

test.skipIf(whyNoHosts())("a risk is new, stays, is closed on evidence, and is kept while its host does not answer", async () => {
  const network = 21;
  const address = addressOf(network, 1);
  const withPorts = (...ports: number[]) => [{ address, tcp: Object.fromEntries(ports.map((port) => [port, "220 ready\r\n"])) }];
  await using hosts = await startHosts({ network, hosts: withPorts(21, 1021) });
  await using platform = await startTestPlatform();
  const scan = async () => {
    const { id } = await platform.client.scans.create({ type: "NMAP", targets: [address], options: { ports: "1-2000", service_detection: false } });
    return platform.client.waitForScan(id);
  };
  const ports = async (ids: { risk_id: string }[]) =>
    Promise.all(ids.map(async ({ risk_id }) => (await platform.client.risks.get(risk_id)).risk_definition.additional_info.port));
  const first = await scan();
  expect(new Set(await ports(first.risks.new_open))).toEqual(new Set([21, 1021]));
  await hosts.replace([]);
  const gone = await scan();
  expect(gone).toMatchObject({ state: "FAILED", error: { code: "scan.unreachable" }, risks: { new_open: [], still_open: [], closed: [] } });
  expect((await all(platform.client.risks.list({ status: ["OPEN"] }))).length).toBe(2);
  await hosts.replace(withPorts(21));
  const second = await scan();
  expect([await ports(second.risks.still_open), await ports(second.risks.closed), second.risks.new_open]).toEqual([[21], [1021], []]);
});
