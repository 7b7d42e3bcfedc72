import type { RuleText } from "./rule-text.ts";
import { activeRules } from "./rules-active.ts";
import { passiveRules } from "./rules-passive.ts";

/** What people are told of each rule of ours, by its id; a test holds it to what the add-on in addon/ says of itself. */
export const rules: Record<string, RuleText> = { ...passiveRules, ...activeRules };
