import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";

export interface TestMail {
  from: string;
  to: string[];
  /** Headers and text as they came over the wire. */
  text: string;
}

export interface TestMailServer extends AsyncDisposable {
  url: string;
  mails: TestMail[];
  /** Answers every recipient with this line. */
  refuse: string | undefined;
}

/** A real SMTP server on loopback, as far as RFC 5321 asks for it; it keeps what it got. */
export async function startMailServer(): Promise<TestMailServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => {});
    void converse(socket, state);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const state: TestMailServer = {
    url: `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    mails: [],
    refuse: undefined,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
  return state;
}

async function converse(socket: Socket, state: TestMailServer): Promise<void> {
  const say = (line: string) => socket.write(`${line}\r\n`);
  let mail: TestMail = { from: "", to: [], text: "" };
  let inData = false;
  say("220 test ESMTP");
  for await (const line of createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (inData) {
      if (line !== ".") {
        mail.text += `${line.startsWith(".") ? line.slice(1) : line}\r\n`;
        continue;
      }
      inData = false;
      state.mails.push(mail);
      mail = { from: "", to: [], text: "" };
      say("250 2.0.0 kept");
      continue;
    }
    const [, address = ""] = /<([^>]*)>/.exec(line) ?? [];
    const verb = line.slice(0, 4).toUpperCase();
    if (verb === "MAIL") mail.from = address;
    if (verb === "RCPT" && state.refuse === undefined) mail.to.push(address);
    inData = verb === "DATA";
    say(verb === "DATA" ? "354 go on" : verb === "RCPT" && state.refuse !== undefined ? state.refuse : verb === "QUIT" ? "221 bye" : "250 ok");
    if (verb === "QUIT") socket.end();
  }
}
