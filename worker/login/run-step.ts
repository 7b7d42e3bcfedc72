import { setTimeout as sleep } from "node:timers/promises";
import type { RecordingStep } from "@periscan/contract/recording.ts";
import type { Locator, Page } from "playwright-core";
import { awaitElement, awaitState, locate, type Place, StepError } from "./find-element.ts";

export interface Replay {
  page: Page;
  /** The page, or the frame that was chosen in it. */
  place: Place;
  /** What relative addresses begin with. */
  url: string;
  signal: AbortSignal;
}

const elementMilliseconds = 10_000;
const longestMilliseconds = 30_000;

type Run = (replay: Replay, step: RecordingStep) => Promise<unknown>;
const onElement =
  (act: (element: Locator, value: string) => Promise<unknown>): Run =>
  async ({ place }, step) =>
    act(await awaitElement(place, step, elementMilliseconds), step.value);
const ignore: Run = async () => {};
const timeout = { timeout: elementMilliseconds };

const actions: Record<string, Run> = {
  open: ({ page, url }, { target }) => page.goto(new URL(target, url).href, { waitUntil: "load", timeout: longestMilliseconds }),
  click: onElement((element) => element.click(timeout)),
  clickAt: onElement((element) => element.click(timeout)),
  doubleClick: onElement((element) => element.dblclick(timeout)),
  doubleClickAt: onElement((element) => element.dblclick(timeout)),
  type: onElement((element, value) => element.fill(value, timeout)),
  sendKeys: onElement(sendKeys),
  select: onElement(select),
  check: onElement((element) => element.check(timeout)),
  uncheck: onElement((element) => element.uncheck(timeout)),
  submit: onElement((element) => element.evaluate((form) => (form as unknown as { requestSubmit(): void }).requestSubmit())),
  pause: ({ signal }, { target, value }) => sleep(Math.min(Number(target || value) || 0, elementMilliseconds), undefined, { signal }),
  setWindowSize: ({ page }, { target }) => {
    const [width = 1280, height = 720] = target.split(/[x,]/).map((part) => Math.min(4096, Math.max(200, Number(part) || 0)));
    return page.setViewportSize({ width, height });
  },
  selectFrame: async (replay, { target }) => {
    const index = /^index=(\d{1,3})$/.exec(target)?.[1];
    if (/^relative=(parent|top)$/.test(target)) replay.place = replay.page;
    else if (index !== undefined) replay.place = replay.place.locator("iframe, frame").nth(Number(index)).contentFrame();
    else replay.place = locate(replay.place, target).first().contentFrame();
  },
};

const ignored = new Set(["mouseOver", "mouseOut", "mouseDown", "mouseDownAt", "mouseMove", "mouseMoveAt", "mouseUp", "mouseUpAt", "echo", "close"]);

/** Does one step. Throws `StepError` where it could not be done, or what it checks does not hold. */
export async function runStep(replay: Replay, step: RecordingStep): Promise<void> {
  const { command } = step;
  const wait = /^waitForElement(Not)?(Present|Visible|Editable)$/.exec(command);
  const check = /^(?:assert|verify|waitFor)(Not)?(Text|ElementPresent|ElementNotPresent|Title|Value)$/.exec(command);
  if (wait) await waitFor(replay, step, { wanted: wait[1] === undefined, state: wait[2] ?? "" });
  else if (check) await requireTrue(replay, step, { wanted: check[1] === undefined, what: check[2] ?? "" });
  else await ((ignored.has(command) ? ignore : actions[command]) ?? refuse)(replay, step);
}

const refuse: Run = async (_, { command }) => {
  throw new StepError(`this worker does not know ${command}`);
};

const states: Record<string, (element: Locator) => Promise<boolean>> = {
  Present: async (element) => (await element.count()) > 0,
  Visible: (element) => element.isVisible(),
  Editable: async (element) => (await element.count()) > 0 && (await element.isEditable({ timeout: 1000 })),
};

async function waitFor({ place }: Replay, { target, value }: RecordingStep, { wanted, state }: { wanted: boolean; state: string }): Promise<void> {
  const milliseconds = Math.min(Number(value) || elementMilliseconds, longestMilliseconds);
  const is = states[state] ?? (async () => false);
  if (await awaitState(locate(place, target).first(), { wanted, is }, milliseconds)) return;
  throw new StepError(`its element is ${wanted ? "not " : ""}${state.toLowerCase()} after ${Math.round(milliseconds / 1000)} s (${target.slice(0, 80)})`);
}

/** What is checked may come a moment later. The text itself is in no message: it may be somebody's. */
async function requireTrue({ page, place }: Replay, { target, value }: RecordingStep, { wanted, what }: { wanted: boolean; what: string }): Promise<void> {
  const element = what === "Title" ? page.locator("html") : locate(place, target).first();
  const checks: Record<string, () => Promise<boolean>> = {
    Title: async () => (await page.title()).trim() === target.trim(),
    Text: async () => (await element.count()) > 0 && (await element.innerText(timeout)).trim() === value.trim(),
    Value: async () => (await element.count()) > 0 && (await element.inputValue(timeout)) === value,
    ElementPresent: async () => (await element.count()) > 0,
    ElementNotPresent: async () => (await element.count()) === 0,
  };
  const is = checks[what] ?? (async () => false);
  if (!(await awaitState(element, { wanted, is }, elementMilliseconds))) throw new StepError(`what it checks does not hold (${target.slice(0, 80)})`);
}

/** `\${KEY_ENTER}` and the like: https://www.selenium.dev/selenium-ide/docs/en/api/arguments#keysequence */
const keys: Record<string, string> = {
  ...{ ENTER: "Enter", RETURN: "Enter", TAB: "Tab", ESC: "Escape", ESCAPE: "Escape", SPACE: "Space", BACKSPACE: "Backspace", BKSP: "Backspace" },
  ...{ DELETE: "Delete", DEL: "Delete", UP: "ArrowUp", DOWN: "ArrowDown", LEFT: "ArrowLeft", RIGHT: "ArrowRight", HOME: "Home", END: "End" },
};

async function sendKeys(element: Locator, value: string): Promise<void> {
  for (const part of value.split(/(\$\{KEY_[A-Z_]+\})/)) {
    const name = /^\$\{KEY_([A-Z_]+)\}$/.exec(part)?.[1];
    if (part === "") continue;
    if (name === undefined) await element.pressSequentially(part, timeout);
    else if (keys[name]) await element.press(keys[name], { ...timeout, noWaitAfter: true });
    else throw new StepError(`the key ${name} is not known here`);
  }
}

async function select(element: Locator, value: string): Promise<void> {
  const [, way = "label", text = value] = /^(label|value|index|id)=(.*)$/s.exec(value) ?? [];
  if (way === "id") throw new StepError("an option by its id is not known here");
  await element.selectOption(way === "index" ? { index: Number(text) } : way === "value" ? { value: text } : { label: text }, timeout);
}
