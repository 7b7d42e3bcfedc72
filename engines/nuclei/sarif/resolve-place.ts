import type { ArtifactLocation, Location, LogicalLocation, Result, Run } from "./schema.ts";

/** Where a result was seen. */
export interface Place {
  /** For a reader, with line and column: `file:///src/a.c:12:5`, or a logical place such as `POST /login`. Empty where the result names none. */
  text: string;
  /** As `text`, but with the name of the base folder and not where it was on that machine: the same wherever the tool ran. */
  name: string;
  /** `name` without line and column. */
  file: string;
  /** The function, resource or package, where the file tells it beside the place in a file. */
  logical: string;
  /** All places of the result to the last column: what is not the same here is another place. */
  whole: string;
}

/** Answers the place of a result of the run: the first that it names, else what the tool was told to look at (3.27.13). */
export function createPlaceReader(run: Run): (result: Result) => Place {
  return ({ locations = [], analysisTarget }) => {
    const all = locations.flatMap((location) => (location ? [readLocation(run, location)] : []));
    const named = all.find(({ text }) => text !== "") ?? all.find(({ logical }) => logical !== "");
    const whole = JSON.stringify(all.map((each) => each.whole));
    if (!named) {
      const { shown, name } = resolveArtifact(run, analysisTarget);
      return { text: shown, name, file: name, logical: "", whole: `${shown} ${whole}` };
    }
    if (named.text !== "") return { ...named, whole };
    return { text: named.logical, name: named.logical, file: named.logical, logical: "", whole };
  };
}

function readLocation(run: Run, { physicalLocation, logicalLocations = [] }: Location): Place {
  const { artifactLocation, region, address } = physicalLocation ?? {};
  const { shown, name } = resolveArtifact(run, artifactLocation);
  const logical = logicalLocations.map((location) => nameLogical(run, location)).find((text) => text !== "") ?? "";
  const { snippet: _snippet, ...span } = region ?? { snippet: undefined, startLine: undefined, startColumn: undefined };
  const at = [span.startLine, span.startLine === undefined ? undefined : span.startColumn].map((value) => (value === undefined ? "" : `:${value}`)).join("");
  return {
    text: shown === "" ? "" : `${shown}${at}`,
    name: name === "" ? "" : `${name}${at}`,
    file: name,
    logical,
    whole: JSON.stringify([shown, span, address, logical]),
  };
}

/** A file by its own URI, else by its number in the run's list of files (3.4.5). */
function resolveArtifact(run: Run, location: ArtifactLocation | undefined): { shown: string; name: string } {
  const listed = location?.index === undefined ? undefined : run.artifacts?.[location.index]?.location;
  const { uri, uriBaseId } = location?.uri === undefined ? (listed ?? {}) : location;
  if (uri === undefined || uri === "") return { shown: "", name: "" };
  if (uriBaseId === undefined || isAbsolute(uri)) return { shown: uri, name: uri };
  return { shown: `${resolveBase(run, uriBaseId)}${uri}`, name: `${uriBaseId}/${uri}` };
}

const isAbsolute = (uri: string): boolean => /^[a-z][a-z\d+.-]*:/i.test(uri);

/** More bases on top of each other than this are a circle. */
const mostBases = 20;

/** Where the base of a file's URI was (3.4.4, 3.14.14); its name in percent signs where the file does not say so. */
function resolveBase({ originalUriBaseIds = {} }: Run, first: string): string {
  let path = "";
  let id: string | undefined = first;
  for (let bases = 0; id !== undefined && bases < mostBases; bases++) {
    const base: ArtifactLocation | undefined = Object.hasOwn(originalUriBaseIds, id) ? originalUriBaseIds[id] : undefined;
    if (base?.uri === undefined) return `%${id.replaceAll("%", "")}%/${path}`;
    path = `${base.uri.endsWith("/") ? base.uri : `${base.uri}/`}${path}`;
    id = isAbsolute(path) ? undefined : base.uriBaseId;
  }
  return path;
}

function nameLogical(run: Run, location: LogicalLocation | undefined): string {
  const listed = location?.index === undefined ? undefined : run.logicalLocations?.[location.index];
  return [location, listed].map((each) => each?.fullyQualifiedName ?? each?.name ?? each?.decoratedName ?? "").find((text) => text !== "") ?? "";
}
