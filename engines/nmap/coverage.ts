import { z } from "zod";
import { countPorts, hasPort, maxPort, parsePorts } from "../kit/port-list.ts";

/** What an outcome looked at on its host. */
export const Coverage = z.object({
  protocol: z.enum(["tcp", "udp"]),
  ports: z.string().describe("The ports that were probed, as ranges."),
  answered: z.boolean().describe("Whether any port answered. Where none did, a firewall may hide them all, and nothing is known of any."),
  unsure: z.string().describe("Probed ports of which the probe tells nothing, as ranges: a UDP port that did not answer may be open."),
});
export type Coverage = z.infer<typeof Coverage>;

/** Whether this look would have seen the port of a scope (`tcp/443`) if it were open. */
export function readCoverage(value: unknown): (scope: string) => boolean {
  const coverage = Coverage.safeParse(value);
  if (!coverage.success || !coverage.data.answered) return () => false;
  const ports = parsePorts(coverage.data.ports) ?? [];
  const unsure = parsePorts(coverage.data.unsure) ?? [];
  return (scope) => {
    const [protocol, number] = scope.split("/");
    const port = Number(number);
    return protocol === coverage.data.protocol && hasPort(ports, port) && !hasPort(unsure, port);
  };
}

/** The coverage in words, such as `All 65,535 TCP ports`. */
export function describeCoverage(value: unknown): string {
  const coverage = Coverage.safeParse(value);
  if (!coverage.success) return "";
  const { protocol, ports } = coverage.data;
  const ranges = parsePorts(ports) ?? [];
  const name = protocol.toUpperCase();
  const count = countPorts(ranges);
  if (count === maxPort) return `All ${count.toLocaleString("en")} ${name} ports`;
  if (ranges.length > 6) return `${count.toLocaleString("en")} ${name} ports`;
  return `${name} port${count === 1 ? "" : "s"} ${ports.replaceAll(",", ", ")}`;
}
