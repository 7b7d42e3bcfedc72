import type { Block } from "@periscan/contract/block.ts";
import { z } from "zod";
import { ParseError } from "../kit/engine.ts";

/** The evidence of an open port, as Nmap gave it. */
export const Detail = z.object({
  protocol: z.enum(["tcp", "udp"]),
  port: z.int(),
  /** Nmap's word for what answered, such as `syn-ack`. */
  reason: z.string(),
  service: z
    .object({
      name: z.string(),
      product: z.string().optional(),
      version: z.string().optional(),
      extraInfo: z.string().optional(),
      tunnel: z.string().optional(),
      method: z.string(),
      confidence: z.number(),
      cpe: z.array(z.string()),
    })
    .optional(),
});
export type Detail = z.infer<typeof Detail>;

/** Nmap's reasons in words; https://nmap.org/book/man-port-scanning-basics.html names them. */
const reasons: Record<string, string> = {
  "syn-ack": "The port accepted a connection (SYN/ACK)",
  "conn-accept": "The port accepted a connection",
  "udp-response": "The port answered a datagram",
  "proto-response": "The port answered",
};

/** The facts of an open port as one table. */
export function view(value: unknown): Block[] {
  const parsed = Detail.safeParse(value);
  if (!parsed.success) throw new ParseError("This is not the evidence of an open port.", { cause: parsed.error });
  const { protocol, port, reason, service } = parsed.data;
  const rows: [string, string][] = [
    ["Port", `${port}/${protocol}`],
    ["Evidence", reasons[reason] ?? reason],
  ];
  if (service) rows.push(["Service", service.tunnel === "ssl" ? `${service.name} over TLS` : service.name]);
  if (service?.product) rows.push(["Product", [service.product, service.version].filter(Boolean).join(" ")]);
  if (service?.extraInfo) rows.push(["More", service.extraInfo]);
  if (service && service.cpe.length > 0) rows.push(["CPE", service.cpe.join("\n")]);
  if (service) rows.push(["Detection", service.method === "probed" ? `The service answered (confidence ${service.confidence} of 10)` : "By port number alone"]);
  return [{ type: "facts", rows }];
}
