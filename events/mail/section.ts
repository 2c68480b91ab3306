/** A section of a mail: an event in words, and the facts beside the event that the words need. */
import type { Envelope } from '../envelope.js';

export interface Section {
  /** Also the subject of a mail with this event alone. */
  heading: string;
  /** Whether the reader must do something. */
  needsAction: boolean;
  paragraphs: string[];
  /** The most frequent problems. */
  list?: string[];
  /** A line to copy, for operators. */
  command?: string;
  /** Where the reader goes on in a browser. */
  link?: { text: string; url: string };
}

export interface SectionContext {
  timeZone: string;
  /** The mail is for operators, who have the command line. */
  isOperator: boolean;
  /** Whom the organization's people ask; null: the setting `contact` names no one. */
  contact: string | null;
  /** The most frequent problems of a run, in sentences without values of the file. */
  problemsOf(run: number): Promise<string[]>;
  /** A sentence for the code of a refusal. */
  explainCode(code: string): string | null;
  /** The name of an uploaded file; null: it is unknown by now. */
  nameOf(upload: number | null): Promise<string | null>;
  /** When the organization's queued files are imported next, in ms; null: at no fixed time. */
  nextImport: number | null;
}

// biome-ignore lint/suspicious/noExplicitAny: as the schema of its type says
export type Data = any;

export type Words = Omit<Section, 'needsAction'>;

/** How one type of event is told. */
export interface Wording {
  needsAction: boolean;
  word(data: Data, context: SectionContext, event: Envelope): Words | Promise<Words>;
}
