import { setTimeout as sleep } from "node:timers/promises";
import type { RecordingStep } from "@periscan/contract/recording.ts";
import type { FrameLocator, Locator, Page } from "playwright-core";

export type Place = Page | FrameLocator;

/** Why a step could not be done, as a sentence for the user. */
export class StepError extends Error {}

const quote = (text: string) => `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
/** As it reads: however many spaces the page has in it. */
const exactly = (text: string) => {
  const words = text.trim().split(/\s+/);
  return new RegExp(`^\\s*${words.map((word) => word.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("\\s+")}\\s*$`);
};

/** Selenium IDE's ways to name an element: https://www.selenium.dev/selenium-ide/docs/en/api/arguments#locator. Throws `StepError` on another. */
export function locate(place: Place, target: string): Locator {
  const [, way = "", rest = ""] = /^(id|name|css|xpath|linkText|link|partialLinkText)=(.*)$/s.exec(target) ?? [];
  if (way === "id") return place.locator(`css=[id=${quote(rest)}]`);
  if (way === "name") return place.locator(`css=[name=${quote(rest)}]`);
  if (way === "css") return place.locator(`css=${rest}`);
  if (way === "xpath") return place.locator(`xpath=${rest}`);
  if (way === "linkText" || way === "link") return place.locator("a").filter({ hasText: exactly(rest) });
  if (way === "partialLinkText") return place.locator("a").filter({ hasText: rest });
  if (/^\(*\/\//.test(target)) return place.locator(`xpath=${target}`);
  throw new StepError(`it names its element in a way that is not known here (${target.slice(0, 80)})`);
}

const lookMilliseconds = 100;

/** The step's element, once it is visible: by its target, or by one of the other ways that the recording has for it. Throws `StepError` after so many milliseconds. */
export async function awaitElement(place: Place, step: RecordingStep, milliseconds: number): Promise<Locator> {
  const ways = [step.target, ...step.targets].flatMap((target) => {
    try {
      return [locate(place, target).first()];
    } catch (error) {
      // Of the other ways one may be unknown.
      if (target === step.target && step.targets.length === 0) throw error;
      return [];
    }
  });
  const until = performance.now() + milliseconds;
  do {
    for (const way of ways) if (await way.isVisible()) return way;
    await sleep(lookMilliseconds);
  } while (performance.now() < until);
  throw new StepError(`its element did not show within ${Math.round(milliseconds / 1000)} s (${step.target.slice(0, 80)})`);
}

/** Waits until the element is, or is not, in this state. */
export async function awaitState(element: Locator, state: { wanted: boolean; is(element: Locator): Promise<boolean> }, milliseconds: number): Promise<boolean> {
  const until = performance.now() + milliseconds;
  do {
    if ((await state.is(element)) === state.wanted) return true;
    await sleep(lookMilliseconds);
  } while (performance.now() < until);
  return false;
}
