import { setTimeout as sleep } from "node:timers/promises";

/** So long a look waits for others to join it. */
const gatherMilliseconds = 200;

/**
 * One look for all who ask at about the same time: hundreds of requests that wait for files cost five queries a second. Answers whether the id is among
 * those that `find` answers, which is given all that were asked for.
 */
export function lookTogether(find: (ids: string[]) => Promise<string[]>): (id: string) => Promise<boolean> {
  let gathering: { ids: Set<string>; found: Promise<Set<string>> } | undefined;
  const start = () => {
    const ids = new Set<string>();
    const look = async () => {
      await sleep(gatherMilliseconds);
      gathering = undefined;
      return new Set(await find([...ids]));
    };
    return { ids, found: look() };
  };
  return async (id) => {
    gathering ??= start();
    gathering.ids.add(id);
    return (await gathering.found).has(id);
  };
}
