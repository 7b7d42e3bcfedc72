import { readFileSync } from "node:fs";
import type { Block } from "@periscan/contract/block.ts";
import type { Report, ReportGroup, ReportTarget } from "./describe-report.ts";
import { Html, html } from "./html.ts";

const style = new Html(readFileSync(new URL("report.css", import.meta.url), "utf8"));

/** One page that needs nothing else: no script, no request, readable on a phone and on paper. */
export function renderHtml(report: Report): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="Periscan">
<title>${report.title}: ${report.subject}</title>
<style>${style}</style>
</head>
<body>
<header>
<p class="brand">Periscan${report.workspace && html` · ${report.workspace}`}</p>
<h1>${report.title}</h1>
<p class="subject">${report.subject}</p>
<p>${report.date} <span class="state ${report.state.tone}">${report.state.label}</span></p>
</header>
<main>
${renderSummary(report)}
${report.groups.length > 0 && renderOverview(report)}
${report.groups.length > 0 && html`<section><h2>Risks</h2>${report.groups.map(renderGroup)}</section>`}
${report.closed.length > 0 && renderClosed(report)}
${renderTargets(report)}
${report.gaps.length > 0 && renderGaps(report)}
<section id="about"><h2>About this scan</h2>
${renderFacts(report.facts)}
<h3>Threat levels</h3>
<dl class="facts">${report.levels.map(({ level, name, meaning }) => html`<div><dt>${badge(level, name)}</dt><dd>${meaning}</dd></div>`)}</dl>
</section>
</main>
</body>
</html>
`.text;
}

const badge = (level: string, name: string) => html`<span class="badge ${level.toLowerCase()}">${name}</span>`;

const renderSummary = ({ levels, changes, summary, warning }: Report) => html`<section id="summary">
<h2>Summary</h2>
<ul class="levels">${levels.map(({ level, name, count }) => html`<li class="${level.toLowerCase()}${count === 0 && " zero"}"><b>${count}</b>${name}</li>`)}</ul>
<p class="lead">${summary.join(" ")}</p>
${warning && html`<p class="warning">${warning} <a href="#gaps">See why</a></p>`}
<p class="changes">${changes.map(({ name, count }) => html`<span><b>${count}</b> ${name.toLowerCase()}</span>`)}</p>
</section>`;

const renderOverview = ({ groups }: Report) => html`<section>
<h2>Risks at a glance</h2>
<table>
<thead><tr><th>Level</th><th>Risk</th><th>Targets</th></tr></thead>
<tbody>${groups.map(
  ({ id, level, name, title, summary, names }) =>
    html`<tr><td>${badge(level, name)}</td><td><a href="#${id}">${title}</a><br><span class="quiet">${summary}</span></td><td>${names}</td></tr>`,
)}</tbody>
</table>
</section>`;

const renderGroup = ({
  id,
  level,
  name,
  title,
  description,
  solution,
  references,
  seen,
}: ReportGroup) => html`<article id="${id}" class="${level.toLowerCase()}">
<h3>${badge(level, name)} ${title}</h3>
<p>${description}</p>
<h4>What to do</h4>
<p>${solution}</p>
<h4>Evidence</h4>
${seen.map(
  ({ targets, evidence }) => html`<div class="seen">${targets.map(({ target, note }) => html`<p><b>${target}</b> <span class="quiet">${note}</span></p>`)}
${evidence.map(renderBlock)}</div>`,
)}
${references.length > 0 && html`<h4>Read on</h4><ul class="references">${references.map((reference) => html`<li>${renderReference(reference)}</li>`)}</ul>`}
</article>`;

const renderReference = ({ text, isLink }: ReportGroup["references"][number]) =>
  isLink ? html`<a href="${text}" rel="noreferrer">${text}</a>` : html`${text}`;

function renderBlock(block: Block): Html {
  if (block.type === "text") return html`<p>${block.text}</p>`;
  if (block.type === "code") return html`<pre>${block.text}</pre>`;
  if (block.type === "list") return html`<ul>${block.items.map((item) => html`<li>${item}</li>`)}</ul>`;
  if (block.type === "facts") return renderFacts(block.rows);
  return html`<table><thead><tr>${block.columns.map((column) => html`<th>${column}</th>`)}</tr></thead>
<tbody>${block.rows.map((row) => html`<tr>${row.map((cell) => html`<td>${cell}</td>`)}</tr>`)}</tbody></table>`;
}

const renderFacts = (rows: [string, string][]) =>
  html`<dl class="facts">${rows.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;

const renderClosed = ({ closed }: Report) => html`<section>
<h2>Closed since earlier scans</h2>
<p>This scan looked where they were and did not find them again.</p>
<table>
<thead><tr><th>Level</th><th>Risk</th><th>Target</th><th>First seen</th></tr></thead>
<tbody>${closed.map(
  ({ level, name, title, target, since }) => html`<tr><td>${badge(level, name)}</td><td>${title}</td><td>${target}</td><td>${since}</td></tr>`,
)}</tbody>
</table>
</section>`;

const renderTargets = ({ targets }: Report) => html`<section id="targets">
<h2>Targets</h2>
<table>
<thead><tr><th>Target</th><th>Outcome</th><th>What was looked at</th><th>Open risks</th></tr></thead>
<tbody>${targets.map(renderTarget)}</tbody>
</table>
</section>`;

const renderTarget = ({ target, address, outcome, tone, what, counts }: ReportTarget) => html`<tr>
<td>${target}${address && html`<br><span class="quiet">${address}</span>`}</td>
<td><span class="state ${tone}">${outcome}</span></td>
<td>${what}</td>
<td>${counts.map(({ level, count }) => html`<span class="badge ${level.toLowerCase()}">${count}</span> `)}</td>
</tr>`;

const renderGaps = ({ gaps }: Report) => html`<section id="gaps">
<h2>What was not covered</h2>
<p>Do not take these for clean.</p>
<table>
<thead><tr><th>Target</th><th>Why, and what it means</th></tr></thead>
<tbody>${gaps.map(({ target, what }) => html`<tr><td>${target}</td><td>${what}</td></tr>`)}</tbody>
</table>
</section>`;
