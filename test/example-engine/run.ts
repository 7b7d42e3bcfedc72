import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { EngineError, type EngineEvent, type EngineRunner, type EngineTask, type RunContext } from "@periscan/engines/kit/engine.ts";
import { findProgram } from "@periscan/engines/kit/find-program.ts";
import { installSystemPackage } from "@periscan/engines/kit/install.ts";
import { makeHome } from "@periscan/engines/kit/run-folder.ts";
import { startProcess } from "@periscan/engines/kit/start-process.ts";
import { readGreetings } from "./read-greetings.ts";

const program = fileURLToPath(new URL("scanner.py", import.meta.url));

export const runner: EngineRunner = {
  probe: async () => (findProgram("python3") ? { ready: true, version: "Greeting 1.0" } : { ready: false, missing: "Python is missing: install python3." }),
  install: (context) => installSystemPackage("Python", { "apt-get": ["python3"], dnf: ["python3"], apk: ["python3"] }, context),
  run,
  recognise: (head) => (head.startsWith("greeting") ? "greetings" : undefined),
  // Its output does not name the port: it is taken for the usual one.
  read: async function* (file) {
    for await (const { address, outcome } of readGreetings(file, 21)) yield { target: address, outcome };
  },
  selfTest,
};

async function* run({ targets, options }: EngineTask, { signal, limits, folder }: RunContext): AsyncIterable<EngineEvent> {
  const port = Number(options.port);
  const addresses = [...new Set(targets.map(({ address }) => address))];
  const args = [program, `${port}`, ...addresses];
  const child = startProcess({ title: "Greeting", file: "python3", args, home: makeHome(folder), ...limits, signal });
  let done = 0;
  for await (const { address, outcome, native } of readGreetings(child.output, port)) {
    for (const { targetId } of targets.filter((target) => target.address === address))
      yield { kind: "outcome", targetId, outcome, native: Buffer.from(native) };
    done += 1;
    yield { kind: "progress", fraction: done / addresses.length };
  }
}

async function selfTest(context: RunContext): Promise<string> {
  const server = createServer((socket) => socket.on("error", () => {}).end("220 ready\r\n")).listen(0, "127.0.0.1");
  try {
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    const target = { kind: "address" as const, text: "127.0.0.1", host: "127.0.0.1" };
    const task = { type: "NMAP_UDP" as const, options: { port }, targets: [{ targetId: "self-test", target, address: "127.0.0.1", known: [] }] };
    for await (const event of run(task, context)) if (event.kind === "outcome" && event.outcome.detections.length === 1) return "saw a greeting";
    throw new EngineError("engine.self_test_failed", "The greeting of this machine was not seen.", { retry: false });
  } finally {
    server.close();
  }
}
