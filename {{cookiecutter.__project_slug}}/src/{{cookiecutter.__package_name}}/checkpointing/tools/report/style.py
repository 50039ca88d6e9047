"""The look of the page: its colours for light, dark and print, its type, its tables."""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1c2330; --muted: #586174; --line: #e3e6ec; --tint: #f4f6f9;
  --part: #d5dbe6; --step: #e8ecf3;
  --held: #2f6db5; --began: #a9bdd6; --budget: #c0392b; --cut: #b35c00;
  --read: #7a8fb0; --compute: #2f6db5; --write: #1f7a6d;
  --kept: #1f7a6d; --passing: #a9bdd6;
  --good: #1b7f4d; --bad: #c0392b;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --paper: #14181f; --ink: #e6e9ef; --muted: #a0a9ba; --line: #2b323e; --tint: #1b212b;
    --part: #3a4557; --step: #29313e;
    --held: #5b9ae0; --began: #3f5676; --budget: #ff7a6b; --cut: #f0a04b;
    --read: #6a7f9f; --compute: #5b9ae0; --write: #3fb5a1;
    --kept: #3fb5a1; --passing: #46597a;
    --good: #58c48d; --bad: #ff7a6b;
  }
}
* { box-sizing: border-box; }
html { font: 100%/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
body { margin: 0 auto; max-width: 60rem; padding: 2rem 1rem 4rem; color: var(--ink);
  background: var(--paper); overflow-wrap: break-word; }
h1 { margin: 0; font-size: 2rem; line-height: 1.2; letter-spacing: -0.01em; }
h2 { margin: 0 0 0.25rem; font-size: 1.25rem; line-height: 1.3; }
p { margin: 0 0 0.75rem; max-width: 44rem; }
section { margin-top: 3rem; }
code, pre { font: 0.875em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
pre { margin: 0.5rem 0 0; white-space: pre-wrap; overflow-wrap: anywhere; }
small, .muted { color: var(--muted); }
.verdict { margin: 0.5rem 0 0; font-size: 1.25rem; font-weight: 600; }
.verdict.completed { color: var(--good); }
.verdict.failed { color: var(--bad); }
.note { border-left: 3px solid var(--cut); padding-left: 0.75rem; }
.error { border-left: 3px solid var(--bad); padding: 0.25rem 0 0.25rem 0.75rem; margin-top: 1rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr));
  margin: 1.5rem 0 0; padding: 1px; }
.tiles div { margin: -1px 0 0 -1px; padding: 0.75rem 1rem; border: 1px solid var(--line); }
.tiles dt { color: var(--muted); font-size: 0.875rem; }
.tiles dd { margin: 0; font-size: 1.375rem; font-weight: 600; line-height: 1.3;
  font-variant-numeric: tabular-nums; }
.tiles dd small { display: block; font-size: 0.8125rem; font-weight: 400; line-height: 1.4; }
figure { margin: 1rem 0 0; }
figure svg { display: block; width: 100%; height: auto; overflow: visible; }
figure svg text { font-family: inherit; paint-order: stroke; }
figure svg.narrow { display: none; max-width: 28rem; }
figcaption { display: flex; flex-wrap: wrap; gap: 0.125rem 1.25rem; margin-top: 0.5rem;
  color: var(--muted); font-size: 0.875rem; }
.key::before { content: ""; display: inline-block; width: 0.75rem; height: 0.75rem;
  margin-right: 0.4rem; vertical-align: -0.06rem; background: var(--swatch); }
.key.line::before { height: 0.1875rem; vertical-align: 0.25rem; }
.key.dash::before { height: 0; border-top: 3px dashed var(--swatch); background: none;
  vertical-align: 0.25rem; }
.key.dot::before { width: 0.5rem; height: 0.5rem; border-radius: 50%; vertical-align: 0.06rem; }
.key.cross::before { content: "✚"; width: auto; height: auto; color: var(--swatch);
  background: none; font-size: 0.75rem; }
.key.ring::before { width: 0.5rem; height: 0.5rem; border: 1.5px solid var(--swatch);
  border-radius: 50%; background: none; vertical-align: 0.06rem; }
.scroll { overflow-x: auto; margin: 0.75rem 0 0; }
table { border-collapse: collapse; min-width: 100%; font-size: 0.9375rem; }
caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
th, td { padding: 0.375rem 0.75rem 0.375rem 0; border-bottom: 1px solid var(--line);
  text-align: left; vertical-align: top; }
thead th { color: var(--muted); font-size: 0.875rem; font-weight: 400; white-space: nowrap; }
tbody th { font-weight: 500; }
.number + :not(.number) { padding-left: 1rem; }
td:last-child:not(.number) { min-width: 11rem; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
td small { display: block; }
.status { font-weight: 600; }
.status.ran { color: var(--good); }
.status.failed { color: var(--bad); }
.status.reused { color: var(--muted); }
details { margin-top: 0.75rem; }
summary { cursor: pointer; color: var(--muted); font-size: 0.875rem; }
footer { margin-top: 4rem; color: var(--muted); font-size: 0.875rem; }
@media screen and (max-width: 44rem) {
  figure svg.wide { display: none; }
  figure svg.narrow { display: block; }
  h1 { font-size: 1.625rem; }
  section { margin-top: 2.25rem; }
}
@media print {
  @page { margin: 14mm; }
  html { font-size: 68.75%; }
  body { max-width: none; padding: 0; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  section { margin-top: 1.75rem; }
  h2, section > p { break-after: avoid; }
  figure svg { max-height: 230mm; }
  p, figure, tr, .tiles { break-inside: avoid; }
  details { display: none; }
  .scroll { overflow: visible; }
}
"""
