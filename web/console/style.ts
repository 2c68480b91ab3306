/** The design of the console: type, spacing, colours with a meaning, in light and dark; one style sheet, no fonts and no images to load. */

export const style = `
:root {
  color-scheme: light dark;
  --ground: #f8f7f4; --surface: #ffffff; --sunken: #f0eee9; --line: #dedbd3; --edge: #8b8678;
  --ink: #1c2128; --soft: #565d67; --accent: #0f5d56; --accent-ink: #ffffff; --accent-soft: #e2efed; --focus: #1d5fd0;
  --good: #17633a; --good-ground: #e4f2e9; --wait: #7a4b00; --wait-ground: #fcf0d6;
  --bad: #a1231d; --bad-ground: #fbe9e7; --note: #1f4f8a; --note-ground: #e7eff9;
  --s1: .25rem; --s2: .5rem; --s3: .75rem; --s4: 1rem; --s5: 1.5rem; --s6: 2.25rem; --s7: 3.5rem;
  --t-1: .8125rem; --t0: .9375rem; --t1: 1.0625rem; --t2: 1.25rem; --t3: 1.625rem;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171b; --surface: #1b1f25; --sunken: #22272e; --line: #313841; --edge: #79828f;
    --ink: #e6e8eb; --soft: #a5adb8; --accent: #7fcdc2; --accent-ink: #0b2421; --accent-soft: #1d3532; --focus: #8ab4ff;
    --good: #86d3a4; --good-ground: #173225; --wait: #efc070; --wait-ground: #382a10;
    --bad: #ff9d94; --bad-ground: #401d1b; --note: #9cc4f5; --note-ground: #1a2d44;
  }
}
*, *::before, *::after { box-sizing: border-box; }
html { font: 100%/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif; }
body { margin: 0; background: var(--ground); color: var(--ink); font-size: var(--t0); min-height: 100vh; }
h1, h2, h3 { line-height: 1.25; margin: 0; text-wrap: balance; letter-spacing: -.011em; }
h1 { font-size: var(--t3); font-weight: 650; }
h2 { font-size: var(--t2); font-weight: 620; }
h3 { font-size: var(--t1); font-weight: 620; }
p, ul, ol, dl { margin: 0; max-width: 68ch; }
a { color: var(--accent); text-underline-offset: .18em; text-decoration-thickness: from-font; }
a:hover { text-decoration-thickness: .13em; }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; border-radius: 3px; }
code, pre, .code { font: .9em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; }
code, .any { overflow-wrap: anywhere; }
pre { margin: 0; padding: var(--s3) var(--s4); background: var(--sunken); border-radius: 6px; overflow-x: auto; max-width: 100%; }
small, .small { font-size: var(--t-1); }
.soft { color: var(--soft); }
.skip { position: absolute; left: -100rem; top: 0; background: var(--surface); padding: var(--s3) var(--s4); z-index: 2; }
.skip:focus { left: 0; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

.top { display: flex; flex-wrap: wrap; align-items: center; gap: var(--s2) var(--s5); padding: var(--s3) var(--s5); background: var(--surface); border-bottom: 1px solid var(--line); }
.brand { font-weight: 700; letter-spacing: -.02em; font-size: var(--t1); color: var(--ink); text-decoration: none; display: flex; gap: var(--s2); align-items: center; }
.brand svg { width: 1.25rem; height: 1.25rem; color: var(--accent); }
.top .where { color: var(--soft); }
.top .me { margin-left: auto; display: flex; gap: var(--s4); align-items: center; flex-wrap: wrap; }
.frame { display: grid; grid-template-columns: 14rem minmax(0, 1fr); max-width: 86rem; margin: 0 auto; }
.side { padding: var(--s5) 0 var(--s5) var(--s5); }
.side .group { font-size: var(--t-1); font-weight: 600; color: var(--soft); padding: var(--s2) var(--s3) var(--s1); letter-spacing: 0; }
.side ul { list-style: none; padding: 0; margin: 0 0 var(--s4); }
.side a { display: block; padding: .4rem var(--s3); border-radius: 6px; color: var(--ink); text-decoration: none; }
.side a:hover { background: var(--sunken); }
.side a[aria-current] { background: var(--accent-soft); color: var(--accent); font-weight: 600; }
main { padding: var(--s6) var(--s6) var(--s7); min-width: 0; }
main > * + *, .stack > * + * { margin-top: var(--s5); }
.tight > * + * { margin-top: var(--s2); }
.head { display: flex; flex-wrap: wrap; gap: var(--s3) var(--s5); align-items: baseline; justify-content: space-between; }
.alone { max-width: 30rem; margin: 0 auto; padding: var(--s7) var(--s5); }
.alone .brand { margin-bottom: var(--s5); }
footer { padding: var(--s4) var(--s6); color: var(--soft); font-size: var(--t-1); text-align: center; }
.lead { font-size: var(--t1); line-height: 1.5; max-width: 60ch; }

.card { background: var(--surface); border: 1px solid var(--line); border-radius: 10px; padding: var(--s5); }
.card > * + * { margin-top: var(--s4); }
.card.tight { padding: var(--s4) var(--s5); } .card.tight > * + * { margin-top: var(--s1); }
.card.plain { padding: 0; overflow: hidden; }
.grid { display: grid; gap: var(--s4); grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); }
.figure { font-size: var(--t3); font-weight: 650; line-height: 1.1; font-variant-numeric: tabular-nums; }
.notice { border-radius: 8px; padding: var(--s3) var(--s4); border: 1px solid currentColor; max-width: 68ch; overflow-wrap: anywhere; }
.notice p { color: inherit; }
.good { color: var(--good); } .wait { color: var(--wait); } .bad { color: var(--bad); } .info { color: var(--note); }
.notice.good { background: var(--good-ground); } .notice.wait { background: var(--wait-ground); }
.notice.bad { background: var(--bad-ground); } .notice.info { background: var(--note-ground); }
.notice a { color: inherit; }
.tag { display: inline-block; padding: .05rem .5rem; border-radius: 1rem; font-size: var(--t-1); font-weight: 600; background: var(--sunken); color: var(--soft); white-space: nowrap; }
.tag.good { background: var(--good-ground); color: var(--good); } .tag.wait { background: var(--wait-ground); color: var(--wait); }
.tag.bad { background: var(--bad-ground); color: var(--bad); } .tag.info { background: var(--note-ground); color: var(--note); }

.scroll { overflow-x: auto; max-width: 100%; position: relative; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: var(--s3) var(--s4); color: var(--soft); font-size: var(--t-1); }
th, td { text-align: left; vertical-align: top; padding: var(--s2) var(--s4); border-bottom: 1px solid var(--line); }
thead td { background: var(--sunken); }
thead th { font-size: var(--t-1); font-weight: 600; color: var(--soft); white-space: nowrap; background: var(--sunken); }
tbody tr:last-child > * { border-bottom: 0; }
tbody th { font-weight: 600; } tbody th.text { font-weight: 400; min-width: 18rem; }
.whole { white-space: nowrap; } .id { display: inline-block; min-width: 8rem; overflow-wrap: anywhere; }
code.print { display: inline-block; min-width: 15rem; font-weight: 400; } .wide { min-width: 15rem; }
td.number, th.number { text-align: right; }
td.cells { background: var(--bad-ground); }
mark { background: var(--wait-ground); color: var(--wait); padding: 0 .15em; border-radius: 3px; font-weight: 600; }
del { color: var(--soft); text-decoration-thickness: 1px; } ins { text-decoration: none; font-weight: 600; }
dl.facts { display: grid; grid-template-columns: minmax(9rem, max-content) minmax(0, 1fr); gap: var(--s2) var(--s5); max-width: none; }
dl.facts dt { color: var(--soft); } dl.facts dd { margin: 0; overflow-wrap: anywhere; }
ol.steps { padding-left: 1.4em; } ol.steps > li + li { margin-top: var(--s3); }
ul.links a { display: inline-block; min-height: 1.6rem; }
ul.tree { list-style: none; padding-left: var(--s4); border-left: 1px solid var(--line); }
meter { width: 100%; height: .6rem; }
details.card { padding: var(--s3) var(--s5); } details.card[open] { padding-bottom: var(--s5); }
details > summary { cursor: pointer; color: var(--accent); }
details[open] > summary { margin-bottom: var(--s3); }

form.stack > * + * { margin-top: var(--s4); } form.stack > input[type=hidden] + * { margin-top: 0; }
.field { display: grid; grid-template-columns: minmax(0, 1fr); gap: var(--s1); max-width: 32rem; }
.field > label, legend { font-weight: 600; }
.field .hint { color: var(--soft); font-size: var(--t-1); }
fieldset { border: 0; padding: 0; margin: 0; }
input, select, textarea { font: inherit; color: inherit; background: var(--surface); border: 1px solid var(--edge); border-radius: 6px; padding: .5rem .65rem; width: 100%; min-height: 2.5rem; }
textarea { min-height: 6rem; resize: vertical; }
input:not([type=checkbox], [type=radio], [type=file]), select { height: 2.65rem; }
input[type=checkbox], input[type=radio] { width: 1.1rem; min-height: 1.1rem; height: 1.1rem; accent-color: var(--accent); }
input[type=file] { padding: .35rem; }
.check { display: flex; gap: var(--s2); align-items: center; }
button, .button { display: inline-block; font: inherit; font-weight: 600; line-height: 1.4; padding: .5rem 1rem; min-height: 2.5rem; border-radius: 6px; border: 1px solid var(--accent); background: var(--accent); color: var(--accent-ink); cursor: pointer; text-decoration: none; }
button:hover, .button:hover { filter: brightness(1.1); }
button.quiet, .button.quiet { background: transparent; color: var(--accent); border-color: var(--edge); }
button.danger { background: transparent; color: var(--bad); border-color: currentColor; }
button.link { background: none; border: 0; padding: 0; min-height: 1.6rem; color: var(--accent); text-decoration: underline; text-underline-offset: .18em; font-weight: 400; text-align: left; white-space: nowrap; }
.row { display: flex; flex-wrap: wrap; gap: var(--s3); align-items: start; }
.row:has(> .field) > button { margin-top: calc(1.55em + var(--s1)); }
.row .field { flex: 1 1 12rem; }
.qr svg { width: 11rem; height: 11rem; background: #fff; border-radius: 8px; padding: .5rem; display: block; }
.codes { columns: 2; list-style: none; padding: 0; }
nav.pages { display: flex; gap: var(--s4); }
.timeline { position: relative; list-style: none; padding: 0; }
.timeline { max-width: none; }
.timeline li { display: grid; grid-template-columns: 12rem 8rem minmax(0, 1fr); gap: var(--s4); align-items: center; padding: var(--s1) 0; }

@media (max-width: 52rem) {
  .frame { grid-template-columns: minmax(0, 1fr); }
  .side { padding: var(--s3) var(--s4) 0; }
  .side ul { display: flex; flex-wrap: wrap; gap: var(--s1); margin-bottom: var(--s2); }
  .side .group { padding-left: 0; }
  .side ul ~ .group, .side ul ~ ul { display: none; }
  main { padding: var(--s5) var(--s4) var(--s6); }
  .top { padding: var(--s3) var(--s4); }
  dl.facts { grid-template-columns: minmax(0, 1fr); gap: 0; } dl.facts dd { margin-bottom: var(--s3); }
  .timeline li { grid-template-columns: minmax(0, 1fr); gap: 0; }
}
@media (prefers-reduced-motion: no-preference) { a, button { transition: background-color .12s, filter .12s; } }
@media print {
  .top, .side, footer, form, .no-print, nav { display: none !important; }
  .frame { display: block; } main { padding: 0; } body { background: #fff; color: #000; font-size: 10pt; }
  .card { border: 0; padding: 0; } .scroll { overflow: visible; }
  pre { background: none; padding: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
}
`.trim();

export const icon =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><rect width="24" height="24" rx="6" fill="#0f5d56"/><path d="M12 5v9m-4-4 4 4 4-4M6 18.5h12" fill="none" stroke="#fff" stroke-width="2.2" stroke-linecap="round" stroke-linejoin="round"/></svg>';
