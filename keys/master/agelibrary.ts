/** The age library, loaded when it is first used: with its post-quantum keys it is 65 modules, which few commands need. */
export function loadAge(): Promise<typeof import('age-encryption')> {
  // To ask for a module that is loaded takes a tenth of the time in which a small file is opened.
  loading ??= import('age-encryption');
  return loading;
}

let loading: Promise<typeof import('age-encryption')> | null = null;
