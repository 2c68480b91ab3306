/** Manual pages in roff, made from the help: one for the program, and one for each of its commands. */
import type { Argument, Command, Option } from 'commander';
import { pathOf, renderHelp } from './help.js';

/** By the name of its file, `dropslot-orgs.1`. The same text for the same program. */
export function renderManPages(program: Command, version: string): Map<string, string> {
  const commands = program.commands.filter((command) => command.name() !== 'help');
  const names = commands.map((command) => pageOf(command));
  return new Map([
    [`${pageOf(program)}.1`, renderProgram(program, commands, version)],
    ...commands.map((command): [string, string] => [
      `${pageOf(command)}.1`,
      renderCommand(program, command, version, names),
    ]),
  ]);
}

function pageOf(command: Command): string {
  return pathOf(command).join('-');
}

function renderProgram(program: Command, commands: readonly Command[], version: string): string {
  const listed = commands.map((command) =>
    item(bold(command.name()), [`${text(summaryOf(command))}; see ${seeAlso([pageOf(command)])}`]),
  );
  return page(program, version, program.description(), [
    section('SYNOPSIS', [`${bold('dropslot')} [${italic('options')}] ${italic('command')}`]),
    section('DESCRIPTION', paragraphs(program)),
    section('COMMANDS', listed),
    section('OPTIONS', program.options.map(describeOption)),
    section('NOTES', afterHelp(program)),
    section('FILES', [
      item(italic('dropslot.json'), [text('Settings, in the data folder or where --config says.')]),
      item(italic('./data'), [text('The data folder, unless --data or DROPSLOT_DATA names another one.')]),
    ]),
    section('SEE ALSO', [seeAlso(commands.map(pageOf))]),
  ]);
}

function renderCommand(program: Command, command: Command, version: string, pages: readonly string[]): string {
  const leaves = leavesOf(command);
  const isGroup = command.commands.length > 0;
  const details = isGroup ? leaves.map(describeLeaf) : [];
  const others = pages.filter((name) => name !== pageOf(command));
  return page(command, version, summaryOf(command), [
    section('SYNOPSIS', leaves.map(synopsis)),
    section('DESCRIPTION', paragraphs(command)),
    ...(isGroup
      ? [section('COMMANDS', details)]
      : [section('OPTIONS', optionsOf(command)), section('NOTES', afterHelp(command))]),
    section('OPTIONS OF EVERY COMMAND', program.options.map(describeOption)),
    section('SEE ALSO', [seeAlso([pageOf(program), ...others])]),
  ]);
}

/** The commands that do something, at any depth. */
function leavesOf(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leavesOf);
}

function describeLeaf(command: Command): string {
  const title = pathOf(command).slice(1).join(' ');
  const parts = [...paragraphs(command), ...optionsOf(command), ...afterHelp(command)];
  return [`.SS ${quoted(title)}`, synopsis(command), ...parts].join('\n');
}

function synopsis(command: Command): string {
  const words = command.registeredArguments.map(describeArgument);
  const options = command.options.length > 0 ? [`[${italic('options')}]`] : [];
  return ['.PP', [bold(pathOf(command).join(' ')), ...options, ...words].join(' ')].join('\n');
}

function describeArgument(argument: Argument): string {
  const name = italic(`${argument.name()}${argument.variadic ? '...' : ''}`);
  return argument.required ? name : `[${name}]`;
}

function optionsOf(command: Command): string[] {
  const named = command.registeredArguments.filter(({ description }) => description !== '');
  return [
    ...named.map((argument) => item(italic(argument.name()), [text(argument.description)])),
    ...command.options.map(describeOption),
  ];
}

function describeOption({ flags, description, defaultValue, argChoices }: Option): string {
  const choices = argChoices === undefined ? '' : ` (choices: ${argChoices.join(', ')})`;
  const standard = defaultValue === undefined ? '' : ` (default: ${JSON.stringify(defaultValue)})`;
  return item(bold(flags), [text(`${description}${choices}${standard}`)]);
}

function summaryOf(command: Command): string {
  return command.summary() || command.description();
}

function paragraphs(command: Command): string[] {
  const description = command.createHelp().commandDescription(command);
  return description.split(/\n{2,}/).map((paragraph) => `.PP\n${text(paragraph.replaceAll('\n', ' '))}`);
}

/** Examples and other texts below the help, as they are. */
function afterHelp(command: Command): string[] {
  const lines = renderHelp(command).slice(command.helpInformation().length).trim().split('\n');
  return lines.join('') === '' ? [] : ['.PP\n.nf', ...lines.map(text), '.fi'];
}

function seeAlso(pages: readonly string[]): string {
  return pages.map((name) => `${bold(name)}(1)`).join(', ');
}

function page(command: Command, version: string, about: string, sections: readonly string[]): string {
  const name = pageOf(command);
  const head = `.TH ${quoted(name.toUpperCase())} 1 "" ${quoted(`Dropslot ${version}`)} "Dropslot manual"`;
  const line = about.replace(/\.$/, '').replaceAll('\n', ' ');
  return [
    head,
    '.nh',
    '.ad l',
    section('NAME', [`${text(name)} \\- ${text(line)}`]),
    ...sections.filter(Boolean),
    '',
  ].join('\n');
}

/** Empty without content. */
function section(title: string, content: readonly string[]): string {
  return content.length === 0 ? '' : [`.SH ${quoted(title)}`, ...content].join('\n');
}

function item(term: string, content: readonly string[]): string {
  return ['.TP', term, ...content].join('\n');
}

function bold(words: string): string {
  return `\\fB${escapeRoff(words)}\\fR`;
}

function italic(words: string): string {
  return `\\fI${escapeRoff(words)}\\fR`;
}

/** A line that begins with a dot or an apostrophe would be a request. */
function text(line: string): string {
  return escapeRoff(line).replace(/^(?=[.'])/, '\\&');
}

function quoted(words: string): string {
  return `"${escapeRoff(words).replaceAll('"', '\\(dq')}"`;
}

/** Hyphens stay hyphens, so that an option can be copied. */
function escapeRoff(words: string): string {
  return words
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('~', '\\(ti')
    .replaceAll('^', '\\(ha')
    .replace(
      /[^\n -~]/gu,
      (character) => `\\[u${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}]`,
    );
}
