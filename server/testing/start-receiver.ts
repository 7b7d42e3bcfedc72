import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { WebhookEvent } from "@periscan/contract/webhook.ts";

export interface Received {
  headers: IncomingHttpHeaders;
  path: string;
  body: string;
  event: WebhookEvent;
}

export interface TestReceiver extends AsyncDisposable {
  url: string;
  received: Received[];
  /** The status of the next answers, or what answers in the receiver's own way. */
  answer: number | RequestListener;
  /** Stops listening, as a receiver that is down. */
  goDown(): Promise<void>;
  /** Listens again on the same port. */
  comeBack(): Promise<void>;
}

/** A receiver of webhooks on loopback, a real HTTP server (HTTPS with `tls`); it keeps whole what it got. */
export async function startReceiver({ tls }: { tls?: { key: string; cert: string } } = {}): Promise<TestReceiver> {
  const listener: RequestListener = async (request, response) => {
    const body = await text(request).catch(() => "");
    const event = JSON.parse(body.startsWith("{") ? body : "{}") as WebhookEvent;
    receiver.received.push({ headers: request.headers, path: request.url ?? "", body, event });
    if (typeof receiver.answer === "number") response.writeHead(receiver.answer).end("answered");
    else receiver.answer(request, response);
  };
  let server: Server;
  let port = 0;
  const listen = async () => {
    server = tls ? createSecureServer(tls, listener) : createServer(listener);
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    ({ port } = server.address() as AddressInfo);
  };
  const close = async () => {
    if (!server.listening) return;
    server.close();
    server.closeAllConnections();
    await once(server, "close");
  };
  await listen();
  const receiver: TestReceiver = {
    url: `${tls ? "https" : "http"}://127.0.0.1:${port}/hook`,
    received: [],
    answer: 200,
    goDown: close,
    comeBack: listen,
    [Symbol.asyncDispose]: close,
  };
  return receiver;
}
