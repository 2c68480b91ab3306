/** `dropslot fields …`: list and change the custom fields of an organization. */

import type { Command } from 'commander';
import {
  type CountedField,
  confirmField,
  type FieldType,
  type FieldValue,
  hideField,
  listCustomFields,
  renameField,
  retypeField,
} from '../../operations/customfields.js';
import { OperationError } from '../../operations/error.js';
import { quote } from '../../operations/format.js';
import { countedFieldToJson, fieldToJson } from '../../operations/forms/directory.js';
import { atWorkplace, examples } from '../command.js';
import type { ListView } from '../output.js';

const fieldList: ListView<CountedField> = {
  columns: [
    { title: 'FIELD', cell: (field) => field.label, whole: true },
    { title: 'TYPE', cell: (field) => field.type },
    { title: 'HIDDEN', cell: (field) => (field.hidden ? 'yes' : '') },
    { title: 'ALSO WRITTEN', cell: (field) => field.aliases.join(', ') },
    { title: 'USERS', cell: (field) => String(field.users), align: 'right' },
  ],
  empty: 'No custom fields.',
  toJson: countedFieldToJson,
};

const valueList: ListView<FieldValue> = {
  columns: [
    { title: 'EMAIL', cell: ({ email }) => email, whole: true },
    { title: 'VALUE', cell: ({ value }) => value },
  ],
  empty: 'Every value fits.',
  toJson: ({ email, value }) => ({ email, value }),
};

export function registerCustomFields(program: Command): void {
  const fields = program
    .command('fields')
    .summary('custom fields of an organization')
    .description("list and change an organization's custom fields");
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
    { name: 'unhide', hidden: false, summary: 'include a hidden field in exports and templates again' },
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
          await out.show(fieldToJson(field), `${quote(field.label)} is ${hidden ? 'hidden' : 'shown'}.`);
        }),
      );
  }
}

function registerEdit(fields: Command): void {
  fields
    .command('rename')
    .summary('rename a field; files may still use the old name')
    .argument('<org>')
    .argument('<field>')
    .argument('<name>')
    .addHelpText('after', examples('dropslot fields rename acme Office "Work Location"'))
    .action((id: string, label: string, name: string, _options, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const field = await renameField(workplace, id, label, name);
        await out.show(fieldToJson(field), `The field is now called ${quote(field.label)}.`);
      }),
    );
  fields
    .command('retype')
    .summary('change the type of a field to text, boolean or date')
    .description(
      `Changes the type of a field. Values that fit are rewritten in the form of the new type. If some do not fit, nothing is
changed: --show lists them, and --force keeps them unchanged as text.`,
    )
    .argument('<org>')
    .argument('<field>')
    .argument('<type>', 'text, boolean or date')
    .option('--force', 'keep values that do not fit, unchanged')
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
        await out.show(fieldToJson(field), `The type of ${quote(field.label)} is now ${field.type}.`);
      }),
    );
  fields
    .command('confirm')
    .summary('create a field whose label looks like a misspelt standard column')
    .argument('<org>')
    .argument('<label>')
    .option('--type <type>', 'text, boolean or date', 'text')
    .addHelpText('after', examples('dropslot fields confirm acme "Managers Email"'))
    .action((id: string, label: string, { type }: { type: string }, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const field = await confirmField(workplace, id, label, readType(type));
        await out.show(fieldToJson(field), `${quote(field.label)} is now a custom field; later files can fill it.`);
      }),
    );
}

/** @throws OperationError `usage` */
function readType(text: string): FieldType {
  if (text === 'text' || text === 'boolean' || text === 'date') return text;
  throw new OperationError('usage', `the type of a field is text, boolean or date, not "${text}"`);
}
