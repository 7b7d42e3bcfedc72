import type { EngineSamples, Sample } from "../../kit/samples.ts";
import { sslyze } from "../index.ts";
import { readOutcome } from "../read-outcome.ts";
import { readSslyzeJson } from "../read-sslyze-json.ts";

const keys = (port: number, ...risks: string[]) => risks.map((risk) => `tcp/${port}/${risk}`);
const weak = ["tls-1.0", "tls-1.1", "cipher-null", "cipher-anonymous", "weak-dh"];
const weakCertificate = ["certificate-sha1", "certificate-weak-key", "certificate-untrusted"];

/** Short for a sample of one server. */
const one = (name: string, of: string, address: string, kind: Sample["expected"][number][1], seen: string[] = []): Sample => ({
  name,
  of,
  engine: sslyze,
  expected: [[address, kind, seen]],
});

/**
 * SSLyze 6.3.1, `sslyze --json_out=FILE SERVER…` with its usual commands (Mozilla's intermediate profile) where nothing else is said. Shortened
 * by hand: lists of refused cipher suites and object identifiers are cut, some certificates have no text, and paths read `<venv>`.
 */
export const samples: EngineSamples = {
  folder: new URL(".", import.meta.url),
  extension: "json",
  files: [
    one("none", "a sound server, every command, with the CA file of its authority", "tls.test:4450", "complete"),
    one("modern-mozilla-compliant-with-ca-file", "a server as Mozilla's intermediate profile wants it, with a CA file", "good.lab.test:4430", "complete"),
    one(
      "modern-default-openssl",
      "OpenSSL's own defaults, and an authority that nobody knows",
      "good.lab.test:4431",
      "complete",
      keys(4431, "certificate-untrusted"),
    ),
    one("expired", "an expired certificate that signs itself", "localhost:4432", "complete", keys(4432, "certificate-expired", "certificate-self-signed")),
    one("wrong", "a certificate for another name", "localhost:4434", "complete", keys(4434, "certificate-name")),
    one("weak", "old versions, no encryption, no certificate, short keys", "localhost:4433", "complete", keys(4433, ...weak, ...weakCertificate)),
    one("weak-full-command-set", "the same with every command", "localhost:4433", "complete", keys(4433, ...weak, "no-hsts", ...weakCertificate)),
    one(
      "hostile",
      "a certificate whose names hold markup, escapes, line breaks and 5,000 letters",
      "tls.test:4451",
      "complete",
      keys(4451, "certificate-name"),
    ),
    one("client-certificate", "a server that wants a certificate of its clients", "tls.test:4454", "partial", keys(4454, "certificate-untrusted")),
    {
      name: "starttls",
      of: "--starttls=smtp: a server that offers it, one that does not, and one that stays silent",
      engine: sslyze,
      expected: [
        ["tls.test:4452", "complete", []],
        ["tls.test:4453", "complete", keys(4453, "no-starttls")],
        ["tls.test:4455", "unreachable", []],
      ],
    },
    one("closed", "a closed port", "localhost:4439", "unreachable"),
    one("filtered", "a port whose packets are dropped", "10.78.2.1:443", "unreachable"),
    one("plain", "plain HTTP", "localhost:4435", "unreachable"),
    one("tarpit", "a port that accepts and stays silent", "localhost:4436", "unreachable"),
    one("server-dies-mid-scan", "a server that closes its port after some connections", "localhost:4437", "partial"),
    { name: "unresolvable", of: "a name that does not resolve", engine: sslyze, expected: [["nonexist.invalid:443", "unreachable", []]] },
    {
      name: "multi-target",
      of: "seven servers with three commands each: one does not resolve, one is closed, one is plain HTTP",
      engine: sslyze,
      expected: [
        ["nonexist.invalid:443", "unreachable", []],
        ["localhost:4439", "unreachable", []],
        ["localhost:4435", "unreachable", []],
        ...([4433, 4434, 4432] as const).map((port): Sample["expected"][number] => [`localhost:${port}`, "partial", []]),
        ["good.lab.test:4430", "partial", []],
      ],
    },
  ],
  read: readSample,
};

async function* readSample(_name: string, output: AsyncIterable<Uint8Array>) {
  const { servers, invalid, completedAt } = await readSslyzeJson(output);
  for (const { server, message } of invalid) yield { address: server, outcome: { kind: "unreachable" as const, reason: message, notes: [], detections: [] } };
  for (const { result } of servers) {
    const { port, hostname } = result.server_location;
    const facts = { at: completedAt, profile: "none" as const, mustSpeakHttp: false };
    yield { address: `${hostname}:${port}`, outcome: readOutcome([{ kind: "read", port, result, facts }]) };
  }
}
