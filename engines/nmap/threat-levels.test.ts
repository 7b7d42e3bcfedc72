import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Outcome } from "@periscan/contract/outcome.ts";
import type { ThreatLevel } from "@periscan/contract/risk.ts";
import { describe, expect, test } from "vitest";
import { createTally } from "../kit/tally.ts";
import { readNmapFile } from "./read-nmap-file.ts";
import type { NmapService, Protocol } from "./read-nmap-xml.ts";
import { rows, signs } from "./service-table.ts";
import { assessPort } from "./threat-levels.ts";

/** What Nmap itself was installed with: the tests hold the table to the texts that it really prints. */
const nmapFolder = "/usr/share/nmap";
const readData = (name: string): string => readFileSync(join(nmapFolder, name), "latin1");
const probes = readData("nmap-service-probes");
const scripts = readdirSync(join(nmapFolder, "scripts"))
  .filter((name) => name.endsWith(".nse"))
  .map((name) => readData(`scripts/${name}`))
  .join("\n");
const findNames = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].flatMap(([, name]) => name ?? []);
const probedNames = new Set([
  ...findNames(probes, /^(?:soft)?match (?:ssl\/)?(\S+) /gm),
  ...findNames(scripts, /version\.name\s*=\s*["']([^"']+)["']/g),
  // Nmap asks which RPC program a port has, and calls the port by its name.
  ...findNames(readData("nmap-rpc"), /^([^#\s]\S*)\s+\d/gm),
]);
/** Its list of ports: the name of a port that said nothing. */
const tableNames = new Map([...readData("nmap-services").matchAll(/^([^#\s]\S*)\t(\d+\/(?:tcp|udp))\t/gm)].map(([, name = "", port = ""]) => [port, name]));

const probed = (name: string, change: Partial<NmapService> = {}): NmapService => ({ name, method: "probed", confidence: 10, cpe: [], ...change });
const guessed = (name: string, change: Partial<NmapService> = {}): NmapService => ({ name, method: "table", confidence: 3, cpe: [], ...change });
const assess = (port: string, service?: NmapService) => {
  const [protocol, number] = port.split("/") as [Protocol, string];
  return assessPort({ protocol, number: Number(number), ...(service ? { service } : {}) });
};
const level = (port: string, service?: NmapService): ThreatLevel => assess(port, service).threatLevel;

const listPorts = ({ tcp = {}, web = {}, udp = {} }: (typeof rows)[number]) => [
  ...[...Object.keys(tcp), ...Object.keys(web)].map((list) => `tcp/${list}`),
  ...Object.keys(udp).map((list) => `udp/${list}`),
];

describe("the table", () => {
  test("has each name as Nmap prints it, once, and a service of that name gets its row on a port of nobody", () => {
    const names = rows.flatMap((row) => row.services.map((name) => ({ name, row })));
    expect(names.filter(({ name }) => !probedNames.has(name)).map(({ name }) => name)).toEqual([]);
    expect(names.length).toBe(new Set(names.map(({ name }) => name)).size);
    for (const { name, row } of names) expect(assess("tcp/61234", probed(name)), name).toMatchObject({ threatLevel: row.level, description: row.why });
  });

  test("has each product as Nmap prints it, once, and the product gets its row whatever it speaks", () => {
    const products = rows.flatMap((row) => (row.products ?? []).map((product) => ({ product, row })));
    const isPrinted = (product: string) => [`p/${product}/`, `p|${product}|`].some((text) => probes.includes(text)) || scripts.includes(`"${product}"`);
    expect(products.filter(({ product }) => !isPrinted(product)).map(({ product }) => product)).toEqual([]);
    expect(products.length).toBe(new Set(products.map(({ product }) => product)).size);
    for (const { product, row } of products) expect(assess("tcp/61234", probed("http", { product })), product).toMatchObject({ description: row.why });
  });

  test("has each port once, and a port that said nothing gets its row, whatever Nmap's own list calls it", () => {
    const seen = new Set<string>();
    for (const row of rows)
      for (const port of listPorts(row)) {
        const [protocol, list = ""] = port.split("/");
        const [low = 0, high = low] = list.split("-").map(Number);
        expect(low > 0 && high >= low && high <= 65_535, port).toBe(true);
        for (let number = low; number <= high; number++) {
          const key = `${protocol}/${number}`;
          expect(seen.has(key), `${key} stands twice`).toBe(false);
          seen.add(key);
          const silent = [
            undefined,
            probed("tcpwrapped", { confidence: 8 }),
            guessed("unknown"),
            guessed(tableNames.get(`${number}/${protocol}`) ?? "unknown"),
          ];
          for (const service of silent) expect(assess(key, service).threatLevel, `${key} ${service?.name}`).toBe(row.level);
          expect(assess(key).usual).toBeTypeOf("string");
        }
      }
  });

  test("says why, what to do, and where to read on, in whole sentences", () => {
    for (const { services, why, solution, references } of rows)
      expect([why, solution].every((text) => /^[A-Z\w].*\.$/.test(text)) && references.length > 0, services.join()).toBe(true);
    for (const { why } of signs) expect(why).toMatch(/^[A-Z].*\.$/);
  });

  test("has signs of texts that Nmap prints of that service, each reachable", () => {
    for (const sign of signs)
      for (const name of sign.services) {
        const shown = [...probes.matchAll(new RegExp(`^(?:soft)?match ${name} m.*$`, "gm"))].map(([line]) => readTexts(line));
        const fits = shown.filter(({ product, version, extraInfo }) =>
          (
            [
              [sign.product, product],
              [sign.version, version],
              [sign.extraInfo, extraInfo],
            ] as const
          ).every(([wanted, said]) => !wanted || wanted.test(said)),
        );
        // The one that a script of Nmap's learns.
        const said = name === "mqtt" ? [{ product: "Mosquitto", version: "2.0.11", extraInfo: "" }] : fits;
        expect(said.length, `${name} ${sign.extraInfo ?? sign.version}`).toBeGreaterThan(0);
        for (const service of said) expect(level("tcp/61234", probed(name, service)), `${name} ${JSON.stringify(service)}`).toBe(sign.level);
      }
  });
});

/** Product, version and further text of a line of nmap-service-probes; what it takes from the answer is a number here. */
function readTexts(line: string): { product: string; version: string; extraInfo: string } {
  const read = (letter: string) => (new RegExp(` ${letter}([/|=%@])(.*?)\\1`).exec(line)?.[2] ?? "").replaceAll(/\$\d/g, "1");
  return { product: read("p"), version: read("v"), extraInfo: read("i") };
}

const ssl = { tunnel: "ssl" };

describe("the level", () => {
  test.each<[string, string, NmapService | undefined, ThreatLevel]>([
    // A service that said what it is counts, wherever it listens.
    ["a database that said so", "tcp/61234", probed("postgresql"), "HIGH"],
    ["SSH on the port of a database", "tcp/5432", probed("ssh"), "LOW"],
    ["Telnet on another port", "tcp/2022", probed("telnet"), "HIGH"],
    ["a web page", "tcp/80", probed("http"), "LOW"],
    ["a web page inside TLS", "tcp/8080", probed("http", ssl), "NONE"],
    ["mail inside TLS", "tcp/993", probed("imap", ssl), "NONE"],
    ["Redis inside TLS", "tcp/6379", probed("redis", ssl), "HIGH"],
    ["an open port that nobody knows", "tcp/61234", undefined, "LOW"],
    ["a service that nobody knows", "tcp/61234", probed("minecraft"), "LOW"],
    // What said nothing counts as its port.
    ["rlogin behind a wrapper", "tcp/513", probed("tcpwrapped", { confidence: 8 }), "CRITICAL"],
    ["rsh behind a wrapper", "tcp/514", probed("tcpwrapped", { confidence: 8 }), "CRITICAL"],
    ["ZooKeeper, as eforward", "tcp/2181", guessed("eforward"), "HIGH"],
    ["distccd, silent", "tcp/3632", guessed("distccd"), "CRITICAL"],
    ["etcd, which Nmap's probes do not know", "tcp/2379", guessed("etcd-client"), "CRITICAL"],
    ["Docker's API that wants a certificate", "tcp/2376", guessed("docker", ssl), "HIGH"],
    ["MQTT inside TLS", "tcp/8883", guessed("secure-mqtt", ssl), "MEDIUM"],
    ["TLS, and no more", "tcp/2376", probed("ssl"), "HIGH"],
    ["a printer or an exporter", "tcp/9100", guessed("jetdirect"), "MEDIUM"],
    ["a silent port of Nmap's list without a port's row", "tcp/61234", guessed("telnet"), "HIGH"],
    ["a service without a row on a port with one", "tcp/3389", probed("hptsvr"), "HIGH"],
    ["a name that nothing says how it was learned", "tcp/2379", { name: "ssh", method: "", confidence: 0, cpe: [] }, "CRITICAL"],
    ["SSH on a database's port, of which Nmap is not sure", "tcp/5432", probed("ssh", { confidence: 5 }), "HIGH"],
    // HTTP does not show that something else listens on a port of what speaks it.
    ["etcd between servers", "tcp/2380", probed("http", { product: "Golang net/http server" }), "CRITICAL"],
    ["a kubelet", "tcp/10250", probed("http", { product: "Golang net/http server", ...ssl }), "HIGH"],
    ["WinRM", "tcp/5985", probed("http", { product: "Microsoft HTTPAPI httpd" }), "HIGH"],
    ["a web page on the port of a database without HTTP", "tcp/5432", probed("http"), "LOW"],
    ["Elasticsearch with a login on another port", "tcp/61234", probed("http", { product: "Elasticsearch REST API", extraInfo: "realm: x" }), "HIGH"],
    // What an answer proves of the login.
    ["an open X server", "tcp/6001", probed("X11", { product: "X.Org", extraInfo: "open" }), "CRITICAL"],
    ["an X server that refuses", "tcp/6001", probed("X11", { extraInfo: "access denied" }), "MEDIUM"],
    ["an X server of which nothing is known", "tcp/6001", probed("X11"), "HIGH"],
    ["Redis that tells its version", "tcp/6379", probed("redis", { product: "Redis key-value store", version: "7.0.15" }), "CRITICAL"],
    ["Redis with a password", "tcp/6379", probed("redis", { product: "Redis key-value store" }), "HIGH"],
    ["MongoDB that tells its state", "tcp/27017", probed("mongodb", { version: "4.4.6" }), "CRITICAL"],
    ["MongoDB that refuses HTTP", "tcp/27017", probed("mongodb", { version: "2.5.1 or later" }), "HIGH"],
    ["MongoDB with a login", "tcp/27017", probed("mongodb", { extraInfo: "need to login" }), "HIGH"],
    ["MySQL that refuses the address", "tcp/3306", probed("mysql", { extraInfo: "unauthorized" }), "MEDIUM"],
    ["an open proxy", "tcp/1080", probed("socks5", { extraInfo: "No authentication required; connection ok" }), "HIGH"],
    ["a proxy with a login", "tcp/1080", probed("socks5", { extraInfo: "Username/password authentication required" }), "MEDIUM"],
    ["words that only look like a sign", "tcp/61234", probed("http", { extraInfo: "open" }), "LOW"],
    // UDP.
    ["SNMP, by its port", "udp/161", undefined, "HIGH"],
    ["BACnet, by its port", "udp/47808", guessed("bacnet"), "HIGH"],
    ["rwho, which is not rlogin", "udp/513", guessed("who"), "MEDIUM"],
    ["a name server", "udp/53", probed("domain"), "LOW"],
  ])("of %s", (_name, port, service, expected) => {
    expect(level(port, service)).toBe(expected);
  });

  test("that comes from the port says what usually listens there", () => {
    expect(assess("tcp/2181", guessed("eforward")).usual).toBe("ZooKeeper");
    expect(assess("tcp/2380", probed("http")).usual).toBe("etcd");
    expect(assess("tcp/2181", probed("zookeeper")).usual).toBeUndefined();
  });
});

test("Nmap's words of real services become what they are: a broker by its name, a wrapper, a guess, and ports that Nmap does not ask", async () => {
  const port = (number: number, service: string) =>
    `<port protocol="tcp" portid="${number}"><state state="open" reason="syn-ack"/><service ${service}/></port>`;
  const hung = 'name="tcpwrapped" method="probed" conf="8"';
  // As Nmap 7.93 printed them of Mosquitto 2.0.11, etcd 3.4.23 and the exporter of Prometheus 1.5.0 with -sV.
  const ports = [
    port(514, hung),
    port(1883, 'name="mosquitto version 2.0.11" method="probed" conf="10"'),
    port(2181, 'name="eforward" method="table" conf="3"'),
    port(2380, 'name="http" product="Golang net/http server" extrainfo="Go-IPFS json-rpc or InfluxDB API" method="probed" conf="10"'),
    port(9100, 'name="jetdirect" method="table" conf="3"'),
    port(9101, 'name="http" method="probed" conf="10"'),
  ].join("");
  const xml = `<?xml version="1.0"?><!DOCTYPE nmaprun><nmaprun scanner="nmap"><scaninfo type="syn" protocol="tcp" numservices="9" services="1-9999"/><host><status state="up" reason="echo-reply"/><address addr="192.0.2.1" addrtype="ipv4"/><ports>${ports}</ports></host><runstats><finished exit="success"/></runstats></nmaprun>`;
  async function* file() {
    yield Buffer.from(xml);
  }
  const outcomes: Outcome[] = [];
  for await (const { outcome } of readNmapFile(file(), { type: "NMAP", tally: createTally() })) outcomes.push(outcome);
  const [{ detections, notes, observations }] = outcomes as [Outcome];
  const told = detections.map(({ scope, threat_level: threatLevel, description }) => [
    scope,
    threatLevel,
    description
      .split(/(?<=\.) /)
      .slice(0, 2)
      .join(" "),
  ]);
  expect(told).toEqual([
    ["tcp/514", "CRITICAL", "TCP port 514 is open; the service hung up without a word. On this port it is usually rsh."],
    ["tcp/1883", "HIGH", "TCP port 1883 is open and answers as mqtt: Mosquitto 2.0.11. It let the scanner in without a login."],
    ["tcp/2181", "HIGH", "TCP port 2181 is open; the service did not say what it is. On this port it is usually ZooKeeper."],
    [
      "tcp/2380",
      "CRITICAL",
      "TCP port 2380 is open and answers as http: Golang net/http server (Go-IPFS json-rpc or InfluxDB API). On this port it is usually etcd.",
    ],
    ["tcp/9100", "MEDIUM", "TCP port 9100 is open; the service did not say what it is. On this port it is usually a printer or Prometheus's node exporter."],
    ["tcp/9101", "LOW", expect.stringContaining("answers as http")],
  ]);
  expect(notes).toEqual([expect.stringMatching(/^What listens on 9100 was not asked: .*9100 to 9107/)]);
  expect(observations?.map((seen) => (seen.kind === "service" ? seen.name : ""))).toEqual([undefined, "mqtt", undefined, "http", undefined, "http"]);
});
