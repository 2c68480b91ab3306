/** Composes a mail from the sections of one or several events: its subject, its text, and the same as HTML. */
import { renderHtml } from './html.js';
import type { Section } from './section.js';

export interface MailFrame {
  /** Whom it is about: the organization's name; null: the whole server. */
  about: string | null;
  /** Sentences below the sections: why the reader gets it, and how to end that. */
  footer: string[];
  /** Sections that the mail has no room for. */
  left?: number;
}

export interface ComposedMail {
  subject: string;
  text: string;
  html: string;
}

const width = 76;

/** @param sections at least one */
export function composeMail(sections: readonly Section[], { about, footer: end, left = 0 }: MailFrame): ComposedMail {
  const footer = left === 0 ? end : [`And ${left} more.`, ...end];
  const others = sections.length + left - 1;
  const whole = about === null ? '' : `${about}: `;
  const first = sections.find(({ needsAction }) => needsAction) ?? sections[0]!;
  const more = others === 0 ? '' : `, and ${others} more`;
  const subject = oneLine(`${whole}${lowerFirst(first.heading, about !== null)}${more}`);
  const title = about ?? 'Dropslot';
  return { subject, text: renderText(title, sections, footer), html: renderHtml(title, sections, footer) };
}

function renderText(title: string, sections: readonly Section[], footer: readonly string[]): string {
  const parts = sections.map(({ heading, paragraphs, list = [], command, link }) => [
    heading,
    '='.repeat(Math.min(width, heading.length)),
    '',
    ...paragraphs.flatMap((each) => [wrap(each), '']),
    ...(list.length === 0 ? [] : ['Most frequent:', ...list.map((each) => wrap(`- ${each}`, '  ')), '']),
    // Alone on its line, and never broken: mail programs make it a link.
    ...(link === undefined ? [] : [link.url, '']),
    ...(command === undefined ? [] : [...command.split('\n').map((line) => `    ${line}`), '']),
  ]);
  return `${[title, '', ...parts.flat(), '-- ', ...footer.map((each) => wrap(each))].join('\n')}\n`;
}

function wrap(text: string, indent = ''): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = `${indent}${word}`;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].join('\n');
}

/** A name of an organization must not begin a new header or line. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').slice(0, 200);
}

function lowerFirst(text: string, isAfterColon: boolean): string {
  return isAfterColon ? text[0]!.toLowerCase() + text.slice(1) : text;
}
