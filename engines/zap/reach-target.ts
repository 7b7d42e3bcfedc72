import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Connection } from "./start-proxy.ts";

const connectSeconds = 10;
/** Of one answer: ZAP keeps all of it in memory, and would read one without an end for ever. */
const maxAnswerBytes = 8 * 1024 ** 2;
const maxAnswerSeconds = 60;
/** After that time more than this is still the same answer; less is a server that takes its leave of an idle connection (TLS's close_notify). */
const farewellBytes = 256;

/** A connection to the target, whose answers go to ZAP as they are. */
export interface Upstream {
  socket: Socket;
  /** What comes from now on is another answer. */
  beginAnswer(): void;
}

/** Connects to the checked address; undefined where nothing comes about. */
export async function reachTarget({ client, settings, counts, sockets }: Connection): Promise<Upstream | undefined> {
  const socket = connect({ host: settings.address, port: settings.port, timeout: connectSeconds * 1000 });
  sockets.add(socket);
  socket.once("close", () => sockets.delete(socket)).once("timeout", () => socket.destroy(new Error("no answer in time")));
  const reached = await Promise.race([
    once(socket, "connect").then(() => true),
    once(socket, "close").then(() => false),
    once(client, "close").then(() => false),
  ]).catch(() => false);
  if (!reached) {
    if (!client.destroyed) counts.failed += 1;
    socket.destroy();
    return undefined;
  }
  counts.connected += 1;
  counts.localAddress ??= socket.localAddress;
  socket.setTimeout(0).on("error", () => socket.destroy());
  return { socket, beginAnswer: passAnswers(socket, client, counts) };
}

function passAnswers(socket: Socket, client: Socket, counts: Connection["counts"]): () => void {
  let bytes = 0;
  let most = maxAnswerBytes;
  let limit: NodeJS.Timeout | undefined;
  const beginAnswer = () => {
    bytes = 0;
    most = maxAnswerBytes;
    clearTimeout(limit);
    limit = setTimeout(() => {
      most = Math.min(most, bytes + farewellBytes);
    }, maxAnswerSeconds * 1000);
  };
  socket.on("data", (chunk: Buffer) => {
    counts.receivedBytes += chunk.byteLength;
    bytes += chunk.byteLength;
    if (bytes <= most || client.destroyed) return;
    counts.cut += 1;
    client.destroy();
  });
  socket.pipe(client);
  socket.once("close", () => {
    counts.sentBytes += socket.bytesWritten;
    client.destroy();
  });
  client.once("close", () => {
    clearTimeout(limit);
    socket.destroy();
  });
  return beginAnswer;
}
