import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";
import { EngineError, type RunContext } from "../kit/engine.ts";
import { TcpOptions, UdpOptions } from "./options.ts";
import { runNmap } from "./run.ts";

/** Nmap must find a port that listens on loopback, and must call the one beside it closed. */
export async function testTcp(context: RunContext): Promise<string> {
  const server = createServer((socket) => socket.on("error", () => {}).end("220 ready\r\n")).listen(0, "127.0.0.1");
  try {
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    return await expectOpen("NMAP", TcpOptions.parse({ ports: `${port}`, service_detection: false }), `tcp/${port}`, context);
  } finally {
    server.close();
  }
}

export async function testUdp(context: RunContext): Promise<string> {
  const socket = createSocket("udp4");
  socket.on("message", (_message, from) => socket.send("ready", from.port, from.address));
  try {
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    const { port } = socket.address();
    return await expectOpen("NMAP_UDP", UdpOptions.parse({ ports: `${port}`, service_detection: false }), `udp/${port}`, context);
  } finally {
    socket.close();
  }
}

async function expectOpen(type: "NMAP" | "NMAP_UDP", options: Record<string, unknown>, scope: string, context: RunContext): Promise<string> {
  const address = "127.0.0.1";
  const target = { targetId: "self-test", target: { kind: "address" as const, text: address, host: address }, address, known: [] };
  for await (const event of runNmap({ type, options, targets: [target] }, context)) {
    if (event.kind === "outcome" && event.outcome.detections.some((seen) => seen.scope === scope)) return `saw the open port ${scope}`;
  }
  throw new EngineError("engine.self_test_failed", `Nmap did not see the port ${scope} of this machine, which is open.`, { retry: false });
}
