import { z } from "zod";

/** One step of a recording, as Selenium IDE names it. `targets` are other ways to find the same element. */
const Step = z.object({
  command: z.string().min(1).max(100),
  target: z.string().max(4096),
  targets: z.array(z.string().max(4096)).max(20),
  value: z.string().max(4096),
});
export type RecordingStep = z.infer<typeof Step>;

/** What is kept of a Selenium IDE recording: the one test that logs in. */
export const Recording = z.object({
  name: z.string().max(200),
  /** What relative addresses begin with. */
  url: z.url({ protocol: /^https?$/ }).max(2048),
  steps: z.array(Step).min(1).max(500),
});
export type Recording = z.infer<typeof Recording>;

const waits = ["Present", "NotPresent", "Visible", "NotVisible", "Editable", "NotEditable"].map((state) => `waitForElement${state}`);
const checks = ["Text", "NotText", "ElementPresent", "ElementNotPresent", "Title", "Value"].flatMap((what) => [`assert${what}`, `verify${what}`]);

/** The commands that a recording may have. Others would need a script, a second window or a variable, and are refused by name. */
export const recordingCommands: ReadonlySet<string> = new Set([
  ...["open", "click", "clickAt", "doubleClick", "doubleClickAt", "type", "sendKeys", "select", "check", "uncheck", "submit"],
  ...["pause", "waitForText", ...waits, ...checks, "selectFrame", "setWindowSize"],
  // Without effect on a login: what the mouse passed on its way, and words for the reader.
  ...["mouseOver", "mouseOut", "mouseDown", "mouseDownAt", "mouseMove", "mouseMoveAt", "mouseUp", "mouseUpAt", "echo", "close"],
]);
