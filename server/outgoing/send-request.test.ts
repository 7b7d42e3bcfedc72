import { once } from "node:events";
import type { RequestListener } from "node:http";
import { createServer } from "node:net";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { makeCertificate } from "../testing/make-certificate.ts";
import { startDnsServer, type TestDnsServer } from "../testing/start-dns-server.ts";
import { startReceiver, type TestReceiver } from "../testing/start-receiver.ts";
import { OutgoingError, type OutgoingPolicy, readOutgoingPolicy, readOutgoingUrl } from "./outgoing-policy.ts";
import { sendOutgoing } from "./send-request.ts";

const strict: OutgoingPolicy = { allowHttp: false, allowPrivate: false };
const open: OutgoingPolicy = { allowHttp: true, allowPrivate: true };
const post = (policy: OutgoingPolicy, url: string) =>
  sendOutgoing(policy, { url, method: "POST", headers: { "content-type": "application/json" }, body: "{}" });

let receiver: TestReceiver;
beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(async () => {
  await receiver[Symbol.asyncDispose]();
});
const answerWith = (listener: RequestListener) => {
  receiver.answer = listener;
};

describe("an address that is not of the public internet is refused, however it is written", () => {
  const hosts = [
    "127.0.0.1",
    "127.1",
    "0x7f.0.0.1",
    "2130706433",
    "017700000001",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "192.0.0.192",
    "198.18.0.1",
    "192.0.2.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "0.0.0.0",
    "[::]",
    "[fe80::1]",
    "[fec0::1]",
    "[fd00::1]",
    "[fd00:ec2::254]",
    "[2001:db8::1]",
    "[2001::1]",
    "[4000::1]",
    "[ff02::1]",
    "metadata.google.internal",
    "metadata.google.internal.",
  ];
  test.each(hosts)("%s", (host) => {
    expect(() => readOutgoingUrl(`https://${host}/`, strict)).toThrow(OutgoingError);
  });
  test.each(["1.1.1.1", "[2606:4700::1111]", "[::ffff:1.1.1.1]", "[64:ff9b::1.1.1.1]"])("%s is of the public internet", (host) => {
    expect(readOutgoingUrl(`https://${host}/`, strict).hostname).toBeTruthy();
  });
  test("nothing of the request reaches it", async () => {
    await expect(post({ allowHttp: true, allowPrivate: false }, receiver.url)).rejects.toThrow("not an address of the public internet");
    expect(receiver.received).toEqual([]);
  });
});

