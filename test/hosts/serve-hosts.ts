import dgram from "node:dgram";
import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";

/** One host's listeners. A TCP port greets with its text, or stays silent, over TLS the same; a UDP port answers every datagram with its text. */
export interface HostServices {
  address: string;
  tcp: Record<number, string>;
  tls?: Record<number, { greeting: string; key: string; cert: string }>;
  udp?: Record<number, string>;
}

// A process that listens as the hosts of a test do, inside their network namespace. Gets the services as JSON in its first argument, says
// `ready`, and ends when its parent closes its standard input.
const hosts = JSON.parse(process.argv[2] ?? "[]") as HostServices[];

for (const { address, tcp, tls: secured = {}, udp = {} } of hosts) {
  await Promise.all([
    ...Object.entries(tcp).map(([port, greeting]) => listen(net.createServer(greet(greeting)), address, Number(port))),
    ...Object.entries(secured).map(([port, { greeting, key, cert }]) => listen(tls.createServer({ key, cert }, greet(greeting)), address, Number(port))),
    ...Object.entries(udp).map(([port, answer]) => listenUdp(address, Number(port), answer)),
  ]);
}
console.log("ready");
process.stdin.resume().once("close", () => process.exit(0));

function greet(greeting: string) {
  return (socket: net.Socket) => {
    socket.on("error", () => {});
    socket.resume();
    if (greeting !== "") socket.end(greeting);
  };
}

async function listen(server: net.Server, host: string, port: number): Promise<void> {
  server.listen({ host, port, backlog: 512 });
  await once(server, "listening");
}

async function listenUdp(host: string, port: number, answer: string): Promise<void> {
  const socket = dgram.createSocket(net.isIPv6(host) ? "udp6" : "udp4");
  socket.on("message", (_message, from) => socket.send(answer, from.port, from.address));
  socket.bind(port, host);
  await once(socket, "listening");
}
