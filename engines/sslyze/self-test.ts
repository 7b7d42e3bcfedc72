import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:tls";
import { EngineError, type RunContext } from "../kit/engine.ts";
import { makeCertificate } from "./make-certificate.ts";
import { SslyzeOptions } from "./options.ts";
import { runSslyze } from "./run.ts";

/** SSLyze must see that a server on loopback signs its own certificate and does not speak TLS 1.3, and must come to an end with it. */
export async function selfTest(context: RunContext): Promise<string> {
  const address = "127.0.0.1";
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const cert = makeCertificate({ name: "periscan-self-test", key: privateKey, names: [address] });
  const server = createServer({ key: privateKey.export({ type: "pkcs8", format: "pem" }), cert, maxVersion: "TLSv1.2" }, (socket) =>
    socket.on("error", () => {}).end(),
  );
  server.on("tlsClientError", () => {});
  try {
    await once(server.listen(0, address), "listening");
    const { port } = server.address() as { port: number };
    const target = { targetId: "self-test", target: { kind: "service" as const, text: `${address}:${port}`, host: address, port }, address, known: [] };
    for await (const event of runSslyze({ type: "SSLYZE", options: SslyzeOptions.parse({}), targets: [target] }, context)) {
      if (event.kind !== "outcome") continue;
      const seen = new Set(event.outcome.detections.map(({ key }) => key.split("/").at(-1)));
      if (event.outcome.kind === "complete" && seen.has("certificate-self-signed") && seen.has("no-tls-1.3"))
        return "saw a self-signed certificate and that TLS 1.3 is missing";
      throw failed(event.outcome.reason ?? `it saw ${[...seen].join(", ") || "nothing"}.`);
    }
    throw failed("it said nothing.");
  } finally {
    server.close();
  }
}

const failed = (why: string) => new EngineError("engine.self_test_failed", `SSLyze did not see what a TLS server of this machine is: ${why}`, { retry: false });
