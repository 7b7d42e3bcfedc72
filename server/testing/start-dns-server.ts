import { createSocket } from "node:dgram";
import { once } from "node:events";

export interface TestDnsServer extends AsyncDisposable {
  /** For `Resolver.setServers`. */
  address: string;
  questions: string[];
}

/** A real name server on loopback. `answer` gives the IPv4 addresses of a name; of none, none is known. It never answers where that is undefined. */
export async function startDnsServer(
  answer: (name: string, question: number) => string[] | undefined,
  /** The TXT records of a name, each in its parts. */
  texts: (name: string) => string[][] = () => [],
): Promise<TestDnsServer> {
  const socket = createSocket("udp4");
  const questions: string[] = [];
  socket.on("message", (query, { address, port }) => {
    const { name, end } = readName(query);
    if (query.readUInt16BE(end) === typeText) {
      socket.send(makeTextAnswer(query.subarray(0, end + 4), texts(name)), port, address);
      return;
    }
    const isA = query.readUInt16BE(end) === 1;
    if (isA) questions.push(name);
    const addresses = isA ? answer(name, questions.length) : [];
    if (addresses) socket.send(makeAnswer(query.subarray(0, end + 4), addresses), port, address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return {
    address: `127.0.0.1:${socket.address().port}`,
    questions,
    [Symbol.asyncDispose]: async () => {
      socket.close();
    },
  };
}

const typeText = 16;

function readName(query: Buffer): { name: string; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join(".").toLowerCase(), end: at + 1 };
}

/** RFC 1035: header, the question again, one A record for each address, whose name points at the question's. */
function makeAnswer(question: Buffer, addresses: string[]): Buffer {
  return joinAnswer(
    question,
    addresses.map((address) => Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split(".").map(Number)])),
  );
}

function makeTextAnswer(question: Buffer, texts: string[][]): Buffer {
  return joinAnswer(
    question,
    texts.map((parts) => {
      const data = Buffer.concat(parts.map((part) => Buffer.concat([Buffer.of(part.length), Buffer.from(part, "latin1")])));
      return Buffer.concat([Buffer.from([0xc0, 12, 0, typeText, 0, 1, 0, 0, 0, 0, data.length >> 8, data.length & 255]), data]);
    }),
  );
}

function joinAnswer(question: Buffer, records: Buffer[]): Buffer {
  const header = Buffer.from(question.subarray(0, 12));
  header.writeUInt16BE(0x8180, 2);
  header.writeUInt16BE(records.length, 6);
  header.writeUInt32BE(0, 8);
  return Buffer.concat([header, question.subarray(12), ...records]);
}
