import { readFileSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { EngineError, ParseError } from "../kit/engine.ts";
import { createXmlReader, type XmlHandlers } from "../kit/read-xml.ts";

/** Where a scanner listens for OSP, the Open Scanner Protocol. */
export type OspAddress =
  | { kind: "unix"; path: string }
  /** The files are PEM: the scanner asks for a client certificate. */
  | { kind: "tls"; host: string; port: number; certFile: string; keyFile: string; caFile: string };

export interface RequestLimits {
  signal: AbortSignal;
  /** The answer must be whole by then. */
  seconds: number;
  /** Most bytes of the answer. */
  bytes: number;
}

/** The scanner understood the request and refuses it. */
export class OspRefusal extends Error {
  readonly status: string;
  constructor(status: string, message: string) {
    super(message);
    this.name = "OspRefusal";
    this.status = status;
  }
}

/** An element of an answer. `text` is its own text without that of its children. */
export interface OspElement {
  name: string;
  attributes: Record<string, string>;
  text: string;
  children: OspElement[];
}

/**
 * Sends one request on a connection of its own and answers the root of what came back. Throws OspRefusal where its status is not one of 200,
 * ParseError where it is malformed or cut off, and EngineError where there is no answer in time.
 */
export async function askOsp(address: OspAddress, request: string, limits: RequestLimits): Promise<OspElement> {
  const tree = createTree();
  await streamOsp(address, request, limits, tree.handlers);
  return checkAnswer(tree.read());
}

/** As `askOsp`, for an answer that is too large to be held: the handlers see it as it comes. */
export async function streamOsp(address: OspAddress, request: string, limits: RequestLimits, handlers: XmlHandlers): Promise<void> {
  const reader = createXmlReader(handlers);
  let bytes = 0;
  for await (const chunk of exchange(address, request, limits)) {
    bytes += chunk.byteLength;
    if (bytes > limits.bytes) throw new ParseError(`The scanner answered with more than ${limits.bytes.toLocaleString("en")} bytes.`);
    reader.write(chunk);
  }
  reader.end();
}

/** Throws OspRefusal where the answer says so. */
export function checkAnswer(answer: OspElement): OspElement {
  const { status = "", status_text = "" } = answer.attributes;
  if (!/^\d{3}$/.test(status)) throw new ParseError("The scanner's answer has no status.");
  if (!status.startsWith("2")) throw new OspRefusal(status, status_text.slice(0, 500));
  return answer;
}

const maxElements = 400_000;

/** Gathers the elements of a document; the bytes of an answer bound its text. */
export function createTree(): { handlers: XmlHandlers; read(): OspElement } {
  const open: OspElement[] = [];
  let root: OspElement | undefined;
  let count = 0;
  const handlers: XmlHandlers = {
    open: (name, attributes) => {
      count += 1;
      if (count > maxElements) throw new ParseError(`The scanner's answer has more than ${maxElements.toLocaleString("en")} elements.`);
      const element = { name, attributes, text: "", children: [] };
      open.at(-1)?.children.push(element);
      root ??= element;
      open.push(element);
    },
    close: () => {
      open.pop();
    },
    text: (_name, text) => {
      const current = open.at(-1);
      if (current) current.text += text;
    },
  };
  return {
    handlers,
    read: () => {
      if (!root) throw new ParseError("The scanner's answer is empty.");
      return root;
    },
  };
}

export const findChild = (element: OspElement | undefined, name: string): OspElement | undefined => element?.children.find((child) => child.name === name);

export const childText = (element: OspElement | undefined, name: string): string => findChild(element, name)?.text ?? "";

/** Text for an element or an attribute of a request; characters that XML cannot have are left out. */
export const escapeXml = (text: string): string =>
  text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that XML 1.0 forbids.
    .replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, "")
    .toWellFormed()
    .replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

/** One request a connection: write, half-close, read to the end. */
async function* exchange(address: OspAddress, request: string, { signal, seconds }: RequestLimits): AsyncIterable<Uint8Array> {
  signal.throwIfAborted();
  const over = AbortSignal.timeout(seconds * 1000);
  const socket = connect(address);
  const destroy = () => socket.destroy(new Error("the time is over"));
  const either = AbortSignal.any([signal, over]);
  either.addEventListener("abort", destroy, { once: true });
  try {
    // Over TLS a half-close would be the end of the connection to some servers; the scanner answers when the root element is closed.
    if (address.kind === "unix") socket.end(request);
    else socket.write(request);
    let answered = false;
    for await (const chunk of socket as AsyncIterable<Uint8Array>) {
      answered = true;
      yield chunk;
    }
    either.throwIfAborted();
    // A client whose certificate is refused may hear no more than this.
    if (!answered)
      throw new Error(
        `it closed the connection without an answer${address.kind === "tls" ? ": it may not know the certificate of PERISCAN_OPENVAS_CERT" : ""}`,
      );
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof ParseError) throw cause;
    throw explainSilence(address, over.aborted ? seconds : undefined, cause);
  } finally {
    either.removeEventListener("abort", destroy);
    socket.destroy();
  }
}

function connect(address: OspAddress): Socket {
  if (address.kind === "unix") return createConnection({ path: address.path });
  const { host, port, certFile, keyFile, caFile } = address;
  try {
    return connectTls({ host, port, cert: readFileSync(certFile), key: readFileSync(keyFile), ca: readFileSync(caFile) });
  } catch (cause) {
    throw new EngineError("engine.misconfigured", `The certificate files for the scanner cannot be used: ${(cause as Error).message}`, { retry: false, cause });
  }
}

export const nameAddress = (address: OspAddress): string => (address.kind === "unix" ? address.path : `tls://${address.host}:${address.port}`);

function explainSilence(address: OspAddress, seconds: number | undefined, cause: unknown): EngineError {
  if (cause instanceof EngineError) return cause;
  const what = seconds === undefined ? `cannot be reached (${(cause as Error).message})` : `did not answer within ${seconds} s`;
  return new EngineError("engine.no_answer", `The OpenVAS scanner at ${nameAddress(address)} ${what}. See whether it runs, and its log.`, {
    retry: true,
    cause,
  });
}
