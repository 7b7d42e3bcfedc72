import { readFileSync } from "node:fs";
import { findEngineAccount } from "./engine-account.ts";

/** One end of a connection on loopback, and the port of the other. */
export interface Peer {
  protocol: "tcp" | "udp";
  /** Of whoever calls. */
  port: number;
  /** Of the listener that asks. */
  listener: number;
}

/**
 * Whether whoever calls a listener on IPv4's loopback runs as the account of engines, or as this process does: what a listener asks that shares no secret with
 * its caller. The kernel lists each socket with its user: /proc/net/tcp and /proc/net/udp, proc(5).
 */
export function isOwnPeer({ protocol, port, listener }: Peer): boolean {
  const own = [process.geteuid?.(), findEngineAccount()?.uid];
  const rows = readFileSync(`/proc/net/${protocol}`, "latin1").split("\n").slice(1);
  const users = rows.flatMap((row) => {
    const [, local = "", remote = "", state = "", , , , uid] = row.trim().split(/\s+/);
    return local.endsWith(toHex(port)) && isOpen[protocol](state, remote.endsWith(toHex(listener))) ? [Number(uid)] : [];
  });
  return users.length > 0 && users.every((uid) => own.includes(uid));
}

const toHex = (port: number): string => `:${port.toString(16).toUpperCase().padStart(4, "0")}`;

/** By the states of the kernel's include/net/tcp_states.h: 01 established; 07 closed, which is what a UDP socket is that sends without a connection. */
const isOpen = {
  tcp: (state: string, isToUs: boolean) => state === "01" && isToUs,
  udp: (state: string, isToUs: boolean) => state === "07" || isToUs,
};
