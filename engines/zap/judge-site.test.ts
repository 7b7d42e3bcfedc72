import { describe, expect, test } from "vitest";
import type { ZapApi } from "./api-answers.ts";
import { readCoverage } from "./coverage.ts";
import { judgeEnd } from "./judge-site.ts";
import { readSiteText } from "./read-zap-json.ts";
import type { SiteScan, SiteTask } from "./site-task.ts";
import { writeSite } from "./write-site.ts";

const origin = { scheme: "http" as const, host: "site.test", port: 80, path: "/" };
const message = (answer: string) => ({
  id: "1",
  requestHeader: "",
  requestBody: "",
  responseHeader: `HTTP/1.1 ${answer.replace(" ", "\r\nLocation: ")}\r\n`,
  responseBody: "",
});
const makeScan = (change: Partial<SiteScan> = {}): SiteScan => ({
  start: message("200"),
  ...{ pages: [], alerts: [], messages: new Map(), ran: ["10021"], whole: true, cut: [], notes: [] },
  ...change,
});

describe("a site whose start page answers less at the end than at the start is partial", () => {
  const judge = async (before: string, after: string) => {
    const scan = makeScan({ start: message(before) });
    const api = { readStats: async () => ({}), access: async () => message(after) } as unknown as ZapApi;
    const task = { origin, proxy: { counts: { cut: 0 } }, rules: { passive: { content: { origin: "user" } } } } as unknown as SiteTask;
    await judgeEnd(api, task, scan);
    return scan.cut.join(" ");
  };
  test.each([
    ["200", "403"],
    ["200", "429"],
    ["200", "401"],
    ["200", "503"],
    ["200", "404"],
    ["200", "302 /captcha"],
    ["302 /home", "403"],
    ["302 /home", "302 /captcha"],
    ["302 /home", "302 http://elsewhere.test/home"],
    ["404", "403"],
    ["401", "429"],
    ["403", "500"],
  ])("%s, then %s", async (before, after) => {
    const cut = await judge(before, after);
    for (const answer of [before, after]) expect(cut).toContain(answer.split(" ")[0]);
  });
  test.each([
    ["200", "200"],
    ["200", "204"],
    ["401", "401"],
    ["404", "404"],
    ["503", "200"],
    ["302 /home", "200"],
    ["302 /home?sid=8f14e45fceea167a", "302 /home?sid=1111111111111111"],
    ["302 /home;s=1", "302 /home;s=2"],
  ])("and not where it answers as before, or better: %s, then %s", async (before, after) => expect(await judge(before, after)).toBe(""));
});

describe("a risk that was seen on a page that answered", () => {
  const alert = {
    ...{ pluginId: "10021", alertRef: "10021", name: "A risk", risk: "Low" as const, confidence: "High" as const, method: "GET" },
    ...{ param: "", attack: "", evidence: "", other: "", description: "", solution: "", reference: "", cweid: "1", wascid: "1", sourceid: "3" },
    ...{ url: "http://site.test/page", messageId: "2", sourceMessageId: "2" },
  };
  const look = (statusCode: number, isSeen: boolean) => {
    const pages = [{ processed: true, reasonNotProcessed: "", method: "GET", messageId: "2", url: "http://site.test/page", statusCode }];
    return readSiteText(writeSite(makeScan({ pages, alerts: isSeen ? [alert] : [] }), { origin, content: [], login: undefined, notes: [] }));
  };
  test.each([
    [500, 401, false],
    [500, 403, false],
    [500, 429, false],
    [500, 502, false],
    [500, 503, false],
    [500, 504, false],
    [500, 522, false],
    [500, 500, true],
    [500, 200, true],
    [500, 404, true],
    [200, 500, false],
    [200, 403, false],
    [503, 503, false],
    [429, 429, false],
    [403, 403, true],
    [403, 200, true],
    [403, 503, false],
  ])("%i, when it answers %i, is closed: %s", (before, after, isClosed) => {
    const scope = look(before, true).detections[0]?.scope ?? "";
    expect(readCoverage(look(after, false).coverage)(scope)).toBe(isClosed);
  });
});
