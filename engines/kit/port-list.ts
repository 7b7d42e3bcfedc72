/** A list of ports as Nmap writes it: `22,80,8000-9000`. */
export type PortRange = [low: number, high: number];

export const maxPort = 65_535;

/** The ranges of a list, sorted and merged, or undefined where it is not one: numbers from 1 to 65535, single or `low-high`. */
export function parsePorts(text: string): PortRange[] | undefined {
  const ranges: PortRange[] = [];
  for (const part of text.split(",")) {
    const match = /^\s*(\d{1,5})(?:\s*-\s*(\d{1,5}))?\s*$/.exec(part);
    if (!match) return undefined;
    const low = Number(match[1]);
    const high = Number(match[2] ?? match[1]);
    if (low < 1 || high > maxPort || low > high) return undefined;
    ranges.push([low, high]);
  }
  return merge(ranges);
}

function merge(ranges: PortRange[]): PortRange[] {
  const merged: PortRange[] = [];
  for (const [low, high] of ranges.toSorted((a, b) => a[0] - b[0])) {
    const last = merged.at(-1);
    if (last && low <= last[1] + 1) last[1] = Math.max(last[1], high);
    else merged.push([low, high]);
  }
  return merged;
}

export const formatPorts = (ranges: PortRange[]): string => ranges.map(([low, high]) => (low === high ? `${low}` : `${low}-${high}`)).join(",");

export const countPorts = (ranges: PortRange[]): number => ranges.reduce((sum, [low, high]) => sum + high - low + 1, 0);

export const hasPort = (ranges: PortRange[], port: number): boolean => ranges.some(([low, high]) => low <= port && port <= high);

/** The ports that are in any of the lists. */
export const joinPorts = (lists: PortRange[][]): PortRange[] => merge(lists.flat());

/** The ports of `a` that are not in `b`. */
export function subtractPorts(a: PortRange[], b: PortRange[]): PortRange[] {
  const others: PortRange[] = [];
  let low = 1;
  for (const [first, last] of merge(b)) {
    if (low < first) others.push([low, first - 1]);
    low = last + 1;
  }
  if (low <= maxPort) others.push([low, maxPort]);
  return intersectPorts(a, others);
}

/** The ports that are in both. */
export const intersectPorts = (a: PortRange[], b: PortRange[]): PortRange[] =>
  merge(
    a.flatMap(([low, high]) =>
      b.filter((other) => other[0] <= high && low <= other[1]).map((other): PortRange => [Math.max(low, other[0]), Math.min(high, other[1])]),
    ),
  );
