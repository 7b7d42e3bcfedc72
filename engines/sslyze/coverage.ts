import { z } from "zod";
import { startTlsProtocols } from "./plan-ports.ts";

/**
 * What one port can be checked for. A risk's scope is `tcp/PORT/CHECK`: it is closed only where that very check was decided on that port.
 * `mozilla-PROFILE` is one check a profile.
 */
export const checks = [
  "ssl-2.0",
  "ssl-3.0",
  "tls-1.0",
  "tls-1.1",
  "tls-1.2",
  "tls-1.3",
  "cipher-suites",
  "curves",
  "compression",
  "heartbleed",
  "ccs-injection",
  "robot",
  "renegotiation",
  "fallback-scsv",
  "early-data",
  "extended-master-secret",
  "certificate-dates",
  "certificate-name",
  "certificate-trust",
  "certificate-strength",
  "certificate-lifetime",
  "certificate-status",
  "hsts",
  "starttls",
  "service",
  "certificate",
  "mozilla-modern",
  "mozilla-intermediate",
  "mozilla-old",
] as const;
export type Check = (typeof checks)[number];

const PortCoverage = z.object({
  port: z.int().min(1).max(65_535),
  starttls: z.enum(startTlsProtocols).optional().describe("The protocol that TLS began in."),
  checks: z.array(z.enum(checks)).max(checks.length).describe("What was decided there."),
});
export type PortCoverage = z.infer<typeof PortCoverage>;

/** What an outcome looked at: its ports, and on each what was decided. */
export const Coverage = z.object({ ports: z.array(PortCoverage).max(10_000) });
export type Coverage = z.infer<typeof Coverage>;

export const scopeOf = (port: number, check: Check): string => `tcp/${port}/${check}`;

/** Whether the check of a scope (`tcp/443/heartbleed`) was decided on its port. */
export function readCoverage(value: unknown): (scope: string) => boolean {
  const coverage = Coverage.safeParse(value);
  if (!coverage.success) return () => false;
  const decided = new Set(coverage.data.ports.flatMap(({ port, checks }) => checks.map((check) => scopeOf(port, check))));
  return (scope) => decided.has(scope);
}

/** The coverage in words, such as `TLS on port 443; SMTP with STARTTLS on port 25`. */
export function describeCoverage(value: unknown): string {
  const coverage = Coverage.safeParse(value);
  if (!coverage.success) return "";
  if (coverage.data.ports.length === 0) return "No port";
  const groups = Map.groupBy(coverage.data.ports, describeWay);
  return [...groups].map(([way, ports]) => `${way} on port${ports.length === 1 ? "" : "s"} ${ports.map(({ port }) => port).join(", ")}`).join("; ");
}

const describeWay = ({ starttls, checks }: PortCoverage): string => {
  if (starttls === undefined) return "TLS";
  return checks.length === 1 && checks[0] === "starttls"
    ? `the offer of STARTTLS (${startTlsNames[starttls]})`
    : `TLS after STARTTLS (${startTlsNames[starttls]})`;
};

export const startTlsNames: Record<(typeof startTlsProtocols)[number], string> = {
  smtp: "SMTP",
  imap: "IMAP",
  pop3: "POP3",
  ftp: "FTP",
  ldap: "LDAP",
  postgres: "PostgreSQL",
  xmpp: "XMPP",
  xmpp_server: "XMPP between servers",
  rdp: "RDP",
};
