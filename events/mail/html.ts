/** The HTML of a mail: tables and inline styles, which mail programs understand, readable in light and in dark. */
import type { Section } from './section.js';

/** Mail programs that know `prefers-color-scheme` use the dark colours; others leave or invert the light ones. */
const style = `
  :root { color-scheme: light dark; supported-color-schemes: light dark; }
  @media (prefers-color-scheme: dark) {
    .page { background: #16181d !important; }
    .card { background: #1f2229 !important; border-color: #343945 !important; }
    .text, .title { color: #e7e9ee !important; }
    .quiet { color: #a5abb8 !important; }
    .code { background: #2a2f39 !important; color: #e7e9ee !important; }
    .mark { border-left-color: #e0a33a !important; }
    .button { background: #7fcdc2 !important; color: #0b2421 !important; }
  }`;
const font = "font-family:-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif";

export function renderHtml(title: string, sections: readonly Section[], footer: readonly string[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>${toText(title)}</title>
<style>${style}
</style>
</head>
<body class="page" style="margin:0;padding:0;background:#f3f4f6;">
<table role="presentation" class="page" width="100%" cellpadding="0" cellspacing="0" style="background:#f3f4f6;">
<tr><td align="center" style="padding:24px 12px;">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="max-width:600px;">
<tr><td class="text" style="padding:0 4px 12px;${font};font-size:14px;line-height:20px;color:#1d2129;"><strong>${toText(title)}</strong></td></tr>
${sections.map(renderSection).join('\n')}
<tr><td class="quiet" style="padding:12px 4px;${font};font-size:12px;line-height:18px;color:#5b6270;">${footer.map(toText).join('<br>')}</td></tr>
</table>
</td></tr>
</table>
</body>
</html>
`;
}

function renderSection({ heading, needsAction, paragraphs, list = [], command, link }: Section): string {
  const mark = needsAction ? 'border-left:4px solid #b45309;' : 'border-left:4px solid #d5d9e0;';
  const text = `${font};font-size:15px;line-height:23px;color:#1d2129;`;
  const items = list.map((each) => `<li style="margin:0 0 4px;">${toText(each)}</li>`).join('');
  const button =
    link === undefined
      ? ''
      : `<p style="margin:14px 0 4px;"><a class="button" href="${toText(link.url)}" style="display:inline-block;padding:10px 18px;border-radius:5px;background:#0f5d56;color:#ffffff;${font};font-size:15px;line-height:22px;font-weight:600;text-decoration:none;">${toText(link.text)}</a></p>`;
  const code =
    command === undefined
      ? ''
      : `<pre class="code" style="margin:12px 0 0;padding:10px 12px;background:#eef0f3;border-radius:4px;font-family:Consolas,Menlo,monospace;font-size:13px;line-height:19px;color:#1d2129;white-space:pre-wrap;word-break:break-word;">${toText(command)}</pre>`;
  return `<tr><td style="padding:0 0 12px;">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0"><tr><td class="card${needsAction ? ' mark' : ''}" style="background:#ffffff;border:1px solid #e1e4ea;${mark}border-radius:6px;padding:18px 20px;">
<h2 class="title" style="margin:0 0 10px;${font};font-size:18px;line-height:25px;font-weight:600;color:#1d2129;">${toText(heading)}</h2>
${paragraphs.map((each) => `<p class="text" style="margin:0 0 10px;${text}">${toText(each)}</p>`).join('\n')}
${items === '' ? '' : `<p class="quiet" style="margin:0 0 4px;${font};font-size:13px;line-height:20px;color:#5b6270;">Most frequent</p><ul class="text" style="margin:0;padding-left:20px;${text}">${items}</ul>`}
${button}${code}</td></tr></table>
</td></tr>`;
}

function toText(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (sign) => entities[sign]!);
}
