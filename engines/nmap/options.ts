import type { ScanType } from "@periscan/contract/scan.ts";
import { z } from "zod";
import { formatPorts, parsePorts } from "../kit/port-list.ts";

const Ports = z
  .string()
  .max(5000)
  .transform((text, context) => {
    const ranges = parsePorts(text);
    if (ranges) return formatPorts(ranges);
    context.addIssue({ code: "custom", message: "give ports from 1 to 65535, such as 22,80,8000-9000" });
    return z.NEVER;
  });

const optionsWith = (hostTimeoutMinutes: number) =>
  z.strictObject({
    ports: Ports.optional().describe("Ports to scan, such as `22,80,8000-9000`. TCP: all by default. UDP: Nmap's 1,000 most common."),
    service_detection: z.boolean().default(true).describe("Ask open ports what they are."),
    host_discovery: z
      .boolean()
      .default(true)
      .describe("Look first whether a host answers at all. Off: every port of every target is probed, however long that takes."),
    timing: z.int().min(1).max(4).default(4).describe("Nmap's timing template: 4 is quick, 1 is careful."),
    host_timeout_minutes: z.int().min(1).max(1440).default(hostTimeoutMinutes).describe("A host that takes longer is cut short and its outcome is partial."),
  });

/** A filtered host takes about 20 minutes for all TCP ports; a host that limits its ICMP answers about as long for 1,000 UDP ports. */
export const TcpOptions = optionsWith(90);
export const UdpOptions = optionsWith(120);

export type NmapOptions = z.infer<typeof TcpOptions>;

export const isUdp = (type: ScanType): boolean => type === "NMAP_UDP";
