import { z } from "zod";
import { formatPorts, parsePorts } from "../kit/port-list.ts";

/** General results depend on all ports together: their scope names them, so the list must be short. */
const maxPortsCharacters = 2000;

const Ports = z
  .string()
  .max(maxPortsCharacters)
  .transform((text, context) => {
    const ranges = parsePorts(text);
    if (ranges) return formatPorts(ranges);
    context.addIssue({ code: "custom", message: "give ports from 1 to 65535, such as 22,80,8000-9000" });
    return z.NEVER;
  });

/** How the scanner finds out whether a host is there, with the methods of OSP. */
export const aliveTests = {
  ping: ["icmp", "tcp_syn"],
  icmp: ["icmp"],
  tcp: ["tcp_syn"],
  arp: ["arp"],
  consider_alive: ["consider_alive"],
} as const;

export const Options = z.strictObject({
  ports: Ports.default("1-65535").describe("TCP ports to scan, such as `22,80,8000-9000`; all by default."),
  udp_ports: Ports.optional().describe("UDP ports to scan as well; none by default, for each that stays silent costs seconds."),
  alive_test: z
    .enum(["ping", "icmp", "tcp", "arp", "consider_alive"])
    .default("ping")
    .describe("How to see whether a host is there: ICMP and TCP (`ping`), one of them, ARP in its own network, or not at all."),
  min_qod: z
    .int()
    .min(0)
    .max(100)
    .default(70)
    .describe("Quality of detection from which a result is a risk, in percent. Those below are counted in a note. 70 is Greenbone's default."),
  test_timeout_seconds: z.int().min(5).max(3600).default(320).describe("A single test that takes longer is ended by the scanner, and the outcome is partial."),
  host_timeout_minutes: z.number().min(0.1).max(2880).default(240).describe("A host that takes longer is cut short and its outcome is partial."),
});
export type OpenvasOptions = z.infer<typeof Options>;
