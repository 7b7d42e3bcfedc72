import type { FoundRule } from "./find-rule.ts";
import type { Message, MessageStrings } from "./schema.ts";

/** The most characters that a text may grow to: a placeholder takes three and may stand for thousands. */
const mostCharacters = 20_000;

/**
 * The words of a message (3.11.7): its own, else those that its id names among the rule's texts, else among those of the rule's component. Placeholders
 * are filled (3.11.5), and what is linked to a place in the file stands for itself (3.11.6). Empty where there are none.
 */
export function resolveText(message: Message | undefined, found?: FoundRule): string {
  if (!message) return "";
  const own = message.text ?? message.markdown;
  const named =
    message.id === undefined ? undefined : (findText(found?.rule.messageStrings, message.id) ?? findText(found?.component.globalMessageStrings, message.id));
  const values = (message.arguments ?? []).map((value) => value ?? "");
  // Many tools write braces as they are. Only a text with arguments, or one from the list, is surely one of placeholders.
  const text = own === undefined ? fill(named ?? "", values) : values.length > 0 ? fill(own, values) : own.slice(0, mostCharacters);
  return text.replace(linkToPlace, "$1");
}

/** `[text](1)`: the number is that of a place beside the result. */
const linkToPlace = /\[((?:[^[\]\\]|\\.){1,1000})\]\(\d{1,9}\)/g;

function findText(strings: MessageStrings, id: string): string | undefined {
  const found = strings && Object.hasOwn(strings, id) ? strings[id] : undefined;
  return found?.text ?? found?.markdown;
}

/** A placeholder without a value stays as it is. */
function fill(template: string, values: string[]): string {
  let text = "";
  let from = 0;
  for (const { 0: part, 1: number, index } of template.matchAll(/\{\{|\}\}|\{(\d{1,4})\}/g)) {
    const value = number === undefined ? part.slice(1) : (values[Number(number)] ?? part);
    text += template.slice(from, index) + value.slice(0, mostCharacters);
    from = index + part.length;
    if (text.length >= mostCharacters) return text.slice(0, mostCharacters);
  }
  return (text + template.slice(from)).slice(0, mostCharacters);
}
