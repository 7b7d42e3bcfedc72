import { ParseError, type ReadContext, type ReadOutcome } from "../kit/engine.ts";
import { type ReportOutcome, readOpenvasXml } from "./read-openvas-xml.ts";

/** A report as GMP gives it, ours or Greenbone's. It names addresses: a target that is a name is the report's one host. */
export async function* readOpenvasFile(file: AsyncIterable<Uint8Array>, { target }: ReadContext): AsyncIterable<ReadOutcome> {
  const hosts: ReportOutcome[] = [];
  for await (const host of readOpenvasXml(file)) hosts.push(host);
  if (hosts.length === 0) throw new ParseError("The report has no host.");
  const own = target ? hosts.filter(({ address }) => address === target.host) : hosts;
  const wanted = own.length === 0 && hosts.length === 1 ? hosts : own;
  if (wanted.length === 0) throw new ParseError(`The report has ${hosts.length} hosts, and none of them is ${target?.text}.`);
  for (const { address, ...told } of wanted) yield { target: target?.text ?? address, address, ...told };
}
