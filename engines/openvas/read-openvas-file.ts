import { ParseError, type ReadContext, type ReadOutcome } from "../kit/engine.ts";
import { readOpenvasReport } from "./read-openvas-xml.ts";

/** A report as GMP gives it, ours or Greenbone's. It names addresses: a target that is a name is the report's one host. */
export async function* readOpenvasFile(file: AsyncIterable<Uint8Array>, { target, tally }: ReadContext): AsyncIterable<ReadOutcome> {
  const report = await readOpenvasReport(file);
  const { addresses } = report;
  const own = target ? addresses.filter((address) => address === target.host) : addresses;
  const wanted = own.length === 0 && addresses.length === 1 ? addresses : own;
  if (wanted.length === 0) throw new ParseError(`The report has ${addresses.length} hosts, and none of them is ${target?.text}.`);
  report.countStrange(tally);
  if (target) for (const address of addresses) if (!wanted.includes(address)) report.leaveOut(address, `of other targets than ${target.text}`, tally);
  for (const address of wanted) {
    const told = report.tell(address, tally);
    yield { ...told, target: target?.text ?? address };
  }
}
