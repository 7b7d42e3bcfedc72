import type { Block } from "@periscan/contract/block.ts";
import { z } from "zod";
import { ParseError } from "../kit/engine.ts";
import { startTlsNames } from "./coverage.ts";
import { startTlsProtocols } from "./plan-ports.ts";

const Line = z.string().max(600);

const Certificate = z.strictObject({
  subject: Line,
  issuer: Line,
  notBefore: z.string().max(40),
  notAfter: z.string().max(40),
  key: z.string().max(200),
  signature: z.string().max(200),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type CertificateDetail = z.infer<typeof Certificate>;

/** What proves a risk: what SSLyze said, the cipher suites or curves in question, the certificates that the server sent. */
export const Detail = z.strictObject({
  port: z.int().min(1).max(65_535),
  startTls: z.enum(startTlsProtocols).optional(),
  /** The name (or the address) that was asked for. */
  server: Line,
  facts: z.array(z.tuple([z.string().max(100), Line])).max(20),
  suites: z.array(z.strictObject({ version: z.string().max(20), name: z.string().max(100), key: z.string().max(100) })).max(100),
  chains: z.array(z.array(Certificate).max(6)).max(3),
  names: z.array(z.string().max(260)).max(50).describe("The names of the certificates in question."),
  list: z.array(Line).max(50).describe("What differs from what was compared with."),
});
export type Detail = z.infer<typeof Detail>;

/** The facts as a table of two columns, then suites, certificates, names and differences, as far as there are any. */
export function view(value: unknown): Block[] {
  const parsed = Detail.safeParse(value);
  if (!parsed.success) throw new ParseError("This is not the evidence of a TLS scan.", { cause: parsed.error });
  const { port, startTls, server, facts, suites, chains, names, list } = parsed.data;
  const blocks: Block[] = [
    {
      type: "facts",
      rows: [["Server", server], ["Port", startTls === undefined ? `${port}/tcp` : `${port}/tcp, ${startTlsNames[startTls]} with STARTTLS`], ...facts],
    },
  ];
  if (suites.length > 0)
    blocks.push({
      type: "table",
      columns: ["Version", "Accepted cipher suite", "Key exchange"],
      rows: suites.map(({ version, name, key }) => [version, name, key]),
    });
  for (const [index, chain] of chains.entries()) blocks.push(...drawChain(chain, index, chains.length));
  if (names.length > 0) blocks.push({ type: "text", text: "Names in the certificate:" }, { type: "list", items: names });
  if (list.length > 0) blocks.push({ type: "list", items: list });
  return blocks;
}

function drawChain(chain: CertificateDetail[], index: number, count: number): Block[] {
  const title =
    count === 1 ? "The certificates that the server sent, its own first:" : `Certificates ${index + 1} of ${count} that the server sent, its own first:`;
  const rows = chain.map(({ subject, issuer, notBefore, notAfter, key, signature, sha256 }) => [
    subject,
    issuer,
    `${notBefore} to ${notAfter}`,
    key,
    signature,
    sha256,
  ]);
  return [
    { type: "text", text: title },
    { type: "table", columns: ["Subject", "Issuer", "Valid (UTC)", "Key", "Signature", "SHA-256"], rows },
  ];
}
