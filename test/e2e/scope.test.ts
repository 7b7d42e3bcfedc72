import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import type { ScanType } from "@periscan/contract/scan.ts";
import { expect, test } from "vitest";
import { startTestPlatform } from "../platform.ts";
import { labPlugins } from "../targets/openvas/openvas-lab.ts";
import { startTlsServers } from "../targets/tls-servers.ts";

const address = "127.0.0.1";
/** Another address of this machine, so that nothing but a wrong turn leads there. */
const elsewhere = "127.0.0.9";

test("a site whose links, redirects, headers and certificate point elsewhere leads no engine there", async () => {
  let visits = 0;
  const listener = createServer((socket) => {
    visits += 1;
    socket.on("error", () => {}).destroy();
  }).listen(0, elsewhere);
  await once(listener, "listening");
  const place = `${elsewhere}:${(listener.address() as AddressInfo).port}`;
  const site = createHttpServer((request, response) => {
    const headers = {
      "content-type": "text/html",
      link: `<http://${place}/style>; rel=stylesheet`,
      "content-security-policy": `report-uri http://${place}/csp`,
    };
    if (request.url?.startsWith("/go")) response.writeHead(302, { ...headers, location: `http://${place}/redirected` }).end();
    else response.writeHead(200, headers).end(makePage(place));
  }).listen(0, address);
  await once(site, "listening");
  const sitePort = (site.address() as AddressInfo).port;
  const tls = await startTlsServers([{ address, port: 0, pointsTo: place }]);
  const wanted: [ScanType, string, Record<string, unknown>][] = [
    ["NMAP", address, { ports: `${sitePort},${tls.ports[0]}` }],
    ["SSLYZE", `${address}:${tls.ports[0]}`, {}],
    ["OWASP_ZAP", `http://${address}:${sitePort}/`, {}],
    ["OWASP_ZAP", `https://${address}:${tls.ports[0]}/`, {}],
    ["OWASP_ZAP_ACTIVE", `http://${address}:${sitePort}/`, { max_minutes: 2 }],
    ["NUCLEI", `http://${address}:${sitePort}/`, {}],
    ["NUCLEI", `https://${address}:${tls.ports[0]}/`, {}],
    ...(process.geteuid?.() === 0 ? ([["OPENVAS", address, { ports: `${sitePort},${tls.ports[0]}` }]] as [ScanType, string, Record<string, unknown>][]) : []),
  ];
  try {
    await using platform = await startTestPlatform({ environment: { PERISCAN_OPENVAS_FEED: labPlugins } });
    const ids = await Promise.all(wanted.map(async ([type, target, options]) => (await platform.client.scans.create({ type, targets: [target], options })).id));
    const ends = await Promise.all(ids.map((id) => platform.client.waitForScan(id)));
    // Each looked at its target, so that each had the chance.
    for (const { type, targets } of ends) expect([type, targets[0]?.outcome], targets[0]?.reason).toEqual([type, expect.stringMatching(/complete|partial/)]);
    expect(visits).toBe(0);
  } finally {
    listener.close();
    site.close();
    site.closeAllConnections();
    await tls[Symbol.asyncDispose]();
  }
});

const makePage = (place: string) => `<!DOCTYPE html>
<html><head><title>Elsewhere</title><base href="http://${place}/base/"><link rel="stylesheet" href="http://${place}/a.css">
<meta http-equiv="refresh" content="60; url=http://${place}/refresh"><script src="http://${place}/a.js"></script></head>
<body><a href="http://${place}/link">link</a> <a href="//${place}/bare">bare</a> <a href="/go?next=http://${place}/">go</a> <a href="page">page</a>
<form action="http://${place}/form"><input name="q" value="1"></form><form method="post" action="http://${place}/post"><input name="q" value="1"></form>
<iframe src="http://${place}/frame"></iframe><img src="http://${place}/a.png" alt=""><!-- http://${place}/comment --></body></html>`;
