import { html } from "./html.ts";
import { badge } from "./html-parts.ts";
import type { Overview, Trend } from "./report.ts";

/** The part of a report for whoever reads one page. */
export const renderOverview = ({ paragraphs, trend, first, byTarget, byTargetNote }: Overview) => html`<section id="overview">
<h2>Executive summary</h2>
${paragraphs.map((paragraph) => html`<p>${paragraph}</p>`)}
${trend && renderTrend(trend)}
${
  first.length > 0 &&
  html`<h3>Begin here</h3>
<table class="first"><tbody>${first.map(
    ({ id, level, name, title, names }) =>
      html`<tr><td>${badge(level, name)}</td><td><a href="#${id}">${title}</a><br><span class="quiet">${names}</span></td></tr>`,
  )}</tbody></table>`
}
</section>
${
  byTarget.length > 0 &&
  html`<section>
<h2>Risks by target</h2>
<table class="by-target">
<thead><tr><th>Target</th><th>Open risks by threat level</th><th>All</th></tr></thead>
<tbody>${byTarget.map(
    ({ target, label, total, parts }) => html`<tr><td>${target}${label && html`<br><span class="quiet">${label}</span>`}</td>
<td><div class="bar">${parts.map(({ level, share }) => html`<span class="${level.toLowerCase()}" style="width:${percent(share)}%"></span>`)}</div>
<span class="quiet">${parts.map(({ level, count }) => html`<span class="badge ${level.toLowerCase()}">${count}</span> `)}</span></td><td><b>${total}</b></td></tr>`,
  )}</tbody>
</table>
${byTargetNote && html`<p class="quiet">${byTargetNote}</p>`}
</section>`
}`;

const percent = (share: number): string => (share * 100).toFixed(2);

const width = 720;
const height = 240;
const plot = { left: 44, right: 8, top: 22, bottom: 26 };

/** Stacked bars, drawn with nothing but shapes and text, so that it needs no script and prints. */
function renderTrend({ heading, text, bars, ticks, levels }: Trend) {
  const room = { width: width - plot.left - plot.right, height: height - plot.top - plot.bottom };
  const y = (share: number) => plot.top + room.height * (1 - share);
  const slot = room.width / bars.length;
  const barWidth = Math.min(44, slot * 0.64);
  return html`<figure class="trend">
<h3>${heading}</h3>
<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${text}">
${ticks.map(
  ({ label, share }) => html`<line x1="${plot.left}" x2="${width - plot.right}" y1="${y(share)}" y2="${y(share)}"/>
<text x="${plot.left - 8}" y="${y(share) + 4}" text-anchor="end">${label}</text>`,
)}
${bars.map(({ label, total, parts }, index) => {
  const middle = plot.left + slot * (index + 0.5);
  let below = 0;
  const drawn = parts.map(({ level, share, count }) => {
    below += share;
    return html`<rect class="${level.toLowerCase()}" x="${(middle - barWidth / 2).toFixed(1)}" y="${y(below).toFixed(2)}" width="${barWidth.toFixed(1)}" height="${(share * room.height).toFixed(2)}"><title>${label}: ${count} ${level.toLowerCase()}</title></rect>`;
  });
  return html`${drawn}<text class="total" x="${middle.toFixed(1)}" y="${(y(below) - 6).toFixed(2)}" text-anchor="middle">${total}</text>
<text x="${middle.toFixed(1)}" y="${height - 8}" text-anchor="middle">${label}</text>`;
})}
</svg>
<figcaption class="key">${levels.map(({ level, name }) => html`<span class="${level.toLowerCase()}"><i></i>${name}</span>`)}</figcaption>
</figure>`;
}
