/** `dropslot fields …`. */
import type { Command } from 'commander';
import type { Field, FieldType, FieldValue } from '../../db/directory/fields.js';
import {
  type CountedField,
  confirmField,
  hideField,
  listCustomFields,
  renameField,
  retypeField,
} from '../../operations/customfields.js';
import { OperationError } from '../../operations/error.js';
import { isoTime } from '../../operations/format.js';
import { atWorkplace, examples } from '../command.js';
import type { ListView } from '../output.js';

const fieldList: ListView<CountedField> = {
  columns: [
    { title: 'FIELD', cell: (field) => field.label },
    { title: 'TYPE', cell: (field) => field.type },
    { title: 'HIDDEN', cell: (field) => (field.hidden ? 'yes' : '') },
    { title: 'ALSO WRITTEN', cell: (field) => field.aliases.join(', ') },
    { title: 'USERS', cell: (field) => String(field.users), align: 'right' },
  ],
  empty: 'No custom fields.',
  toJson: ({ users, ...field }) => ({ ...toJson(field), users }),
};

const valueList: ListView<FieldValue> = {
  columns: [
    { title: 'EMAIL', cell: ({ email }) => email },
    { title: 'VALUE', cell: ({ value }) => value },
  ],
  empty: 'Every value fits.',
  toJson: ({ email, value }) => ({ email, value }),
};

export function registerCustomFields(program: Command): void {
  const fields = program.command('fields').description("list and change an organization's custom fields");
  registerReadAndHide(fields);
  registerEdit(fields);
}

function registerReadAndHide(fields: Command): void {
  fields
    .command('list')
    .summary('list the custom fields of an organization')
    .argument('<org>')
    .addHelpText('after', examples('dropslot fields list acme', 'dropslot fields list acme --json'))
    .action((id: string, _options, command: Command) =>
      atWorkplace(command, async (workplace, out) => out.list(await listCustomFields(workplace, id), fieldList)),
    );
  const switches = [
    { name: 'hide', hidden: true, summary: 'leave a field out of exports and templates' },
    { name: 'unhide', hidden: false, summary: 'take a field into exports and templates again' },
  ];
  for (const { name, hidden, summary } of switches) {
    fields
      .command(name)
      .summary(summary)
      .argument('<org>')
      .argument('<field>')
      .addHelpText('after', examples(`dropslot fields ${name} acme "Cost Center"`))
      .action((id: string, label: string, _options, command: Command) =>
        atWorkplace(command, async (workplace, out) => {
          const field = await hideField(workplace, id, label, hidden);
          await out.show(toJson(field), `"${field.label}" is ${hidden ? 'hidden' : 'shown'}.`);
        }),
      );
  }
}

function registerEdit(fields: Command): void {
  fields
    .command('rename')
    .summary('give a field another name; files may go on writing the old one')
    .argument('<org>')
    .argument('<field>')
    .argument('<name>')
    .addHelpText('after', examples('dropslot fields rename acme Office "Work Location"'))
    .action((id: string, label: string, name: string, _options, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const field = await renameField(workplace, id, label, name);
        await out.show(toJson(field), `The field is "${field.label}" now.`);
      }),
    );
  fields
    .command('retype')
    .summary('make a field a text, a boolean or a date')
    .description(
      `Gives a field another type. Values that fit are written as the type writes them. When some do not, nothing is changed:
--show lists them, and --force leaves them as the texts that they are.`,
    )
    .argument('<org>')
    .argument('<field>')
    .argument('<type>', 'text, boolean or date')
    .option('--force', 'leave values that do not fit as they are')
    .option('--show', 'list the values that do not fit, and change nothing')
    .addHelpText(
      'after',
      examples('dropslot fields retype acme "Start Date" date', 'dropslot fields retype acme Desk text'),
    )
    .action((id: string, label: string, type: string, options: { force?: boolean; show?: boolean }, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        if (options.show === true) {
          const unfit: FieldValue[] = [];
          await retypeField(workplace, id, label, readType(type), {
            force: false,
            isTrial: true,
            onUnfit: (value) => unfit.push(value),
          });
          return out.list(unfit, valueList);
        }
        const field = await retypeField(workplace, id, label, readType(type), { force: options.force === true });
        await out.show(toJson(field), `"${field.label}" is a ${field.type} now.`);
      }),
    );
  fields
    .command('confirm')
    .summary('make a field of a label that looks like a misspelt standard one')
    .argument('<org>')
    .argument('<label>')
    .option('--type <type>', 'text, boolean or date', 'text')
    .addHelpText('after', examples('dropslot fields confirm acme "Managers Email"'))
    .action((id: string, label: string, { type }: { type: string }, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const field = await confirmField(workplace, id, label, readType(type));
        await out.show(toJson(field), `"${field.label}" is a field now: later files fill it.`);
      }),
    );
}

/** @throws OperationError `usage` */
function readType(text: string): FieldType {
  if (text === 'text' || text === 'boolean' || text === 'date') return text;
  throw new OperationError('usage', `a field is a text, a boolean or a date, not "${text}"`);
}

function toJson({ createdAt, ...field }: Field): Record<string, unknown> {
  return { ...field, createdAt: isoTime(createdAt) };
}
