import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import type { Outcome } from "@periscan/contract/outcome.ts";
import { ParseError } from "@periscan/engines/kit/engine.ts";
import { z } from "zod";

const Line = z.union([
  z.strictObject({ address: z.string(), greeting: z.string().max(1000) }),
  z.strictObject({ address: z.string(), error: z.string().max(1000) }),
]);

/** The program's lines as outcomes. Throws ParseError on a line that is not the program's, and where its end marker is missing. */
export async function* readGreetings(output: AsyncIterable<Uint8Array>, port: number): AsyncIterable<{ address: string; outcome: Outcome; native: string }> {
  let ended = false;
  for await (const text of createInterface({ input: Readable.from(output) })) {
    if (text === "end") ended = true;
    else yield readLine(text, port);
  }
  if (!ended) throw new ParseError("The output was cut off: its end marker is missing.");
}

function readLine(text: string, port: number): { address: string; outcome: Outcome; native: string } {
  const line = Line.safeParse(parseJson(text));
  if (!line.success) throw new ParseError("A line is not one of the program's.", { cause: line.error });
  const { address } = line.data;
  const outcome: Outcome =
    "error" in line.data
      ? { kind: "unreachable", reason: `It did not greet: ${line.data.error}.`, notes: [], detections: [] }
      : { kind: "complete", coverage: { port }, notes: [], detections: line.data.greeting === "" ? [] : [detect(port, line.data.greeting)] };
  return { address, outcome, native: text };
}

const detect = (port: number, greeting: string): Outcome["detections"][number] => ({
  key: `greeting/${port}`,
  scope: `tcp/${port}`,
  title: `Greeting on port ${port}`,
  threat_level: "LOW",
  description: "The service tells everybody who connects what it is. That helps whoever looks for a version with a known fault.",
  solution: "Configure the service to greet without its name and version.",
  references: ["https://cwe.mitre.org/data/definitions/200.html"],
  additional_info: { port },
  detail: { port, greeting },
});

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
