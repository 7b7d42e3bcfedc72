import type { Socket } from "node:net";
import type { FastifyInstance, FastifyRequest } from "fastify";

export interface UnreadBounds {
  /** So long the rest of a body may take to come once the answer was given. */
  seconds: number;
  /** So many bytes of it are read. */
  bytes: number;
}

const lookMilliseconds = 200;

/**
 * An answer that is given before the whole body came (a wrong key, a body that is too large) reaches its client only if the rest is taken from the line: many send all before they
 * read, and a closed connection would cost them the answer. So the rest is read and thrown away, up to these bounds; then the connection is closed, else whoever never ends his body would hold it.
 */
export function boundUnreadBodies(app: FastifyInstance, bounds: UnreadBounds): void {
  const closing = new WeakSet<FastifyRequest>();
  app.addHook("onSend", async (request, reply) => {
    if (request.raw.complete) return;
    // With `connection: close`, the client's or the one that fastify sets, Node would close at the answer's end. Once all was read there is no need but the client's.
    if (!reply.raw.shouldKeepAlive) closing.add(request);
    reply.removeHeader("connection");
    reply.raw.shouldKeepAlive = true;
  });
  app.addHook("onResponse", async (request) => {
    const { raw } = request;
    const { socket } = raw;
    if (raw.complete || socket.destroyed) return;
    const watching = watch(socket, bounds);
    raw.once("close", () => {
      clearInterval(watching);
      if (closing.has(request)) socket.destroySoon();
    });
    raw.resume();
  });
}

function watch(socket: Socket, { seconds, bytes }: UnreadBounds): NodeJS.Timeout {
  const until = performance.now() + seconds * 1000;
  const most = socket.bytesRead + bytes;
  const watching = setInterval(() => {
    if (performance.now() < until && socket.bytesRead < most && !socket.destroyed) return;
    clearInterval(watching);
    socket.destroy();
  }, lookMilliseconds);
  return watching.unref();
}
