/** Says what is wrong with a text that should be an email address (rules U1, U8, T2). */

/** Problems in the order in which they are looked for, each as the continuation of a sentence. */
const problems: readonly [(text: string) => boolean, string][] = [
  [(text) => /^mailto:/i.test(text), 'it begins with "mailto:"'],
  [(text) => /[<>]/.test(text), 'it has a name or angle brackets beside the address'],
  [(text) => text.indexOf('@') !== text.lastIndexOf('@'), 'the cell has more than one address, or a second @'],
  [(text) => !text.includes('@'), 'it has no @'],
  [(text) => /\s/.test(text), 'it has a space in it'],
  [(text) => /[,;:.]$/.test(text), 'it ends with a punctuation mark'],
  [(text) => /^['"]|['"]$/.test(text), 'it has a quote or an apostrophe around it'],
  [(text) => text.includes('..'), 'it has two dots in a row'],
  [(text) => !text.slice(text.indexOf('@')).includes('.'), 'the part after the @ needs a dot, as in "acme.com"'],
];

/** `: it has no @`; empty where the reason is not certain. */
export function reasonOf(text: string): string {
  const found = problems.find(([hasProblem]) => hasProblem(text));
  return found === undefined ? '' : `: ${found[1]}`;
}
