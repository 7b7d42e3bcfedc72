import { z } from "zod";

/**
 * What is read of SARIF 2.1.0: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html (the numbers of paragraphs in this folder are its own).
 * A field that is null, or is something else than SARIF says, counts as absent: one wrong field costs neither its result nor the file.
 */
const maybe = <T extends z.ZodType>(type: T) =>
  type
    .nullish()
    .catch(undefined)
    .transform((value) => value ?? undefined);

/** An entry that is wrong leaves its place empty, for other parts of the file count places. */
const list = <T extends z.ZodType>(type: T) => maybe(z.array(maybe(type)));

const cut = (characters: number) => maybe(z.string().transform((text) => text.slice(0, characters)));
const Text = cut(100_000);
const Name = cut(2000);
const Uri = cut(10_000);
const Index = maybe(z.int().min(0));
const Offset = maybe(z.number());
const Values = maybe(z.record(z.string(), z.unknown()));

const Message = z.object({ text: Text, markdown: Text, id: Name, arguments: list(z.string()) });
export type Message = z.infer<typeof Message>;

const MessageStrings = maybe(z.record(z.string(), maybe(z.object({ text: Text, markdown: Text }))));
export type MessageStrings = z.infer<typeof MessageStrings>;

const ComponentReference = z.object({ name: Name, guid: Name, index: Index });
export type ComponentReference = z.infer<typeof ComponentReference>;

const RuleReference = z.object({ id: Name, index: Index, guid: Name, toolComponent: maybe(ComponentReference) });
export type RuleReference = z.infer<typeof RuleReference>;

const Configuration = maybe(z.object({ level: Name }));

const Rule = z.object({
  id: Name,
  guid: Name,
  name: Name,
  shortDescription: maybe(Message),
  fullDescription: maybe(Message),
  help: maybe(Message),
  helpUri: Uri,
  messageStrings: MessageStrings,
  defaultConfiguration: Configuration,
  relationships: list(z.object({ target: maybe(RuleReference) })),
  properties: Values,
});
export type Rule = z.infer<typeof Rule>;

/** The driver of a tool, or an extension such as a pack of CodeQL's queries. */
const Component = z.object({ name: Name, guid: Name, rules: list(Rule), globalMessageStrings: MessageStrings });
export type Component = z.infer<typeof Component>;

const ArtifactLocation = z.object({ uri: Uri, uriBaseId: Name, index: Index });
export type ArtifactLocation = z.infer<typeof ArtifactLocation>;

const LogicalLocation = z.object({ fullyQualifiedName: Name, name: Name, decoratedName: Name, index: Index });
export type LogicalLocation = z.infer<typeof LogicalLocation>;

const Location = z.object({
  physicalLocation: maybe(
    z.object({
      artifactLocation: maybe(ArtifactLocation),
      region: maybe(
        z.object({
          startLine: Offset,
          startColumn: Offset,
          endLine: Offset,
          endColumn: Offset,
          charOffset: Offset,
          charLength: Offset,
          byteOffset: Offset,
          byteLength: Offset,
          snippet: maybe(Message),
        }),
      ),
      address: maybe(z.object({ absoluteAddress: Offset, relativeAddress: Offset, fullyQualifiedName: Name })),
    }),
  ),
  logicalLocations: list(LogicalLocation),
});
export type Location = z.infer<typeof Location>;

export const Result = z.object({
  ruleId: Name,
  ruleIndex: Index,
  rule: maybe(RuleReference),
  kind: Name,
  level: Name,
  message: maybe(Message),
  locations: list(Location),
  analysisTarget: maybe(ArtifactLocation),
  partialFingerprints: Values,
  fingerprints: Values,
  suppressions: list(z.object({ status: Name })),
  baselineState: Name,
  taxa: list(RuleReference),
  provenance: maybe(z.object({ invocationIndex: Index })),
  properties: Values,
});
export type Result = z.infer<typeof Result>;

const Invocation = z.object({
  executionSuccessful: maybe(z.boolean()),
  endTimeUtc: Name,
  ruleConfigurationOverrides: list(z.object({ descriptor: maybe(RuleReference), configuration: Configuration })),
  toolExecutionNotifications: list(z.object({ level: Name })),
});

const none = { name: undefined, guid: undefined, rules: undefined, globalMessageStrings: undefined };

export const Run = z.object({
  tool: z
    .object({ driver: maybe(Component).transform((driver): Component => driver ?? none), extensions: list(Component) })
    .catch({ driver: none, extensions: [] }),
  /** Read one by one. */
  results: z.unknown().optional(),
  invocations: list(Invocation),
  artifacts: list(z.object({ location: maybe(ArtifactLocation) })),
  logicalLocations: list(LogicalLocation),
  originalUriBaseIds: maybe(z.record(z.string(), maybe(ArtifactLocation))),
  /** Results may stand in files beside this one (3.14.2). */
  externalPropertyFileReferences: maybe(z.object({ results: list(z.object({ itemCount: Index })) })),
});
export type Run = z.infer<typeof Run>;
