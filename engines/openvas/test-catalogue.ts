import type { FeedIndex } from "./feed.ts";
import { askOsp, escapeXml, findChild, type OspAddress, OspRefusal } from "./osp-client.ts";
import { readTest, type ScanResult, type TestFacts } from "./read-answers.ts";

/** What the feed says of tests, asked once for each state of the feed. */
export interface TestCatalogue {
  /** The tests behind these results; one that the feed does not know is missing. */
  describe(results: ScanResult[], signal: AbortSignal): Promise<ReadonlyMap<string, TestFacts>>;
}

const mostKept = 5000;
const kept = new Map<string, TestFacts>();

export function createTestCatalogue(address: OspAddress, { name, version, set }: FeedIndex): TestCatalogue {
  return {
    describe: async (results, signal) => {
      const oids = new Set(results.flatMap(({ oid }) => (oid === "" ? [] : [oid])));
      const facts = new Map<string, TestFacts>();
      for (const oid of oids) {
        const key = `${name} ${version} ${set} ${oid}`;
        const test = kept.get(key) ?? (await askTest(address, oid, signal));
        if (!test) continue;
        facts.set(oid, test);
        kept.set(key, test);
        const oldest = kept.size > mostKept ? kept.keys().next().value : undefined;
        if (oldest !== undefined) kept.delete(oldest);
      }
      return facts;
    },
  };
}

async function askTest(address: OspAddress, oid: string, signal: AbortSignal): Promise<TestFacts | undefined> {
  try {
    const answer = await askOsp(address, `<get_vts vt_id="${escapeXml(oid)}"/>`, { signal, seconds: 60, bytes: 4 * 1024 ** 2 });
    const vt = findChild(findChild(answer, "vts"), "vt");
    const test = vt?.attributes.id ? readTest(vt) : undefined;
    return test?.oid === oid ? test : undefined;
  } catch (error) {
    if (error instanceof OspRefusal && error.status === "404") return undefined;
    throw error;
  }
}
