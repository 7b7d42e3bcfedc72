import { expect, test } from "vitest";
import { fillPage, fillPageById, makePage, mostPageBytes } from "./page.ts";

const rowsOf = (count: number) => Array.from({ length: count }, (_, index) => ({ id: `${index}`, text: "" }));
const tokenOf = (page: { next_page_token?: string }) => page.next_page_token && Buffer.from(page.next_page_token, "base64url").toString();

test("a page of long rows ends before its bound, has a token, and no more rows were read than about fit", async () => {
  const rows = rowsOf(500);
  let read = 0;
  const long = (id: string) => ({ id, text: "x".repeat(100_000) });
  const page = await fillPageById(rows, 500, async (some) => {
    read += some.length;
    return some.map(({ id }) => long(id));
  });
  expect(JSON.stringify(page.data).length).toBeLessThanOrEqual(mostPageBytes);
  expect(page.data).toHaveLength(20);
  expect(tokenOf(page)).toBe("19");
  expect(read).toBeLessThan(60);
});

test("rows that grow do not make a page grow: what is read at once at most doubles", async () => {
  const steps: number[] = [];
  const page = await fillPageById(rowsOf(500), 500, async (some) => {
    steps.push(some.length);
    return some.map(({ id }) => ({ id, text: "x".repeat(Number(id) < 25 ? 1 : 500_000) }));
  });
  expect(steps).toEqual([25, 50]);
  expect(page.data.length).toBeLessThan(30);
});

test("one row is on a page however long it is, and a page of short rows is whole", async () => {
  const huge = "x".repeat(mostPageBytes * 2);
  expect(await fillPageById(rowsOf(2), 1, async (some) => some.map(({ id }) => ({ id, text: huge })))).toMatchObject({ data: [{ id: "0" }] });
  expect(makePage(rowsOf(2), 2, ({ id }) => ({ id, text: huge })).data).toHaveLength(1);
  const page = await fillPageById(rowsOf(500), 500, async (some) => some);
  expect(page.data.map(({ id }) => id)).toEqual(rowsOf(500).map(({ id }) => id));
  expect(page).not.toHaveProperty("next_page_token");
  expect(tokenOf(makePage(rowsOf(3), 2, (row) => row))).toBe("1");
});

test("a row that goes while a page is read leaves the others in their order, and its token still leads on", async () => {
  const page = await fillPage({
    rows: rowsOf(4),
    pageSize: 3,
    tokenOf: ({ id }) => id,
    load: async (some) => some.map((row) => (row.id === "2" ? undefined : row)),
  });
  expect(page.data.map(({ id }) => id)).toEqual(["0", "1"]);
  expect(tokenOf(page)).toBe("2");
});
