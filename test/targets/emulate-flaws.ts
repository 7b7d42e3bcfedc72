import { constants, createPrivateKey, type KeyObject, privateDecrypt } from "node:crypto";
import net from "node:net";

// Old OpenSSL cannot be had any more. So a sound server answers everything, except for the one message that a flawed server would answer in
// another way: that answer is given here, on the connection's way.

export type Flaw = "heartbleed" | "ccs-injection" | "robot-strong" | "robot-weak";

const records = { changeCipherSpec: 20, alert: 21, handshake: 22, heartbeat: 24 };
const clientKeyExchange = 16;
const serverHelloDone = Buffer.from([0x0e, 0, 0, 0]);

interface TlsRecord {
  type: number;
  bytes: Buffer;
}

/** Puts the flaw in front of a service that speaks TLS 1.2. `key` is the server's RSA key, for ROBOT. */
export function emulateFlaw(flaw: Flaw, key: string, service: (socket: net.Socket) => void) {
  const privateKey = flaw.startsWith("robot") ? createPrivateKey(key) : undefined;
  const inner = net.createServer((socket) => {
    socket.on("error", () => {});
    service(socket);
  });
  inner.listen(0, "127.0.0.1").unref();
  return (client: net.Socket): void => {
    const server = net.connect({ port: (inner.address() as net.AddressInfo).port, host: "127.0.0.1" });
    server.on("error", () => client.destroy()).on("close", () => client.end());
    client.on("close", () => server.destroy());
    let held: Buffer = Buffer.alloc(0);
    server.on("data", (data: Buffer) => {
      client.write(data);
      if (data.subarray(-4).equals(serverHelloDone)) client.write(held);
    });
    let left = Buffer.alloc(0);
    let before: TlsRecord[] = [];
    client.on("data", (data: Buffer) => {
      left = Buffer.concat([left, data]);
      // The hello of SSL 2.0 is no record.
      if ((left[0] ?? 0) > records.heartbeat) {
        server.write(left);
        left = Buffer.alloc(0);
      }
      for (let record = takeRecord(left); record; record = takeRecord(left)) {
        left = left.subarray(record.bytes.length);
        const answer = answerAsFlawed(flaw, record, before, privateKey);
        before = [...before, record].slice(-4);
        // SSLyze sends its heartbeat without waiting; OpenSSL answered it when it had said its own hello.
        if (answer && record.type === records.heartbeat) held = answer;
        else if (answer) client.write(answer);
        else server.write(record.bytes);
      }
    });
  };
}

function takeRecord(bytes: Buffer): TlsRecord | undefined {
  if (bytes.length < 5) return undefined;
  const length = 5 + bytes.readUInt16BE(3);
  return bytes.length < length ? undefined : { type: bytes.readUInt8(0), bytes: bytes.subarray(0, length) };
}

const makeRecord = (type: number, content: Buffer): Buffer => Buffer.concat([Buffer.from([type, 3, 3, content.length >> 8, content.length & 0xff]), content]);
const fatal = (description: number): Buffer => makeRecord(records.alert, Buffer.from([2, description]));
const [unexpectedMessage, badRecordMac, handshakeFailure] = [10, 20, 40];

function answerAsFlawed(flaw: Flaw, record: TlsRecord, before: TlsRecord[], key: KeyObject | undefined): Buffer | undefined {
  const hasKeyExchange = before.some(({ type, bytes }) => type === records.handshake && bytes[5] === clientKeyExchange);
  if (flaw === "heartbleed" && record.type === records.heartbeat)
    return makeRecord(records.heartbeat, Buffer.concat([Buffer.from([2, 0x3f, 0xfd]), Buffer.alloc(16_000, 1)]));
  // An early ChangeCipherSpec is swallowed; the record behind it is decrypted, which fails.
  if (flaw === "ccs-injection" && !hasKeyExchange && record.type === records.changeCipherSpec) return Buffer.alloc(0);
  if (flaw === "ccs-injection" && !hasKeyExchange && before.some(({ type }) => type === records.changeCipherSpec)) return fatal(badRecordMac);
  if (!key || record.type !== records.handshake || record.bytes[5] !== clientKeyExchange) return undefined;
  return answerAsOracle(flaw, record.bytes.subarray(11), key);
}

/** Tells by its alert what was wrong with the padding of PKCS #1 1.5, as servers with ROBOT do. A weak oracle says yes to a whole message alone. */
function answerAsOracle(flaw: Flaw, secret: Buffer, key: KeyObject): Buffer | undefined {
  if (secret.length !== 256) return undefined;
  const padded = privateDecrypt({ key, padding: constants.RSA_NO_PADDING }, secret);
  const startsWell = padded[0] === 0 && padded[1] === 2;
  const end = padded.indexOf(0, 2);
  const isWhole = startsWell && end === padded.length - 49 && padded[end + 1] === 3;
  if (isWhole) return undefined;
  if (flaw === "robot-weak") return fatal(unexpectedMessage);
  return startsWell ? fatal(handshakeFailure) : fatal(unexpectedMessage);
}
