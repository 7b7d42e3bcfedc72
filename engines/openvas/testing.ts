import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:net";

const sample = readFileSync(new URL("samples/osp/one.xml", import.meta.url), "utf8");

/** What a real scanner answered to such a request. */
export const recordedAnswer = (name: string): string => new RegExp(`<${name}_response[^]*?</${name}_response>`).exec(sample)?.[0] ?? "";

/** A scanner at this socket that gives these answers to whole requests; none where there is none. */
export async function serveOsp(path: string, answer: (request: string) => string | undefined): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, (connection) => {
    let request = "";
    connection.on("error", () => {});
    connection.on("data", (bytes) => {
      request += bytes;
    });
    connection.on("end", () => {
      const text = answer(request);
      if (text !== undefined) connection.end(text);
    });
  });
  await once(server.listen(path), "listening");
  return server;
}
