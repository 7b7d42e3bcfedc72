import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { bracket } from "@periscan/contract/target-syntax.ts";
import type { PinnedTarget } from "../kit/engine.ts";
import { findKnown } from "./name-services.ts";

const connectSeconds = 5;
const patientSeconds = 15;

/**
 * What an open port speaks. `unclear`: TLS is wanted there, and no site came about. `other`: it said something that is no HTTP. `mute`: it said
 * nothing, or hung up.
 *
 * A server that is slow with TLS looks like one without, and answers plain HTTP with 400: it is then asked for TLS once more, with more time. A 400 alone
 * proves no TLS, though: where the server answers in plain text to TLS, it speaks none.
 */
export async function askScheme(pin: PinnedTarget, port: number, signal: AbortSignal): Promise<"http" | "https" | "unclear" | "other" | "mute"> {
  const askTls = (seconds: number) => askPage(pin, openTls(pin, port), { ready: "secureConnect", seconds, signal });
  const secure = await askTls(connectSeconds);
  if (secure.kind === "http") return "https";
  const plain = await askPage(pin, connect({ host: pin.address, port }), { ready: "connect", seconds: connectSeconds, signal });
  const isRefused = plain.kind === "http" && /^HTTP\/[\d.]+ 400\b/.test(plain.text);
  if (secure.kind !== "plain" && (isRefused || findKnown(pin, port).tls)) {
    const again = await askTls(patientSeconds);
    if (again.kind === "http") return "https";
    const saysTls = isRefused && (["other", "mute", "alert"].includes(again.kind) || (again.kind === "failed" && complaint.test(plain.text)));
    if (again.kind === "silent" || saysTls) return "unclear";
  }
  if (plain.kind === "http") return "http";
  return [secure.kind, plain.kind].some((kind) => kind === "other" || kind === "plain") ? "other" : "mute";
}

/** Apache, nginx and Go in the bodies of the 400 that they give to plain HTTP where TLS is spoken. */
const complaint = /speaking plain HTTP to an SSL|plain HTTP request was sent to HTTPS|Client sent an HTTP request to an HTTPS/i;

const openTls = ({ target, address }: PinnedTarget, port: number): Socket =>
  // Whom the certificate is for is another engine's question.
  connectTls({
    host: address,
    port,
    rejectUnauthorized: false,
    minVersion: "TLSv1",
    ...(target.kind === "address" ? {} : { servername: nameOf(target.host) }),
  });

/** TLS names no addresses (RFC 6066, part 3). */
export const nameOf = (host: string): string => (/^[\d.]+$|:/.test(host) ? "" : host);

interface Asking {
  /** The event of the socket after which can be asked. */
  ready: string;
  seconds: number;
  signal: AbortSignal;
}

/**
 * What came of asking for a page. `other`: it said what is no HTTP; `mute`: connected, and nothing came; `plain`: it answered TLS with what is none;
 * `alert`: it speaks TLS and refused the handshake; `failed`: no connection; `silent`: none in time, and no refusal.
 */
type Page = { kind: "http"; text: string } | { kind: "other" | "mute" | "plain" | "alert" | "failed" | "silent" };

const mostOfPage = 2000;

function askPage({ target }: PinnedTarget, socket: Socket, { ready, seconds, signal }: Asking): Promise<Page> {
  const { promise, resolve } = Promise.withResolvers<Page>();
  let got = "";
  let isReady = false;
  const end = (kind: "plain" | "alert" | "failed" | "silent") => {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
    socket.destroy();
    if (got.startsWith("HTTP/")) resolve({ kind: "http", text: got });
    else if (got !== "") resolve({ kind: "other" });
    else resolve({ kind: isReady ? "mute" : kind });
  };
  const stop = () => end("silent");
  const timer = setTimeout(stop, seconds * 1000);
  signal.addEventListener("abort", stop, { once: true });
  socket.on("error", (error: NodeJS.ErrnoException) => end(readFailure(error.code))).once("close", () => end("failed"));
  socket.once(ready, () => {
    isReady = true;
    socket.write(`GET / HTTP/1.1\r\nHost: ${bracket(target.host)}\r\nConnection: close\r\n\r\n`);
  });
  socket.on("data", (chunk: Buffer) => {
    got += chunk.toString("latin1").slice(0, mostOfPage);
    // Of a refusal the reason is read too, as far as it comes.
    const isWhole = got.length >= mostOfPage || (got.length >= 12 && !/^HTTP\/[\d.]+ 400/.test(got));
    if (isWhole || (got.length >= 5 && !got.startsWith("HTTP/"))) end("failed");
  });
  return promise;
}

/** By the names of OpenSSL's errors: an alert comes from a peer that speaks TLS, and a record that is none from one that does not. */
function readFailure(code = ""): "plain" | "alert" | "failed" {
  if (/^ERR_SSL_.*ALERT/.test(code)) return "alert";
  return code === "ERR_SSL_WRONG_VERSION_NUMBER" ? "plain" : "failed";
}
