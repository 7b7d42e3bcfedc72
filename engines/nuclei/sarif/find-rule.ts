import type { Component, ComponentReference, Rule, RuleReference, Run } from "./schema.ts";

export interface FoundRule {
  rule: Rule;
  /** Where it stands, with texts that all its rules share. */
  component: Component;
}

/** How a result, or an override of a rule's configuration, names a rule. */
type RuleName = Partial<RuleReference>;

/**
 * The rule of a result (3.52.3): of the component that it names, else of the driver. An index counts where the rule there has the result's id, which may
 * have one part more (3.52.4); another rule's level and title would be wrong. Else the id alone finds it, in the other components too.
 */
export function createRuleFinder({ driver, extensions = [] }: Run["tool"]): (name: RuleName) => FoundRule | undefined {
  const all = [driver, ...extensions.flatMap((component) => component ?? [])];
  const own = new Map(all.map((component) => [component, listRules([component])]));
  const anywhere = listRules(all.toReversed());
  const findComponent = ({ index, guid, name }: Partial<ComponentReference>): Component | undefined => {
    if (index !== undefined) return extensions[index];
    if (guid !== undefined) return all.find((component) => component.guid === guid);
    return name === undefined ? driver : all.find((component) => component.name === name);
  };
  return ({ id: given, index, guid, toolComponent = {} }) => {
    const component = findComponent(toolComponent);
    const there = index === undefined ? undefined : component?.rules?.[index];
    const indexed = component && there ? { rule: there, component } : undefined;
    if (given === undefined) return indexed ?? (guid === undefined ? undefined : anywhere.get(guid));
    const ids = [given, ...(given.includes("/") ? [given.slice(0, given.lastIndexOf("/"))] : [])];
    if (indexed?.rule.id !== undefined && ids.includes(indexed.rule.id)) return indexed;
    const found = ids.map((id) => (component && own.get(component)?.get(id)) ?? anywhere.get(id));
    return found.find((each) => each !== undefined);
  };
}

/** By id and by guid, which cannot be taken for one another. */
const listRules = (components: Component[]): Map<string, FoundRule> =>
  new Map(
    components.flatMap((component) =>
      (component.rules ?? []).flatMap((rule) =>
        [rule?.id, rule?.guid].flatMap((name): [string, FoundRule][] => (rule && name !== undefined ? [[name, { rule, component }]] : [])),
      ),
    ),
  );
