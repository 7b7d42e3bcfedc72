import { expect, test } from "vitest";
import { lookTogether } from "./look-together.ts";

test("hundreds that ask at about the same time cost one look, and each hears of its own", async () => {
  const asked: string[][] = [];
  const isThere = lookTogether(async (ids) => {
    asked.push(ids);
    return ids.filter((id) => id.endsWith("0"));
  });
  const answers = await Promise.all(Array.from({ length: 300 }, (_, index) => isThere(`${index % 150}`)));
  expect(asked).toHaveLength(1);
  expect(asked[0]).toHaveLength(150);
  expect(answers.filter(Boolean)).toHaveLength(30);
  await isThere("10");
  expect(asked[1]).toEqual(["10"]);
});

test("a look that fails fails those who asked, and the next is made anew", async () => {
  let fails = true;
  const isThere = lookTogether(async (ids) => {
    if (fails) throw new Error("no database");
    return ids;
  });
  const asking = [isThere("a"), isThere("b")].map((each) => expect(each).rejects.toThrow("no database"));
  await Promise.all(asking);
  fails = false;
  expect(await isThere("a")).toBe(true);
});
