import { once } from "node:events";
import { createServer } from "node:http";
import type { ScanType } from "@periscan/contract/scan.ts";
import { parseTarget } from "@periscan/contract/target-syntax.ts";
import { EngineError, type RunContext } from "../kit/engine.ts";
import { ActiveOptions, PassiveOptions } from "./options.ts";
import { runZap } from "./run.ts";

/** A page without any protective header, and one that gives back what it is sent: ZAP must see the one, and an active scan the other too. */
export async function selfTest(type: ScanType, context: RunContext): Promise<string> {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://127.0.0.1");
    response
      .setHeader("content-type", "text/html")
      .end(`<html><body><a href="/?q=word">Look</a> You looked for ${url.searchParams.get("q") ?? ""}</body></html>`);
  }).listen(0, "127.0.0.1");
  try {
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    return await expectAlerts(type, `http://127.0.0.1:${port}/`, context);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const scripting = "CWE-79";

async function expectAlerts(type: ScanType, url: string, context: RunContext): Promise<string> {
  const parsed = parseTarget(url);
  const target = parsed.ok ? parsed.targets[0] : undefined;
  if (!target) throw new Error(`${url} is no target`);
  const isActive = type === "OWASP_ZAP_ACTIVE";
  const options = (isActive ? ActiveOptions : PassiveOptions).parse({ max_minutes: 2 });
  for await (const event of runZap({ type, options, targets: [{ targetId: "self-test", target, address: target.host, known: [] }] }, context)) {
    if (event.kind !== "outcome") continue;
    const { kind, reason, detections } = event.outcome;
    if (kind !== "complete") throw failed(`ZAP could not look at a page of this machine to the end: ${reason}`);
    if (detections.length === 0) throw failed("ZAP saw nothing wrong with a page that has no protective header at all.");
    const sawScripting = detections.some(({ additional_info: info }) => info.cwe === scripting);
    if (isActive && !sawScripting) throw failed("ZAP's active rules did not see that a page gives back what it is sent (cross-site scripting).");
    return `saw ${detections.length} faults of a page of its own${isActive ? ", cross-site scripting among them" : ""}`;
  }
  throw failed("ZAP said nothing of a page of this machine.");
}

const failed = (message: string) => new EngineError("engine.self_test_failed", message, { retry: false });
