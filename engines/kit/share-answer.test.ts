import { expect, test } from "vitest";
import { shareAnswer } from "./share-answer.ts";

test("those who ask the same at a time are told the one answer, also where it is a failure; who asks later, or of another, asks anew", async () => {
  const asked: string[] = [];
  const ask = shareAnswer(
    async (name: string) => {
      asked.push(name);
      if (name === "bad") throw new Error(`no answer ${asked.length}`);
      return `answer ${asked.length}`;
    },
    (name) => name,
  );
  expect(await Promise.all([ask("a"), ask("a"), ask("b")])).toEqual(["answer 1", "answer 1", "answer 2"]);
  expect(await ask("a")).toBe("answer 3");
  expect(await Promise.allSettled([ask("bad"), ask("bad")])).toMatchObject([{ reason: { message: "no answer 4" } }, { reason: { message: "no answer 4" } }]);
  await expect(ask("bad")).rejects.toThrow("no answer 5");
});
