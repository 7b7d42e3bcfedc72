import { threatLevels } from "@periscan/contract/risk.ts";
import type { Counts, ScanSummary } from "../events/summarise-scan.ts";

export interface Message {
  eventType: string;
  /** The event as it is sent, byte for byte. */
  body: string;
}

const maxLineCharacters = 400;
/** What Slack takes in one block, less what the ellipsis needs. */
const maxSlackCharacters = 2900;

/** The same message in the form of each kind of receiver. */
export interface RenderedNotification {
  email(): { subject: string; text: string };
  slack(): object;
  teams(): object;
}

/** What a message says, before it takes a form: a title, then lines of plain text, then perhaps an address. */
interface Content {
  title: string;
  lines: string[];
  link?: string;
}

/** Renders what `recordScanNotifications` wrote, or a ping. `publicUrl` is the server's address for people; without it there is no link. */
export function renderNotification({ eventType, body }: Message, publicUrl: string | undefined): RenderedNotification {
  const { data } = JSON.parse(body) as { data: unknown };
  const content = eventType === "ping" ? pingContent : describeScan(data as ScanSummary, publicUrl);
  return { email: () => renderEmail(content), slack: () => renderSlack(content), teams: () => renderTeams(content) };
}

const pingContent: Content = { title: "Periscan: a test message", lines: ["Notifications of this workspace arrive here."] };

function describeScan(summary: ScanSummary, publicUrl: string | undefined): Content {
  const { scan, new_open, still_open, closed, worst } = summary;
  const news = total(new_open);
  const outcome = scan.state === "FAILED" ? "failed" : news === 0 ? "found nothing new" : `found ${news} new ${news === 1 ? "risk" : "risks"}`;
  const more = news - worst.length;
  return {
    title: `Periscan: ${scan.type} scan ${outcome}`,
    lines: [
      ...(scan.error === undefined ? [] : [`Why it failed: ${scan.error}`]),
      `New: ${describeCounts(new_open)}`,
      `Still open: ${describeCounts(still_open)}`,
      `Closed: ${describeCounts(closed)}`,
      `Targets looked at to the end: ${scan.complete_targets} of ${scan.targets}`,
      ...worst.map(({ threat_level, title, target }) => `${threat_level}: ${title} (${target})`),
      ...(more > 0 ? [`… and ${more} more`] : []),
    ].map(toLine),
    ...(publicUrl === undefined ? {} : { link: `${publicUrl.replace(/\/+$/, "")}/v1/scans/${scan.id}` }),
  };
}

const total = (counts: Counts): number => Object.values(counts).reduce((sum, count) => sum + count, 0);

function describeCounts(counts: Counts): string {
  const parts = threatLevels.flatMap((level) => (counts[level] ? [`${counts[level]} ${level}`] : []));
  return parts.length === 0 ? "none" : parts.join(", ");
}

/** Scanner output on one line: what could steer a mail or reorder text becomes U+FFFD. */
const toLine = (text: string): string =>
  text
    .replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, "\uFFFD")
    .slice(0, maxLineCharacters)
    .toWellFormed();

const renderEmail = ({ title, lines, link }: Content) => ({ subject: title, text: [...lines, ...(link ? ["", link] : [])].join("\n") });

/**
 * Slack's incoming webhook. Scanner output is plain text: in mrkdwn Slack would make links of addresses and format. Escaped too, as its
 * documentation says of every text.
 */
function renderSlack({ title, lines, link }: Content): object {
  let text = "";
  for (const line of lines.map(escapeSlack)) {
    if (text.length + line.length > maxSlackCharacters) {
      text += "…";
      break;
    }
    text += `${line}\n`;
  }
  const plain = (type: "header" | "section", text: string) => ({ type, text: { type: "plain_text", text, emoji: false } });
  const open = { type: "section", text: { type: "mrkdwn", text: `<${link}|Open the scan>` } };
  return { text: escapeSlack(title), blocks: [plain("header", title), plain("section", text), ...(link ? [open] : [])] };
}

const escapeSlack = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** An Adaptive Card for a webhook of Teams' workflows. Rich text is literal there; text blocks would read scanner output as Markdown. */
function renderTeams({ title, lines, link }: Content): object {
  const text = (line: string, style: object = {}) => ({ type: "RichTextBlock", inlines: [{ type: "TextRun", text: line, ...style }] });
  const card = {
    $schema: "http://adaptivecards.io/schemas/adaptive-card.json",
    type: "AdaptiveCard",
    version: "1.4",
    body: [text(title, { weight: "Bolder", size: "Medium" }), ...lines.map((line) => text(line))],
    ...(link ? { actions: [{ type: "Action.OpenUrl", title: "Open the scan", url: link }] } : {}),
  };
  return { type: "message", attachments: [{ contentType: "application/vnd.microsoft.card.adaptive", contentUrl: null, content: card }] };
}
