import { once } from "node:events";
import { createServer } from "node:http";
import { EngineError, type RunContext } from "../kit/engine.ts";
import { findTemplates, ownTemplatesFolder } from "./find-templates.ts";
import { Options } from "./options.ts";
import { runNuclei } from "./run.ts";

/** Nuclei must see the Git repository that a site on loopback serves. */
export async function selfTest(context: RunContext): Promise<string> {
  const server = createServer((request, response) => {
    const found = request.url === "/.git/config";
    response.writeHead(found ? 200 : 404, { "content-type": "text/plain" });
    response.end(found ? "[core]\n\trepositoryformatversion = 0\n" : "nothing\n");
  }).listen(0, "127.0.0.1");
  try {
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    return await expectHit(port, context);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

async function expectHit(port: number, context: RunContext): Promise<string> {
  const set = findTemplates();
  // The official set has a template of this id for the same file.
  const id = set.folder === ownTemplatesFolder ? "periscan-git-config" : "git-config";
  if (![...set.templates.values()].some((template) => template.id === id)) return `has ${set.templates.size} templates, none of which it could try on itself`;
  const address = "127.0.0.1";
  const target = { kind: "url" as const, text: `http://${address}:${port}/`, host: address, port, scheme: "http" as const, path: "/" };
  const task = { type: "NUCLEI" as const, options: Options.parse({ template_ids: [id] }), targets: [{ targetId: "self-test", target, address, known: [] }] };
  for await (const event of runNuclei(task, context)) {
    if (event.kind === "outcome" && event.outcome.detections.length > 0) return "saw the Git repository that a site of its own serves";
  }
  throw new EngineError("engine.self_test_failed", "Nuclei did not see the Git repository that a site on this machine serves.", { retry: false });
}
