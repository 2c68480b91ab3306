/** The part of a page that `npm run docs` writes, between two marks. */
interface Marks {
  begin: string;
  end: string;
}

const marksOfPages: Marks = { begin: '<!-- Written by `npm run docs`, from here -->', end: '<!-- to here -->' };

/** `page` with another text between its marks. @throws Error `problem` when a mark is missing */
export function replaceWrittenPart(page: string, text: string, problem: string, marks: Marks = marksOfPages): string {
  const [before, rest] = page.split(marks.begin);
  const after = rest?.split(marks.end)[1];
  if (after === undefined) throw new Error(problem);
  return `${before}${marks.begin}\n\n${text}\n\n${marks.end}${after}`;
}
