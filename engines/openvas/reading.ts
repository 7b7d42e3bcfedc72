import type { ScanResult, ScanState } from "./read-answers.ts";
import type { HostReport } from "./read-outcome.ts";

/** So many results of one host are kept. A host has some hundred. */
const mostResults = 20_000;
const mostCharacters = 32 * 1024 ** 2;

interface OpenHost extends HostReport {
  startedAt: number;
  characters: number;
}

/** Gathers the results of a scan by host. */
export class Reading {
  /** What the scanner said about the scan as a whole. */
  readonly errors: string[] = [];
  readonly #hosts: Map<string, OpenHost>;
  #dead = 0;

  constructor(addresses: string[]) {
    this.#hosts = new Map(
      addresses.map((address) => [address, { address, started: false, ended: false, results: [], cut: false, startedAt: 0, characters: 0 }]),
    );
  }

  take({ results, dead }: ScanState): void {
    this.#dead = Math.max(this.#dead, dead);
    for (const result of results) {
      const host = this.#hosts.get(result.host);
      if (!host) {
        if (result.type === "error" && this.errors.length < 20) this.errors.push(result.text.slice(0, 300));
        continue;
      }
      keep(host, result);
    }
  }

  /** The hosts that the scanner is done with, once each. */
  takeEnded(): HostReport[] {
    return this.#remove(({ ended }) => ended);
  }

  /**
   * The hosts that are left when the scan is finished: those that were never begun did not answer. Where the scanner did not count as many dead
   * ones, nothing is known of them and they are left out. One that was begun and never ended was cut short.
   */
  takeRest(): HostReport[] {
    const silent = [...this.#hosts.values()].filter(({ started }) => !started).length;
    return this.#remove(({ started }) => started || silent <= this.#dead);
  }

  /** The hosts that were begun longer ago than that and have not ended. */
  findLate(seconds: number): HostReport[] {
    return this.#remove(({ started, startedAt }) => started && performance.now() - startedAt > seconds * 1000);
  }

  #remove(isWanted: (host: OpenHost) => boolean): HostReport[] {
    const wanted = [...this.#hosts.values()].filter(isWanted);
    for (const { address } of wanted) this.#hosts.delete(address);
    return wanted;
  }
}

function keep(host: OpenHost, result: ScanResult): void {
  if (result.type === "log" && result.oid === "" && result.name === "HOST_START") {
    host.started = true;
    host.startedAt = performance.now();
  } else if (result.type === "log" && result.oid === "" && result.name === "HOST_END") host.ended = true;
  // Details are names and values for Greenbone's asset lists.
  else if (result.type !== "detail") {
    host.characters += result.text.length + result.name.length + 200;
    if (host.results.length >= mostResults || host.characters > mostCharacters) host.cut = true;
    else host.results.push(result);
  }
}
