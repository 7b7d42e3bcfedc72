/** A toy of a service that listens on a TCP port: what it says first, and what it answers. */
export interface ToyService {
  greeting?: string | Buffer;
  answer(request: Buffer): { data?: string | Buffer; close?: boolean };
}

/** A BSON document of MongoDB behind the header of an OP_MSG (opcode 2013). */
function makeMongoReply(document: Buffer): Buffer {
  const header = Buffer.alloc(21);
  header.writeInt32LE(21 + document.length, 0);
  header.writeInt32LE(2013, 12);
  return Buffer.concat([header, document]);
}

function makeDocument(fields: Buffer): Buffer {
  const size = Buffer.alloc(4);
  size.writeInt32LE(fields.length + 5);
  return Buffer.concat([size, fields, Buffer.of(0)]);
}

const makeText = (name: string, value: string) => {
  const size = Buffer.alloc(4);
  size.writeInt32LE(value.length + 1);
  return Buffer.concat([Buffer.from(`\x02${name}\0`), size, Buffer.from(`${value}\0`)]);
};

const makeOk = (ok: number) => {
  const value = Buffer.alloc(8);
  value.writeDoubleLE(ok);
  return Buffer.concat([Buffer.from("\x01ok\0"), value]);
};

const database = makeDocument(makeText("name", "shop"));
const databases = makeDocument(Buffer.concat([Buffer.from("\x04databases\0"), makeDocument(Buffer.concat([Buffer.from("\x030\0"), database])), makeOk(1)]));
const denied = makeDocument(
  Buffer.concat([makeOk(0), makeText("errmsg", "command listDatabases requires authentication"), makeText("codeName", "Unauthorized")]),
);

/** Answers each command of a chunk, which may hold several. */
const lines = (answers: Record<string, string>, otherwise: string) => (request: Buffer) => {
  const commands = request
    .toString("latin1")
    .split("\r\n")
    .filter(Boolean)
    .map((line) => line.split(" ")[0]?.toUpperCase() ?? "");
  return { data: commands.map((command) => answers[command] ?? otherwise).join(""), close: commands.includes("QUIT") };
};

/** Services that let anybody in, each with the template of engines/nuclei/templates that finds it. */
export const openServices: Record<string, ToyService> = {
  "redis-open": { answer: () => ({ data: "$66\r\n# Server\r\nredis_version:7.2.4\r\nredis_mode:standalone\r\nos:Linux\r\n\r\n+OK\r\n", close: true }) },
  "memcached-open": { answer: () => ({ data: "STAT pid 7\r\nSTAT uptime 12\r\nSTAT version 1.6.24\r\nEND\r\n", close: true }) },
  "mongodb-open": { answer: () => ({ data: makeMongoReply(databases) }) },
  "ftp-anonymous": {
    greeting: "220 Shop's files\r\n",
    answer: lines({ USER: "331 Give the password.\r\n", PASS: "230 Login successful.\r\n", QUIT: "221 Goodbye.\r\n" }, "500 Unknown.\r\n"),
  },
  "zookeeper-open": {
    answer: () => ({ data: "Zookeeper version: 3.9.2-1234, built on 2026-02-01\nLatency min/avg/max: 0/0/0\nMode: standalone\nNode count: 5\n", close: true }),
  },
  "vnc-open": { greeting: "RFB 003.008\n", answer: () => ({ data: Buffer.of(1, 1) }) },
  "rsync-modules": {
    greeting: "@RSYNCD: 31.0\n",
    answer: (request) => (request.includes("#list") ? { data: "pub            \tPublic files\n@RSYNCD: EXIT\n", close: true } : {}),
  },
};

/** Services that are there and let nobody in, or that only look like those above: nothing may be found on them. */
export const closedServices: Record<string, ToyService> = {
  "redis with a password": { answer: () => ({ data: "-NOAUTH Authentication required.\r\n-NOAUTH Authentication required.\r\n", close: true }) },
  "mongodb with a login": { answer: () => ({ data: makeMongoReply(denied) }) },
  "ftp for its users": {
    greeting: "220 Files\r\n",
    answer: lines({ USER: "331 Give the password.\r\n", PASS: "530 Login incorrect.\r\n", QUIT: "221 Goodbye.\r\n" }, "500 Unknown.\r\n"),
  },
  "vnc with a password": { greeting: "RFB 003.008\n", answer: () => ({ data: Buffer.of(1, 2) }) },
  echo: { answer: (request) => ({ data: request }) },
  "a talker": {
    greeting: "Talk about redis_version: and STAT pid, Zookeeper version: and 230 logins.\r\n",
    answer: () => ({ data: "No more.\r\n", close: true }),
  },
};
