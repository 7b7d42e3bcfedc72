import { readFileSync } from "node:fs";
import type { Block } from "@periscan/contract/block.ts";
import { Html, html } from "./html.ts";
import { badge, renderFacts } from "./html-parts.ts";
import { renderOverview } from "./render-overview.ts";
import type { AcceptedSection, Report, ReportGroup, ReportTarget } from "./report.ts";

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
<p>${report.date}${report.state && html` <span class="state ${report.state.tone}">${report.state.label}</span>`}</p>
</header>
<main>
${renderSummary(report)}
${report.overview && renderOverview(report.overview)}
${report.groups.length > 0 && renderGlance(report)}
${report.groups.length > 0 && html`<section><h2>Risks</h2>${report.groupsNote && html`<p class="warning">${report.groupsNote}</p>`}${report.groups.map(renderGroup)}</section>`}
${report.accepted.map(renderAccepted)}
${report.closed.rows.length > 0 && renderClosed(report)}
${renderTargets(report)}
${report.gaps.length > 0 && renderGaps(report)}
<section id="about"><h2>${report.aboutHeading}</h2>
${renderFacts(report.overview ? report.facts : [...report.coverFacts, ...report.facts])}
<h3>Threat levels</h3>
<dl class="facts">${report.levels.map(({ level, name, meaning }) => html`<div><dt>${badge(level, name)}</dt><dd>${meaning}</dd></div>`)}</dl>
</section>
</main>
</body>
</html>
`.text;
}

const renderSummary = ({ levels, changes, summary, warning, overview, coverFacts }: Report) => html`<section id="summary">
<h2>Summary</h2>
<ul class="levels">${levels.map(({ level, name, count }) => html`<li class="${level.toLowerCase()}${count === 0 && " zero"}"><b>${count}</b>${name}</li>`)}</ul>
<p class="lead">${summary.join(" ")}</p>
${warning && html`<p class="warning">${warning} <a href="#gaps">See why</a></p>`}
${changes.length > 0 && html`<p class="changes">${changes.map(({ name, count }) => html`<span><b>${count}</b> ${name.toLowerCase()}</span>`)}</p>`}
${overview && renderFacts(coverFacts)}
</section>`;

const renderGlance = ({ groups }: Report) => html`<section>
<h2>Risks at a glance</h2>
<table class="stacks">
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
  return html`<table class="stacks"><thead><tr>${block.columns.map((column) => html`<th>${column}</th>`)}</tr></thead>
<tbody>${block.rows.map((row) => html`<tr>${row.map((cell, index) => html`<td data-column="${block.columns[index]}">${cell}</td>`)}</tr>`)}</tbody></table>`;
}

const renderAccepted = ({ heading, intro, rows }: AcceptedSection) => html`<section>
<h2>${heading}</h2>
<p>${intro}</p>
<table class="stacks">
<thead><tr><th>Level</th><th>Risk</th><th>Why, and who</th><th>Until</th></tr></thead>
<tbody>${rows.map(
  ({ level, name, title, target, who, why, until }) =>
    html`<tr><td>${badge(level, name)}</td><td><b>${title}</b><br><span class="quiet">${target}</span></td><td>${why}<br><span class="quiet">${who}</span></td><td>${until}</td></tr>`,
)}</tbody>
</table>
</section>`;

const renderClosed = ({ closed }: Report) => html`<section>
<h2>${closed.heading}</h2>
<p>${closed.intro}</p>
<table class="stacks">
<thead><tr><th>Level</th><th>Risk</th><th>Target</th><th>${closed.whenHeading}</th></tr></thead>
<tbody>${closed.rows.map(
  ({ level, name, title, target, when }) => html`<tr><td>${badge(level, name)}</td><td>${title}</td><td>${target}</td><td>${when}</td></tr>`,
)}</tbody>
</table>
</section>`;

const renderTargets = ({ targets }: Report) => html`<section id="targets">
<h2>${targets.heading}</h2>
${targets.intro && html`<p>${targets.intro}</p>`}
<table class="stacks">
<thead><tr>${targets.columns.map((column) => html`<th>${column}</th>`)}</tr></thead>
<tbody>${targets.rows.map(renderTarget)}</tbody>
</table>
${targets.note && html`<p class="quiet">${targets.note}</p>`}
</section>`;

const renderTarget = ({ target, more, outcome, tone, what, counts, when }: ReportTarget) => html`<tr>
<td>${target}${more && html`<br><span class="quiet">${more}</span>`}</td>
<td><span class="state ${tone}">${outcome}</span></td>
<td>${what}</td>
<td>${counts.map(({ level, count }) => html`<span class="badge ${level.toLowerCase()}">${count}</span> `)}${when}</td>
</tr>`;

const renderGaps = ({ gaps, gapsNote }: Report) => html`<section id="gaps">
<h2>What was not covered</h2>
<p>Do not take these for clean.</p>
<table class="stacks">
<thead><tr><th>Target</th><th>Why, and what it means</th></tr></thead>
<tbody>${gaps.map(({ target, what }) => html`<tr><td>${target}</td><td>${what}</td></tr>`)}</tbody>
</table>
${gapsNote && html`<p class="quiet">${gapsNote}</p>`}
</section>`;
