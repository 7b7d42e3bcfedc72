import { createSocket } from "node:dgram";
import { once } from "node:events";
import { isIPv6 } from "node:net";
import { isOwnPeer } from "../kit/identify-peer.ts";

export interface ScopeResolver {
  /** For Nuclei's list of resolvers: `127.0.0.1:port`. */
  address: string;
  close(): Promise<void>;
}

const typeA = 1;
const typeAaaa = 28;
const nameError = 3;

/**
 * A DNS server on loopback (RFC 1035, part 4) that knows one name and gives the pinned address for it. Nuclei looks names up by itself, at public
 * resolvers where it is given none: that would tell them what is scanned, and bring an address that nobody checked.
 */
export async function startScopeResolver({ host, address }: { host: string; address: string }): Promise<ScopeResolver> {
  const socket = createSocket("udp4");
  socket.on("message", (query, from) => {
    // Another user of the machine must not learn from it what is scanned.
    const reply = isOwnPeer({ protocol: "udp", port: from.port, listener: socket.address().port }) ? answerQuery(query, { host, address }) : undefined;
    if (reply) socket.send(reply, from.port, from.address, () => {});
  });
  socket.on("error", () => {});
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const close = async () => {
    const closed = once(socket, "close");
    socket.close();
    await closed;
  };
  return { address: `127.0.0.1:${socket.address().port}`, close };
}

/** The answer to a query of one question; undefined where it is none. */
export function answerQuery(query: Buffer, { host, address }: { host: string; address: string }): Buffer | undefined {
  const question = readQuestion(query);
  if (!question) return undefined;
  const knows = question.name.toLowerCase() === host.toLowerCase().replace(/\.$/, "");
  const type = isIPv6(address) ? typeAaaa : typeA;
  const data = knows && question.type === type ? packAddress(address) : undefined;
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  // A response, with the asked recursion, which is available.
  header.writeUInt16BE(0x8180 | (knows ? 0 : nameError), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(data ? 1 : 0, 6);
  if (!data) return Buffer.concat([header, query.subarray(12, question.end)]);
  const record = Buffer.alloc(12);
  // A pointer to the question's name, type, class IN, a minute to live, length.
  record.writeUInt16BE(0xc00c, 0);
  record.writeUInt16BE(type, 2);
  record.writeUInt16BE(1, 4);
  record.writeUInt32BE(60, 6);
  record.writeUInt16BE(data.length, 10);
  return Buffer.concat([header, query.subarray(12, question.end), record, data]);
}

function readQuestion(query: Buffer): { name: string; type: number; end: number } | undefined {
  if (query.length < 17 || query.readUInt16BE(4) !== 1) return undefined;
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    if (length > 63 || at + length + 6 > query.length) return undefined;
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += length + 1;
  }
  if (at + 5 > query.length) return undefined;
  return { name: labels.join("."), type: query.readUInt16BE(at + 1), end: at + 5 };
}

/** The bytes of an IP literal; the URL parser writes the groups of an IPv6 address in one way. */
function packAddress(address: string): Buffer {
  if (!isIPv6(address)) return Buffer.from(address.split(".").map(Number));
  const text = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [head = "", tail] = text.split("::").map((part) => part) as [string, string | undefined];
  const front = head === "" ? [] : head.split(":");
  const back = tail ? tail.split(":") : [];
  const groups = [...front, ...Array.from({ length: tail === undefined ? 0 : 8 - front.length - back.length }, () => "0"), ...back];
  return Buffer.concat(groups.map((group) => Buffer.from(group.padStart(4, "0"), "hex")));
}
