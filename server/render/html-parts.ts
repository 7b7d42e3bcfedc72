import { html } from "./html.ts";

export const badge = (level: string, name: string) => html`<span class="badge ${level.toLowerCase()}">${name}</span>`;

export const renderFacts = (rows: string[][]) =>
  html`<dl class="facts">${rows.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
