import { once } from "node:events";
import { createServer } from "node:net";
import { EngineError, type RunContext } from "../kit/engine.ts";
import { portFamilies } from "./look-again.ts";
import { Options } from "./options.ts";
import { runOpenvas } from "./run.ts";
import { readOwnScanner } from "./settings.ts";
import { useScanner } from "./use-scanner.ts";

/**
 * The installed scanner must see a port that listens on loopback. The user's own may stand elsewhere, where our loopback is another: it must
 * answer, and have its tests.
 */
export async function selfTest(context: RunContext): Promise<string> {
  if (readOwnScanner()) {
    const { version, feed, release } = await useScanner(context);
    release();
    return `${version} answers and has the tests of ${feed.name} ${feed.version}`;
  }
  const server = createServer((socket) => socket.on("error", () => {}).end("HTTP/1.0 200 OK\r\nServer: Periscan\r\nContent-Length: 0\r\n\r\n")).listen(
    0,
    "127.0.0.1",
  );
  try {
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    return await expectPort(port, context);
  } finally {
    server.close();
  }
}

async function expectPort(port: number, context: RunContext): Promise<string> {
  const address = "127.0.0.1";
  const options = Options.parse({ ports: `${port}`, alive_test: "consider_alive", min_qod: 0 });
  const targets = [{ targetId: "self-test", target: { kind: "address" as const, text: address, host: address }, address, known: [] }];
  for await (const event of runOpenvas({ type: "OPENVAS", options, targets }, context, { families: portFamilies })) {
    if (event.kind === "outcome" && event.outcome.observations?.some(({ scope }) => scope === `${port}/tcp`)) return `saw the open port ${port}/tcp`;
  }
  throw new EngineError("engine.self_test_failed", `OpenVAS did not see the port ${port}/tcp of this machine, which is open.`, { retry: false });
}
