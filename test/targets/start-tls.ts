import type net from "node:net";

export type StartTlsProtocol = "smtp" | "imap" | "pop3" | "ftp" | "ldap" | "postgres";

interface Dialogue {
  greeting: string;
  /** What the client says, and what it hears: `false` where the connection goes over to TLS behind the answer. */
  steps: { hears: RegExp; answers: string; refuses: string; isLast: boolean }[];
}

/** LDAP's extended response (RFC 4511, 4.12) with result code 0 (success) or 2 (protocolError). */
const ldapResponse = (code: number) => Buffer.from(`300c02010178070a01${code.toString().padStart(2, "0")}04000400`, "hex").toString("latin1");

const one = (hears: RegExp, answers: string, refuses: string): Dialogue["steps"] => [{ hears, answers, refuses, isLast: true }];

const dialogues: Record<StartTlsProtocol, Dialogue> = {
  smtp: {
    greeting: "220 tls.test ESMTP\r\n",
    steps: [
      { hears: /^EHLO/i, answers: "250-tls.test\r\n250 STARTTLS\r\n", refuses: "250-tls.test\r\n250 SIZE 1000\r\n", isLast: false },
      { hears: /^STARTTLS/i, answers: "220 Go ahead\r\n", refuses: "502 No\r\n", isLast: true },
    ],
  },
  imap: { greeting: "* OK ready\r\n", steps: one(/STARTTLS/i, ". OK Begin\r\n", ". NO not here\r\n") },
  pop3: { greeting: "+OK ready\r\n", steps: one(/^STLS/i, "+OK Begin\r\n", "-ERR not here\r\n") },
  ftp: { greeting: "220 ready\r\n", steps: one(/^AUTH TLS/i, "234 Begin\r\n", "502 not here\r\n") },
  ldap: { greeting: "", steps: one(/^0/, ldapResponse(0), ldapResponse(2)) },
  postgres: { greeting: "", steps: one(/^\0/, "S", "N") },
};

/** A service that speaks the protocol in clear text until the client asks for TLS, and then hands the connection over. */
export const serveStartTls =
  (protocol: StartTlsProtocol, upgrade: (socket: net.Socket) => void) =>
  (socket: net.Socket): void =>
    talk(socket, dialogues[protocol], { refuses: false, upgrade });

/** A service that speaks the protocol and has no TLS. */
export const refuseStartTls =
  (protocol: StartTlsProtocol) =>
  (socket: net.Socket): void =>
    talk(socket, dialogues[protocol], { refuses: true, upgrade: () => {} });

function talk(socket: net.Socket, { greeting, steps }: Dialogue, { refuses, upgrade }: { refuses: boolean; upgrade(socket: net.Socket): void }): void {
  if (greeting !== "") socket.write(greeting);
  const hear = (data: Buffer) => {
    const step = steps.find(({ hears }) => hears.test(data.toString("latin1")));
    if (!step) return;
    socket.write(Buffer.from(refuses ? step.refuses : step.answers, "latin1"));
    if (!step.isLast || refuses) return;
    socket.off("data", hear).pause();
    upgrade(socket);
  };
  socket.on("data", hear);
}
