/** Text of a target, fit to be stored: without NUL and other control characters, which a database refuses, and without halves of characters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what this is about.
export const cleanText = (text: string): string => text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g, "\ufffd").toWellFormed();

/** The same, in at most so many characters. */
export const clip = (text: string, most: number): string => cleanText(text.length > most ? `${text.slice(0, most - 1)}…` : text);
