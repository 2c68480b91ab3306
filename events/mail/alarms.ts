/** Words the alarms about files, sources and watched folders: when they open, and when they end. */
import type { Data, SectionContext, Wording, Words } from './section.js';
import { askContact, formatTime } from './wording.js';

export const alarmOpened: Wording = {
  needsAction: true,
  word: (data, context) => (data.files === undefined ? wordDoor(data, context) : wordFile(data, context)),
};

export const alarmResolved: Wording = {
  needsAction: false,
  word: (data) => {
    if (data.files !== undefined)
      return {
        heading: `The ${data.files} file is in order again`,
        paragraphs: [`The alarm about the ${data.files} file has ended.`],
      };
    const paragraphs =
      data.kind === 'host_key_changed'
        ? ['The new host key of the server was confirmed, or the server shows the confirmed one again.']
        : [`The last attempt to take files from ${placeOf(data)} succeeded.`];
    return { heading: `Files can be taken from ${placeOf(data)} again`, paragraphs };
  },
};

function placeOf({ source, folder }: Data): string {
  return source === undefined ? `the watched folder ${folder}` : `the SFTP server of source ${source}`;
}

/** Files can't be taken from the organization's SFTP server, or from a folder that it writes to. */
function wordDoor(data: Data, context: SectionContext): Words {
  const { kind, source, folder } = data;
  const sentence =
    kind === 'host_key_changed'
      ? 'The server shows another host key than before, so that nothing is fetched from it. Was its host key changed? The operator must confirm the new key.'
      : `Check whether ${source === undefined ? 'the folder exists and can be read' : 'the server can be reached, and whether the user name and the key or password are still valid'}.`;
  const command = source === undefined ? `dropslot folders show ${folder}` : `dropslot sources show ${source}`;
  const help = context.isOperator || context.contact === null ? [] : [askContact(context, 'for details')];
  return {
    heading: `No files can be taken from ${placeOf(data)}`,
    paragraphs: [sentence, ...help],
    ...(context.isOperator && { command }),
  };
}

function wordFile(data: Data, context: SectionContext): Words {
  const { timeZone, contact } = context;
  const files = `${data.files} file`;
  const sentences: Record<string, [heading: string, sentence: string]> = {
    missing: [
      `No ${files} was uploaded`,
      `A ${files} was expected${data.deadline === undefined ? '' : ` by ${formatTime(data.deadline, timeZone)}`}. Check whether the export of your HR system ran, and whether its upload worked.`,
    ],
    shrunk: [
      `The ${files} is much smaller than usual`,
      'Check whether the export of your HR system is complete before the import takes the file.',
    ],
    unchanged: [
      `The ${files} has not changed for a long time`,
      'Check whether the export of your HR system still runs.',
    ],
  };
  const [heading, sentence] = sentences[String(data.kind)] ?? [`The ${files} is unusual`, 'Check the export.'];
  const help = context.isOperator || contact === null ? [] : [askContact(context, 'if the server may be the reason')];
  return { heading, paragraphs: [sentence, ...help] };
}
