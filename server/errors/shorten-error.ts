import pino from "pino";

const maxCharacters = 4000;

/**
 * An error as the log has it. A statement that fails holds all that was to be written, as its parameters and again in its message and stack: megabytes of what a scanner saw,
 * which are neither for the log nor of use there.
 */
export const shortenError = (error: unknown): unknown => (error instanceof Error ? shorten(pino.stdSerializers.errWithCause(error)) : error);

function shorten(told: object): object {
  const { params: _params, ...rest } = told as Record<string, unknown>;
  return Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, shortenValue(value)]));
}

function shortenValue(value: unknown): unknown {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return shorten(value);
  return typeof value === "string" ? value.replace(/\nparams: .*?(?=\n {4}at |$)/s, "").slice(0, maxCharacters) : value;
}
