import { Resolver } from "node:dns/promises";
import { OutgoingError, type OutgoingPolicy } from "./outgoing-policy.ts";

const lookupMilliseconds = 4000;
const noRecord = new Set(["ENOTFOUND", "ENODATA"]);

/** The TXT records of a name, each with its parts joined (RFC 7208, 3.3). None is an empty list. Throws `OutgoingError` where the name servers do not answer. */
export async function resolveTexts(name: string, { dnsServers }: OutgoingPolicy): Promise<string[]> {
  const resolver = new Resolver({ timeout: lookupMilliseconds / 2, tries: 2, maxTimeout: lookupMilliseconds / 2 });
  if (dnsServers) resolver.setServers(dnsServers);
  try {
    return (await resolver.resolveTxt(name)).map((parts) => parts.join(""));
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (noRecord.has(code)) return [];
    throw new OutgoingError(`The name servers gave no answer (${code}).`, { cause: error });
  }
}