test.each(["169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "100.100.100.200", "0.0.0.0", "224.0.0.1", "metadata.google.internal"])(
  "%s is refused whatever the operator allows",
  (host) => {
    expect(() => readOutgoingUrl(`http://${host}/`, open)).toThrow(OutgoingError);
  },
);

test.each([
  ["plain HTTP", "http://example.com/", "https://"],
  ["another scheme", "ftp://example.com/", "https://"],
  ["a file", "file:///etc/passwd", "https://"],
  ["a login", "https://user:password@example.com/", "user name"],
  ["no URL", "example.com", "not a URL"],
])("%s is refused", async (_, url, why) => {
  await expect(post(strict, url)).rejects.toThrow(why);
});

describe("names", () => {
  let dns: TestDnsServer;
  let answers: (question: number) => string[] | undefined;
  beforeAll(async () => {
    dns = await startDnsServer((_, question) => answers(question));
  });
  afterAll(async () => {
    await dns[Symbol.asyncDispose]();
  });
  const ask = (policy: OutgoingPolicy, port = new URL(receiver.url).port) => post({ ...policy, dnsServers: [dns.address] }, `http://hook.example:${port}/`);
  const httpOnly = { allowHttp: true, allowPrivate: false };

  test.each([[["127.0.0.1"]], [["10.1.2.3"]], [["169.254.169.254"]], [["192.168.1.1", "127.0.0.1"]]])("a name that means %s is refused", async (addresses) => {
    answers = () => addresses;
    await expect(ask(httpOnly)).rejects.toThrow("hook.example may not be used");
    expect(receiver.received).toEqual([]);
  });

  test("a name is resolved once, and the address that was checked is the one that is connected to", async () => {
    const before = dns.questions.length;
    answers = (question) => (question === before + 1 ? ["127.0.0.1"] : ["127.0.0.2"]);
    expect((await ask(open)).status).toBe(200);
    expect(dns.questions.length - before).toBe(1);
    expect(receiver.received[0]?.headers.host).toBe(`hook.example:${new URL(receiver.url).port}`);
  });

  test("of several addresses only those that are allowed are connected to", async () => {
    answers = () => ["169.254.169.254", "127.0.0.1"];
    expect((await ask(open)).status).toBe(200);
  });

  test("a name without an address, and a name server that is silent, are failures in words", async () => {
    answers = () => [];
    await expect(ask(httpOnly)).rejects.toThrow("does not resolve");
    answers = () => undefined;
    await expect(ask(httpOnly)).rejects.toThrow("does not resolve");
  });
});

test("a redirect is not followed, and its answer is what came", async () => {
  const inner = await startReceiver();
  answerWith((_, response) => response.writeHead(307, { location: inner.url }).end());
  expect((await post(open, receiver.url)).status).toBe(307);
  expect(inner.received).toEqual([]);
  await inner[Symbol.asyncDispose]();
});

test("of an endless answer 64 KiB are read, then the connection is closed", async () => {
  const closed = Promise.withResolvers<void>();
  answerWith((_, response) => {
    response.writeHead(200);
    const write = () => {
      while (response.write("x".repeat(16_384)));
    };
    response.on("drain", write).on("close", () => closed.resolve());
    write();
  });
  const { status, body } = await post(open, receiver.url);
  expect([status, body.length]).toEqual([200, 65_536]);
  await closed.promise;
});

test("an answer that is compressed is not unpacked", async () => {
  answerWith((_, response) => response.writeHead(200, { "content-encoding": "gzip" }).end("not gzip"));
  expect((await post(open, receiver.url)).body.toString()).toBe("not gzip");
});

test("a receiver that hangs up, speaks no HTTP, upgrades, or is not there, is a failure in words", async () => {
  answerWith((request) => request.socket.destroy());
  await expect(post(open, receiver.url)).rejects.toThrow("cut the connection");
  answerWith((_, response) => {
    response.writeHead(200, { "content-length": "100" });
    response.write("half");
    setImmediate(() => response.destroy());
  });
  await expect(post(open, receiver.url)).rejects.toThrow(OutgoingError);
  answerWith((_, response) => response.socket?.end("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"));
  await expect(post(open, receiver.url)).rejects.toThrow(OutgoingError);
  const babbler = createServer((socket) => socket.on("error", () => {}).end("220 mail.example ESMTP\r\n")).listen(0, "127.0.0.1");
  await once(babbler, "listening");
  await expect(post(open, `http://127.0.0.1:${(babbler.address() as { port: number }).port}/`)).rejects.toThrow("not HTTP");
  babbler.close();
  await receiver.goDown();
  await expect(post(open, receiver.url)).rejects.toThrow("refused the connection");
});

test("a certificate that no known authority signed, or that is for another name, is refused", async () => {
  const mine = makeCertificate("IP:127.0.0.1");
  const other = makeCertificate("DNS:other.example");
  const secure = await startReceiver({ tls: mine });
  const misnamed = await startReceiver({ tls: other });
  await expect(post(open, secure.url)).rejects.toThrow("TLS failed");
  const known = getCACertificates("default");
  setDefaultCACertificates([...known, mine.cert, other.cert]);
  expect((await post(open, secure.url)).status).toBe(200);
  await expect(post(open, misnamed.url)).rejects.toThrow("TLS failed");
  setDefaultCACertificates(known);
  expect([secure.received.length, misnamed.received.length]).toEqual([1, 0]);
  for (const each of [secure, misnamed]) await each[Symbol.asyncDispose]();
});

test("after 15 s without a whole answer the request is over, also where bytes trickle in", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  const closed = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<void>();
  answerWith((_, response) => {
    response.on("close", () => closed.resolve());
    response.write("a");
    arrived.resolve();
  });
  const sent = post(open, receiver.url);
  const failed = expect(sent).rejects.toThrow("within 15 s");
  await arrived.promise;
  vi.advanceTimersByTime(15_000);
  vi.useRealTimers();
  await failed;
  await closed.promise;
});

test("an abort ends the request at once", async () => {
  const arrived = Promise.withResolvers<void>();
  answerWith(() => arrived.resolve());
  const stopping = new AbortController();
  const sent = sendOutgoing(open, { url: receiver.url, method: "GET", headers: {}, signal: stopping.signal });
  await arrived.promise;
  stopping.abort(new Error("the server stops"));
  await expect(sent).rejects.toThrow("the server stops");
});

test("the operator's options are read from the environment, and a strange value is refused", () => {
  expect(readOutgoingPolicy({})).toEqual(strict);
  expect(readOutgoingPolicy({ PERISCAN_WEBHOOKS_ALLOW_HTTP: "1", PERISCAN_WEBHOOKS_ALLOW_PRIVATE: "true" })).toEqual(open);
  expect(() => readOutgoingPolicy({ PERISCAN_WEBHOOKS_ALLOW_HTTP: "yes" })).toThrow("must be 1 or 0");
});
