/** The words of the page behind the link of a mailed export. */
export const texts = {
  title: 'Download an export',
  lead: (org: string) => `The users of ${org}, as a CSV file.`,
  file: 'File',
  size: 'Size',
  until: 'Before',
  submit: 'Download',
  once: 'The link downloads the file once, and the download is recorded. Then the server removes the file.',
  unusable: 'This link is not usable',
  unusableText:
    'A link downloads its file once, within a day. It was used, has expired, or is not complete. If a download broke off, open the link again within 10 minutes; if it still does not work then, ask the person who sent the export for a new one.',
  busy: 'Too many requests',
  wait: (seconds: number) => `Wait for ${seconds} ${seconds === 1 ? 'second' : 'seconds'}, then try again.`,
};
