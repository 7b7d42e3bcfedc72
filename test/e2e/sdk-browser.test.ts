import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { sign } from "../../server/receivers/sign.ts";
import { keepWorking, startTestServer } from "../../server/testing/start-test-server.ts";
import { findBrowser } from "../../worker/login/find-browser.ts";
import { installSdk } from "../install-sdk.ts";

const chromium = findBrowser();

const page = `<!doctype html><script type="module">
import { ApiError, createClient, verifyWebhook } from "/sdk/index.js";

async function run({ server, apiKey, webhook }) {
  const periscan = createClient({ server, apiKey });
  const started = await periscan.scans.create({ type: "NMAP", targets: ["198.51.100.7"], options: { ports: "1-1000" } });
  const scan = await periscan.waitForScan(started.id, { intervalMilliseconds: 50 });
  const titles = [];
  for await (const risk of periscan.risks.list({ scan_id: [scan.id] })) titles.push(risk.risk_definition.title);
  const pdf = scan.results.find(({ content_type }) => content_type === "application/pdf");
  const { fileName, body } = await periscan.results.download(pdf.result_id);
  const beginning = (await new Response(body).text()).slice(0, 5);
  const source = await periscan.sources.create({ source_type: "IMPORTED", name: "A browser" });
  const imported = await periscan.results.import({ type: "NMAP", sourceId: source.id, file: new Blob(["<nmaprun/>"]) });
  const refused = await periscan.scans.get("nobody").catch((error) => (error instanceof ApiError ? error.code + " " + /^[0-9a-f-]{36}$/.test(error.requestId) : String(error)));
  const event = await verifyWebhook(webhook);
  return { state: scan.state, titles, isPdf: fileName.endsWith(".pdf") && beginning === "%PDF-", imported: imported.state, refused, event: event.id };
}

const say = (path, value) => fetch(path, { method: "POST", body: JSON.stringify(value) });
run(await (await fetch("/settings")).json()).then((seen) => say("/seen", seen), (error) => say("/seen", { error: String(error) }));
</script>`;

/** Serves the page and the published files of the SDK, and resolves with what the page says. */
async function servePage(sdk: string) {
  const settings = { value: {} };
  const said = Promise.withResolvers<unknown>();
  const files = createServer(async (request, response) => {
    const { url = "" } = request;
    if (url === "/seen") said.resolve(JSON.parse(await text(request)));
    const [type, content] = url.startsWith("/sdk/")
      ? ["text/javascript", readFileSync(join(sdk, url.slice("/sdk/".length)))]
      : url === "/settings"
        ? ["application/json", JSON.stringify(settings.value)]
        : ["text/html", page];
    response.writeHead(200, { "content-type": type }).end(content);
  });
  await new Promise<void>((resolve) => files.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(files.address() as AddressInfo).port}`,
    settings,
    said: said.promise,
    [Symbol.dispose]() {
      files.closeAllConnections();
      files.close();
    },
  };
}

test.skipIf(chromium === undefined)("the published package runs in a browser, from a page of an origin that the operator named", async () => {
  const folder = mkdtempSync(join(tmpdir(), "periscan-browser-"));
  try {
    await installSdk(folder);
    using served = await servePage(join(folder, "node_modules", "@periscan", "sdk"));
    await using server = await startTestServer({ http: { corsOrigins: [served.origin], sampleData: true, allowedHosts: [], metricsToken: undefined } });
    const stopWorking = keepWorking(server);
    const [timestamp, body] = [`${Date.now()}`, '{"id":"an-event-id","type":"scan.created","data":{}}'];
    const headers = { "x-hostedscan-timestamp": timestamp, "x-hostedscan-signature": sign("example-secret", timestamp, body) };
    served.settings.value = { server: server.url, apiKey: server.apiKey, webhook: { body, headers, secret: "example-secret" } };
    const options = [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--remote-debugging-port=0",
      `--user-data-dir=${folder}/profile`,
    ];
    const browser = spawn(chromium ?? "", [...options, served.origin], { stdio: "ignore" });
    const ended = once(browser, "exit");
    try {
      expect(await Promise.race([served.said, ended.then(() => "the browser ended")])).toEqual({
        state: "SUCCEEDED",
        titles: ["Open TCP Port: 22"],
        isPdf: true,
        imported: "QUEUED",
        refused: "scan.not_found true",
        event: "an-event-id",
      });
    } finally {
      browser.kill();
      await ended;
      await stopWorking();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
});
