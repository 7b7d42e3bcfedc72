import { InvalidArgumentError } from "commander";

/** An option's value as a whole number above 0. */
export function readCount(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError("give a whole number above 0");
  return Number(text);
}
