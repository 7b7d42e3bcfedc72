/** How templates reach a target. Others (dns, whois, code, file, headless, websocket, workflows) ask elsewhere or run programs, and never run. */
export const protocols = ["http", "tcp", "ssl", "javascript"] as const;
export type Protocol = (typeof protocols)[number];
